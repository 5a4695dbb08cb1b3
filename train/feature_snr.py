"""How much of a layer's features noise leaves standing: SNR of layer3 and layer4."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from fervid.card import ModelCard
from fervid.crops import normalise
from fervid.network import ExpressionNet
from fervid.records import F32
from train.metrics import snr_db
from train.robustness import CLEAN, NOISY, Plan, Prepared, batches, prepare
from train.telling import Tell

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]


def features(net: ExpressionNet, prepared: Prepared, card: ModelCard) -> Mapping[str, F32]:
    """Activations of layer3 and layer4, float32 (N, C, h, w) each."""
    found: dict[str, list[F32]] = {"layer3": [], "layer4": []}
    with torch.inference_mode():
        for part in batches(len(prepared.eta)):
            x = torch.from_numpy(normalise(prepared.crops[part], card))
            layer3 = net.early(x, torch.from_numpy(prepared.eta[part]))
            found["layer3"].append(layer3.numpy())
            found["layer4"].append(net.layer4(layer3).numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}


def feature_snr(
    net: ExpressionNet, images: U8, indices: I64, plan: Plan, tell: Tell
) -> dict[str, dict[str, float]]:
    """SNR in dB of layer3 and layer4 under each noisy setting, the mean over images.

    Args:
        net: in eval mode.
        images: uint8 (M, 48, 48), a whole split.
        indices: int64 (N,), which of them.
        plan: how they reach the network.
        tell: is told of progress.

    Returns:
        Setting's name -> {"layer3", "layer3_centred", "layer4", "layer4_centred"}.
    """
    clean = features(net, prepare(images, indices, CLEAN, plan), plan.card)
    table: dict[str, dict[str, float]] = {}
    for setting in NOISY:
        tell(f"features, {setting.name}", 0)
        noisy = features(net, prepare(images, indices, setting, plan), plan.card)
        table[setting.name] = {
            layer + ("_centred" if centred else ""): float(
                snr_db(clean[layer], noisy[layer], centred=centred).mean()
            )
            for layer in clean
            for centred in (False, True)
        }
        tell("", len(indices))
    return table
