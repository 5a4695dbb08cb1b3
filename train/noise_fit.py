"""Fit of the noise estimator's 1,976 numbers on FER2013; `python -m train noise` runs it.

Training pictures get noise of known kind and level and are described by the runtime's own
statistics, so what is fitted is what runs. Takes a few minutes of one core.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import fervid
from fervid.corruptions import CORRUPTIONS, defocus, jpeg
from fervid.noise import HIDDEN, N_OUTPUTS, NoiseWeights
from fervid.noise_features import N_FEATURES, measure
from fervid.noise_sample import sample_plane
from fervid.records import NOISE_KINDS
from train.data import load_fer2013
from train.noise_report import evaluate, rms, write_report

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

WEIGHTS = Path(fervid.__file__).parent / "models" / "noise.npz"
RESULTS = Path(__file__).parents[1] / "docs" / "results"
FIT_STREAM = 1000  # away from the streams of the evaluation

RANGES = {"gaussian": (0.04, 0.65), "salt_pepper": (0.008, 0.18), "speckle": (0.015, 0.18)}
CLEAN_SHARE = 0.3
# Share of the pictures, share of them augmented, random size: three passes and a half.
PASSES = ((1.0, 0.25, False), (1.0, 0.25, False), (1.0, 1.0, False), (0.5, 0.25, True))
SIZES = (40, 300)
BARS_SHARE = 0.3
EPOCHS, BATCH, RATE, DECAY = 100, 1024, 1e-2, 1e-4

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """M described pictures: features (M, 32), kinds int64 (M,), ln level and ln severity (M,)."""

    features: F32
    kinds: NDArray[np.int64]
    levels: F32
    severities: F32


def main_noise(data: Path, out: Path = WEIGHTS, results: Path = RESULTS, seed: int = 0) -> None:
    """Fit the noise estimator, evaluate it and write both down.

    Args:
        data: FER2013, as `load_fer2013` takes it.
        out: the weights' file, npz.
        results: the folder of noise.json and noise.md.
        seed: of the fit and of the noise.

    Raises:
        DataError: FER2013 cannot be read.
    """
    write_report(fit_noise(data, out, seed), results)


def fit_noise(data: Path, out: Path, seed: int) -> dict[str, Any]:
    """Fit on Training, write the weights, and evaluate on PublicTest and PrivateTest.

    Args:
        data: FER2013, as `load_fer2013` takes it.
        out: the weights' file, npz; its folder is made if missing.
        seed: of the fit and of the noise.

    Returns:
        Figures for JSON: "seed", "images", "samples", and `evaluate`'s under "public", "private".

    Raises:
        DataError: FER2013 cannot be read.
    """
    splits = load_fer2013(data)
    tests = {name: splits[name][0] for name in ("public", "private")}
    images = distinct(splits["train"][0], tuple(tests.values()))
    samples = draw_samples(images, np.random.default_rng([seed, FIT_STREAM]))
    weights = fit_network(samples, seed)
    figures: dict[str, Any] = {"seed": seed, "images": len(images), "samples": len(samples.kinds)}
    save_weights(weights, figures, out)
    return figures | {name: evaluate(test, weights, seed) for name, test in tests.items()}


def save_weights(weights: NoiseWeights, facts: Mapping[str, Any], out: Path) -> None:
    """Write the npz file that `fervid.noise.load_weights` reads; the same input, the same bytes.

    Args:
        weights: the fitted numbers.
        facts: put into its metadata, a JSON string.
        out: its folder is made if missing.
    """
    metadata = {
        "what": "fervid noise estimator, 32-48-8: kind, ln sigma, ln variance, ln severity",
        "data": "FER2013 Training without exact repeats and without pictures of the test splits",
        "license": "LicenseRef-FER2013-weights",
        "made_by": "python -m train noise",
        **facts,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f.name: getattr(weights, f.name) for f in fields(weights)}
    np.savez(out, metadata=np.array(json.dumps(metadata)), **arrays)


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
        order = torch.randperm(len(x), generator=generator)
        for start in range(0, len(x), BATCH):
            batch = order[start : start + BATCH]
            optimizer.zero_grad()
            loss = _loss(net(x[batch]), kinds[batch], truth[batch])
            torch.autograd.backward(loss)
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
    error = nn.functional.smooth_l1_loss(found[noisy], truth[noisy])
    return nn.functional.cross_entropy(out[:, :4], kinds) + 2 * 2 * error
