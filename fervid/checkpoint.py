"""Model files for torch: safetensors with the card inside; nothing is ever unpickled."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    card = card.replace(precision="float16" if half else "float32", content_sha256="")
    save_file(state, path, metadata={CARD_KEY: card.to_json()})
    card = card.replace(content_sha256=tensors_sha256(path))
    save_file(state, path, metadata={CARD_KEY: card.to_json()})


def tensors_sha256(path: Path) -> str:
    """The hash of all tensors of a .safetensors file, in their order, without its head."""
    with path.open("rb") as file:
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_model(path: Path) -> tuple[ExpressionNet, ModelCard]:
    """Read a network, float32 and in eval mode, and its card.

    Raises:
        ModelLoadError: no such file, no safetensors, or weights of another network.
        CardError: no card.
    """
    try:
        with safe_open(path, "pt") as file:
            card = _card(file.metadata() or {}, path)
            net = ExpressionNet.from_card(card)
            _check_shapes(file, net, path)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        card.check_content(tensors_sha256(path), path)
    except (OSError, SafetensorError) as error:
        raise ModelLoadError(
            f"{path} cannot be read as a safetensors model ({error}); it is damaged or something "
            "else, so copy or save it again."
        ) from error
    net.load_state_dict({k: v.float() if v.dtype == torch.float16 else v for k, v in state.items()})
    return net.eval(), card


def _card(metadata: Mapping[str, str], path: Path) -> ModelCard:
    """The card in a file's head.

    Raises:
        CardError: there is none, or it cannot be read.
    """
    if CARD_KEY not in metadata:
        raise CardError(
            f"{path} has no fervid card; give one that `python -m train release` saved."
        )
    return ModelCard.from_json(metadata[CARD_KEY], str(path))


def _check_shapes(file: Any, net: ExpressionNet, path: Path) -> None:
    """Refuse the weights of another network by the file's head, before any are loaded.

    Raises:
        ModelLoadError: so it is.
    """
    found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    if found != {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}:
        raise ModelLoadError(
            f"{path} holds the weights of another network than its card; save it again."
        )
