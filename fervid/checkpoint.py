"""Model files for torch: safetensors with the card inside; nothing is ever unpickled."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fervid.card import CARD_KEY, ModelCard
from fervid.errors import CardError, ModelLoadError
from fervid.network import ExpressionNet


def save_model(net: ExpressionNet, card: ModelCard, path: Path, *, half: bool = True) -> None:
    """Write weights and card.

    Args:
        net: the network.
        card: describes it.
        path: a .safetensors file.
        half: store floating-point tensors as float16.
    """
    state = {}
    for name, tensor in net.state_dict().items():
        shrink = half and tensor.is_floating_point()
        state[name] = (tensor.half() if shrink else tensor).contiguous()
    card = card.replace(precision="float16" if half else "float32")
    save_file(state, path, metadata={CARD_KEY: card.to_json()})


def load_model(path: Path) -> tuple[ExpressionNet, ModelCard]:
    """Read a network, float32 and in eval mode, and its card.

    Raises:
        ModelLoadError: no such file, no safetensors, or weights of another network.
        CardError: no card.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelLoadError(
            f"{path} cannot be read as a safetensors model ({error}); it is damaged or something "
            "else, so copy or save it again."
        ) from error
    if CARD_KEY not in metadata:
        raise CardError(
            f"{path} has no fervid card; give one that `python -m train release` saved."
        )
    card = ModelCard.from_json(metadata[CARD_KEY], str(path))
    net = ExpressionNet.from_card(card)
    try:
        net.load_state_dict(
            {k: v.float() if v.dtype == torch.float16 else v for k, v in state.items()}
        )
    except RuntimeError as error:
        raise ModelLoadError(
            f"{path} holds the weights of another network than its card; save it again."
        ) from error
    return net.eval(), card
