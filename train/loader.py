"""Batches of augmented FER2013 pictures, the same at every start of the same run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from train.augment import AugmentConfig, View, augment
from train.data import Split
from train.recipe import Recipe

Key = tuple[int, int]  # (pass, image)


class Batch(NamedTuple):
    """B pictures as seen and without noise and faults, uint8 (B, px, px), and what goes with them.

    labels int64 (B,); conditions float32 (B, 7): eta, then `augment.about`.
    """

    pictures: Tensor
    clean: Tensor
    conditions: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Pictures(Dataset[tuple[View, int]]):
    """Augmented pictures and their labels by (pass, image)."""

    split: Split
    px: int
    config: AugmentConfig
    seed: int

    def __getitem__(self, key: Key) -> tuple[View, int]:
        number, index = key
        rng = np.random.default_rng((self.seed, number, index))
        view = augment(self.split[0][index], self.px, self.config, rng)
        return view, int(self.split[1][index])

    def __len__(self) -> int:
        return len(self.split[1])


def order(n: int, number: int, seed: int) -> np.ndarray:
    """The order of the images in one pass, int64 (n,)."""
    return np.random.default_rng((seed, number, n)).permutation(n)


def batch_keys(
    n: int, batch: int, seed: int, steps: range, share: tuple[int, int] = (0, 1)
) -> Iterator[list[Key]]:
    """The keys of the batches of these global steps.

    Args:
        n: images per pass.
        batch: images per step and process.
        seed: of the run.
        steps: which steps; step s takes the images s B .. (s + 1) B of the endless sequence of
            passes, where B counts all processes.
        share: (rank, processes).
    """
    rank, processes = share
    passes: dict[int, np.ndarray] = {}
    for step in steps:
        first = (step * processes + rank) * batch
        keys = []
        for position in range(first, first + batch):
            number, place = divmod(position, n)
            if number not in passes:
                passes = {number: order(n, number, seed)} | {
                    k: v for k, v in passes.items() if k == number - 1
                }
            keys.append((number, int(passes[number][place])))
        yield keys


def _collate(rows: Sequence[tuple[View, int]]) -> Batch:
    return Batch(
        torch.from_numpy(np.stack([view.seen for view, _ in rows])),
        torch.from_numpy(np.stack([view.clean for view, _ in rows])),
        torch.tensor([(view.eta, *view.about) for view, _ in rows], dtype=torch.float32),
        torch.tensor([label for _, label in rows]),
    )


def _quiet_worker(_: int) -> None:
    cv2.setNumThreads(0)


def loader(
    pictures: Pictures, batch: int, steps: range, share: tuple[int, int], workers: int = 1
) -> DataLoader[Batch]:
    """Batches for these global steps."""
    keys = list(batch_keys(len(pictures), batch, pictures.seed, steps, share))
    return DataLoader(
        pictures,  # type: ignore[arg-type]  # one row; _collate makes the batch
        batch_sampler=keys,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_quiet_worker,
        prefetch_factor=4 if workers else None,
    )


def as_input(pictures: Tensor, recipe: Recipe) -> Tensor:
    """(B, px, px), 0-255 -> float32 (B, 3, px, px), normalised, channels last."""
    x = (pictures.float() / 255 - recipe.mean) / recipe.std
    x = x[:, None].expand(-1, 3, -1, -1)
    return x.contiguous(memory_format=torch.channels_last)
