"""A quick look at a network while it trains: half of PublicTest, clean and noisy."""

import numpy as np
import torch
from torch import nn

from fervid import corruptions
from train.augment import to_input
from train.data import Split
from train.recipe import Recipe

SETTINGS = (("clean", 0.0), ("gaussian", 0.2), ("speckle", 0.06))


@torch.no_grad()
def validate(net: nn.Module, split: Split, px: int, recipe: Recipe) -> dict[str, float]:
    """Accuracy on every second image, clean and under noise that no filter has touched.

    Args:
        net: in any mode; its mode is put back.
        split: PublicTest.
        px: side of the input.
        recipe: for the normalization.

    Returns:
        {"clean": ..., "gaussian": ..., "speckle": ...}, 0-1.
    """
    training = net.training
    net.eval()
    try:
        return {kind: _accuracy(net, split, px, recipe, kind, level) for kind, level in SETTINGS}
    finally:
        net.train(training)


def _accuracy(
    net: nn.Module, split: Split, px: int, recipe: Recipe, kind: str, level: float
) -> float:
    pictures, etas = [], []
    for index in range(0, len(split[1]), 2 if kind == "clean" else 4):
        clean = split[0][index]
        noisy = clean
        if kind != "clean":
            rng = np.random.default_rng((recipe.seed, index))
            noisy = corruptions.CORRUPTIONS[kind](clean, level, rng)
        seen, want = to_input(noisy, px), to_input(clean, px)
        pictures.append(seen)
        etas.append(float(np.sqrt(np.mean((seen.astype(np.float32) - want) ** 2))) / 255)
    labels = split[1][:: 2 if kind == "clean" else 4]
    x = (torch.from_numpy(np.stack(pictures)).float() / 255 - recipe.mean) / recipe.std
    x = x[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    eta = torch.tensor(etas)
    device = next(net.parameters()).device
    right = 0
    for part in range(0, len(x), 128):
        logits, _ = net(x[part : part + 128].to(device), eta[part : part + 128].to(device))
        right += int((logits.argmax(1).cpu().numpy() == labels[part : part + 128]).sum())
    return right / len(labels)
