"""A quick look at a network while it trains: half of PublicTest, clean and noisy."""

import numpy as np
import torch
from torch import nn

from fervid import corruptions
from fervid.noise import estimate_noise
from fervid.records import F32
from train.augment import about, to_input
from train.data import Split
from train.metrics import drift
from train.recipe import Recipe

SETTINGS = (("clean", 0.0), ("gaussian", 0.2), ("speckle", 0.06))


@torch.no_grad()
def validate(net: nn.Module, split: Split, px: int, recipe: Recipe) -> dict[str, float]:
    """Accuracy on every second image, and under noise, that no filter has touched, on every fourth.

    Args:
        net: in any mode; its mode is put back.
        split: PublicTest.
        px: side of the input.
        recipe: for the normalization.

    Returns:
        {"clean": ..., "gaussian": ..., "speckle": ...}, 0-1; "drift", the DC of the Grad-CAM of
        layer4 under Gaussian noise, and "unrelated", its DC between different images.
    """
    training = net.training
    net.eval()
    try:
        return _figures(net, split, px, recipe)
    finally:
        net.train(training)


def _figures(net: nn.Module, split: Split, px: int, recipe: Recipe) -> dict[str, float]:
    figures, maps = {}, {}
    for kind, level in SETTINGS:
        logits, maps[kind] = _run(net, split, px, recipe, kind, level)
        labels = split[1][:: 2 if kind == "clean" else 4]
        figures[kind] = float((logits.argmax(1) == labels).mean())
        if kind == "clean":
            said = logits.argmax(1)
    at = np.arange(len(maps["gaussian"]))
    clean, noisy = (
        np.maximum(m[at, said[::2][at]], 0) for m in (maps["clean"][::2], maps["gaussian"])
    )
    figures["drift"] = float(drift(clean, noisy)[0].mean())
    figures["unrelated"] = float(drift(clean, np.roll(clean, 1, 0))[0].mean())
    return figures


def _run(
    net: nn.Module, split: Split, px: int, recipe: Recipe, kind: str, level: float
) -> tuple[F32, F32]:
    """Logits (N, K) and class maps (N, K, h, w)."""
    pictures, rows = [], []
    for index in range(0, len(split[1]), 2 if kind == "clean" else 4):
        clean = split[0][index]
        noisy = clean
        if kind != "clean":
            rng = np.random.default_rng((recipe.seed, index))
            noisy = corruptions.CORRUPTIONS[kind](clean, level, rng)
        seen, want = to_input(noisy, px), to_input(clean, px)
        pictures.append(seen)
        eta = float(np.sqrt(np.mean((seen.astype(np.float32) - want) ** 2))) / 255
        rows.append((eta, *about(estimate_noise(noisy))))
    x = (torch.from_numpy(np.stack(pictures)).float() / 255 - recipe.mean) / recipe.std
    x = x[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    conditions = torch.tensor(rows)
    if getattr(net, "norm", "plain") == "plain":
        conditions = conditions[:, 0]
    device = next(net.parameters()).device
    parts = [
        net(x[part : part + 128].to(device), conditions[part : part + 128].to(device))
        for part in range(0, len(x), 128)
    ]
    logits, maps = (torch.cat(column).float().cpu().numpy() for column in zip(*parts, strict=True))
    return logits, maps
