"""Fit of the noise estimator's 1,976 numbers on FER2013; `python -m train noise` runs it.

Training pictures get noise of known kind and level and are described by the runtime's own
statistics, so what is fitted is what runs. Takes a few minutes of one core.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fervid.corruptions import CORRUPTIONS, defocus, jpeg
from fervid.noise import HIDDEN, N_OUTPUTS, NoiseWeights
from fervid.noise_features import N_FEATURES, measure
from fervid.noise_sample import sample_plane
from fervid.records import NOISE_KINDS
from train.data import load_fer2013
from train.noise_report import evaluate, write_report

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

RANGES = {"gaussian": (0.04, 0.65), "salt_pepper": (0.008, 0.18), "speckle": (0.015, 0.18)}
CLEAN_SHARE = 0.3
# Share of the pictures, share of them augmented, random size: three passes and a half.
PASSES = ((1.0, 0.25, False), (1.0, 0.25, False), (1.0, 1.0, False), (0.5, 0.25, True))
SIZES = (40, 300)
BARS_SHARE = 0.3
LOSS_BETA = 0.1
EPOCHS, BATCH, RATE, DECAY = 100, 1024, 1e-2, 1e-4

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """M described pictures: features (M, 32), kinds int64 (M,), ln level and ln severity (M,)."""

    features: F32
    kinds: NDArray[np.int64]
    levels: F32
    severities: F32


def distinct(images: U8, others: tuple[U8, ...]) -> U8:
    """Images without exact repeats among themselves and without those that `others` hold.

    Args:
        images: uint8 (N, 48, 48); the first of equal ones is kept.
        others: test splits of the same kind.
    """
    seen = {image.tobytes() for split in others for image in split}
    kept = []
    for i, image in enumerate(images):
        key = image.tobytes()
        if key not in seen:
            seen.add(key)
            kept.append(i)
    return images[kept]


def draw_samples(images: U8, rng: np.random.Generator) -> Samples:
    """Make the training samples: three passes and a half over the pictures, with noise.

    Args:
        images: uint8 (N, 48, 48).
        rng: of all draws.
    """
    rows = []
    for share, augmented, resized in PASSES:
        chosen = rng.permutation(len(images))[: round(share * len(images))]
        for i in chosen:
            image = _resize(images[i], rng) if resized else images[i]
            bars = False
            if rng.random() < augmented:
                image, bars = _augment(image, rng), rng.random() < BARS_SHARE
            rows.append(_describe(image, bars, rng))
        log.info("described %d pictures", len(rows))
    features, kinds, levels, severities = zip(*rows, strict=True)
    return Samples(
        np.stack(features),
        np.array(kinds, np.int64),
        np.array(levels, np.float32),
        np.array(severities, np.float32),
    )


def _describe(image: U8, bars: bool, rng: np.random.Generator) -> tuple[F32, int, float, float]:
    """Add noise of a random kind and level: features, kind, ln level, ln realised RMS."""
    kind, level, severity = 0, 1.0, 1.0
    if rng.random() >= CLEAN_SHARE:
        kind = int(rng.integers(1, 4))
        low, high = RANGES[NOISE_KINDS[kind]]
        level = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        noisy = CORRUPTIONS[NOISE_KINDS[kind]](image, level, rng)
        severity = max(rms(noisy, image), 1e-3)
        image = noisy
    if bars:
        image = _bars(image, rng)
    features = measure(sample_plane(image)).features
    return features, kind, float(np.log(level)), float(np.log(severity))


def rms(noisy: U8, clean: U8) -> float:
    """RMS difference of two uint8 pictures on the 0-1 scale."""
    return float(np.sqrt(np.mean((noisy.astype(np.float32) - clean) ** 2))) / 255


def _resize(image: U8, rng: np.random.Generator) -> U8:
    side = int(rng.integers(SIZES[0], SIZES[1] + 1))
    ways = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)
    how = ways[int(rng.integers(len(ways)))]
    return np.asarray(cv2.resize(image, (side, side), interpolation=how), np.uint8)


def _augment(image: U8, rng: np.random.Generator) -> U8:
    """One or two of: darkening, clipping gain, equalisation, sharpening, blur, JPEG."""
    for way in rng.permutation(6)[: int(rng.integers(1, 3))]:
        if way == 0:
            image = cv2.convertScaleAbs(image, alpha=float(rng.uniform(0.05, 1))).astype(np.uint8)
        elif way == 1:
            image = cv2.convertScaleAbs(image, alpha=float(rng.uniform(1.2, 2.2))).astype(np.uint8)
        elif way == 2:
            image = cv2.equalizeHist(image).astype(np.uint8)
        elif way == 3:
            amount = float(rng.uniform(0.3, 1.5))
            soft = defocus(image, float(rng.uniform(0.6, 1.5)), rng)
            image = cv2.addWeighted(image, 1 + amount, soft, -amount, 0).astype(np.uint8)
        elif way == 4:
            image = defocus(image, float(rng.uniform(0.4, 2)), rng)
        else:
            image = jpeg(image, float(rng.integers(20, 96)), rng)
    return image


def _bars(image: U8, rng: np.random.Generator) -> U8:
    """Cover two opposite sides, 10 to 60 % of the picture, with 0, 16 or 255."""
    barred = image.copy() if rng.random() < 0.5 else np.ascontiguousarray(image.T)
    depth = int(len(barred) * rng.uniform(0.05, 0.3))
    barred[:depth] = barred[len(barred) - depth :] = rng.choice([0, 16, 255])
    return barred


def fit_network(samples: Samples, seed: int) -> NoiseWeights:
    """Fit the two layers: cross entropy, and smooth L1 on ln level and ln severity.

    Args:
        samples: the described pictures.
        seed: of the initial weights and the order of the batches.
    """
    generator = torch.Generator().manual_seed(seed)
    mean, std = samples.features.mean(0), samples.features.std(0) + np.float32(1e-6)
    x = torch.from_numpy((samples.features - mean) / std)
    kinds = torch.from_numpy(samples.kinds)
    truth = torch.from_numpy(np.stack([samples.levels, samples.severities], 1))
    net = nn.Sequential(nn.Linear(N_FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, N_OUTPUTS))
    for parameter in net.parameters():
        scale = float(parameter.shape[-1]) ** -0.5
        nn.init.uniform_(parameter, -scale, scale, generator=generator)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for epoch in range(EPOCHS):
        total = 0.0
        for batch in torch.randperm(len(x), generator=generator).split(BATCH):
            optimizer.zero_grad()
            loss = _loss(net(x[batch]), kinds[batch], truth[batch])
            loss.backward()
            optimizer.step()
            schedule.step()
            total += float(loss.detach()) * len(batch)
        if epoch % 20 == 19:
            log.info("epoch %d: loss %.4f", epoch + 1, total / len(x))
    w1, b1, w2, b2 = (p.detach().numpy().astype(np.float32) for p in net.parameters())
    return NoiseWeights(mean, std, w1, b1, w2, b2)


def _loss(out: Tensor, kinds: Tensor, truth: Tensor) -> Tensor:
    noisy = kinds > 0
    found = torch.stack([out.gather(1, 3 + kinds.clamp(min=1)[:, None])[:, 0], out[:, 7]], 1)
    error = nn.functional.smooth_l1_loss(found[noisy], truth[noisy], beta=LOSS_BETA) / LOSS_BETA
    return nn.functional.cross_entropy(out[:, :4], kinds) + 2 * 2 * error
