"""Labelled pictures as the deployed network sees them, for calibration and parity."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fervid import corruptions
from fervid.card import ModelCard
from fervid.crops import normalise, prepare_thumbnail
from fervid.errors import ConfigError
from fervid.filters import filter_table, get_filter
from train.data import Split, check_classes, load_data

MANY = 512  # calibration pictures, where there are so many

Batch = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def calibration(data: Path, card: ModelCard, n: int | None = None, seed: int = 0) -> Batch:
    """N training pictures, half of them noisy at the paper's levels and filtered; None: MANY."""
    images, labels = _split(data, card, "train")
    n = min(MANY, len(labels)) if n is None else n
    if not 1 <= n <= len(labels):
        raise ConfigError(f"--images must be from 1 to {len(labels)}, not {n}.", "images")
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(labels), n, replace=False)
    seen, etas = [], []
    for position, index in enumerate(chosen):
        if position % 2:
            picture, eta = _noisy(images[index], card, rng)
        else:
            picture, eta = prepare_thumbnail(images[index], card, get_filter("none"), 0), 0.0
        seen.append(picture)
        etas.append(eta)
    return normalise(np.stack(seen), card), np.array(etas, np.float32), labels[chosen]


def validation(data: Path, card: ModelCard, limit: int | None = None) -> Batch:
    """What was held out (PublicTest), clean; all of it or the first `limit` images."""
    images, labels = _public(data, card, limit)
    seen = [prepare_thumbnail(image, card, get_filter("none"), 0) for image in images]
    return normalise(np.stack(seen), card), np.zeros(len(labels), np.float32), labels


def noisy_validation(data: Path, card: ModelCard, limit: int | None = None, seed: int = 0) -> Batch:
    """The same pictures, each under one of the paper's nine settings, filtered; eta above 0."""
    images, labels = _public(data, card, limit)
    rng = np.random.default_rng(seed)
    seen, etas = zip(*(_noisy(image, card, rng) for image in images), strict=True)
    return normalise(np.stack(seen), card), np.array(etas, np.float32), labels


def _split(data: Path, card: ModelCard, name: str) -> Split:
    """A split of the data, which must have the model's classes.

    Raises:
        DataError: they have others, or cannot be read.
    """
    found = load_data(data)
    check_classes(found, card)
    return found.splits[name]


def _public(data: Path, card: ModelCard, limit: int | None) -> Split:
    if limit is not None and limit < 1:
        raise ConfigError(f"--limit must be at least 1, not {limit}.", "limit")
    images, labels = _split(data, card, "public")
    return images[:limit], labels[:limit]


def _noisy(
    image: NDArray[np.uint8], card: ModelCard, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], float]:
    kinds = list(corruptions.PAPER_LEVELS)
    kind = kinds[rng.integers(len(kinds))]
    level = corruptions.PAPER_LEVELS[kind][rng.integers(3)]
    dirty = corruptions.CORRUPTIONS[kind](image, level, rng)
    rms = float(np.sqrt(np.mean((dirty.astype(np.float32) - image) ** 2))) / 255
    name = filter_table(card.filters)[kind]
    filter_fn = get_filter(name)
    clean, dirty = (prepare_thumbnail(x, card, filter_fn, rms) for x in (image, dirty))
    eta = float(np.sqrt(np.mean((dirty.astype(np.float32) - clean) ** 2))) / 255
    return dirty, min(eta, card.eta_max)
