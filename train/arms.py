"""The arms of the ablation: what is trained, and what a trained network is measured with."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from train.recipe import Recipe, load_recipe

SEEDS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Training:
    """One network to train: changes to recipe `ablation`, and for how many seeds.

    Attributes:
        noise: train on the paper's noises in half of the pictures.
        filtered: train on what the filters leave of them, always.
        norm: see train/norms.py.
        seeds: of SEEDS, how many are trained.
    """

    noise: bool = True
    filtered: bool = False
    norm: Literal["plain", "window", "vector", "levels"] = "plain"
    seeds: int = 1

    def recipe(self, name: str, seed: int) -> Recipe:
        """What `fit` trains."""
        base = load_recipe("ablation")
        changes: dict[str, Any] = {} if self.noise else {"noise": 0.0}
        augment = dataclasses.replace(base.augment, filtered=float(self.filtered), **changes)
        stages = tuple(
            dataclasses.replace(stage, norm=self.norm, adaptive=self.norm != "plain")
            for stage in base.stages
        )
        return dataclasses.replace(
            base, name=f"ablation-{name}-{seed}", seed=seed, stages=stages, augment=augment
        )


# In the order in which they are trained: what the text leans on first.
TRAININGS: Mapping[str, Training] = {
    "clean": Training(noise=False, seeds=3),
    "noise": Training(seeds=3),
    "noise-filters": Training(filtered=True, seeds=3),
    "noise-filters-window": Training(filtered=True, norm="window", seeds=3),
    "noise-window": Training(norm="window"),
    "noise-filters-vector": Training(filtered=True, norm="vector"),
    "noise-filters-levels": Training(filtered=True, norm="levels"),
}


@dataclass(frozen=True, slots=True)
class Arm:
    """A trained network and how it is used.

    Attributes:
        title: for tables.
        training: of TRAININGS.
        filters: filter by the kind of noise.
        statistics: the network's own, a blend with the picture's by w(eta), or those of the last
            `crops` face crops.
        crops: N of "batch".
    """

    title: str
    training: str
    filters: bool = False
    statistics: Literal["own", "blend", "batch"] = "own"
    crops: int = field(default=64)


ARMS: Sequence[Arm] = (
    Arm("clean-trained (baseline)", "clean"),
    Arm("+ filters", "clean", filters=True),
    Arm("+ blend w(eta)", "clean", statistics="blend"),
    Arm("+ filters + blend", "clean", filters=True, statistics="blend"),
    Arm("+ statistics of the last 16 crops", "clean", statistics="batch", crops=16),
    Arm("+ statistics of the last 64 crops", "clean", statistics="batch"),
    Arm("+ filters + statistics of 64 crops", "clean", filters=True, statistics="batch"),
    Arm("noise-trained", "noise"),
    Arm("noise-trained + statistics of 64 crops", "noise", statistics="batch"),
    Arm("noise-trained + filters", "noise-filters", filters=True),
    Arm("noise-trained + learned gates", "noise-window"),
    Arm("noise-trained + filters + learned gates", "noise-filters-window", filters=True),
    Arm("attempt 2: + filters + conditions", "noise-filters-vector", filters=True),
    Arm("attempt 3: + filters + levels", "noise-filters-levels", filters=True),
)
# What the text leans on: the second of each pair against the first.
COMPARED: Sequence[tuple[str, str]] = (
    ("clean-trained (baseline)", "+ filters"),
    ("clean-trained (baseline)", "+ blend w(eta)"),
    ("clean-trained (baseline)", "+ statistics of the last 64 crops"),
    ("+ filters", "+ filters + blend"),
    ("clean-trained (baseline)", "noise-trained"),
    ("noise-trained", "noise-trained + filters"),
    ("noise-trained", "noise-trained + learned gates"),
    ("noise-trained + filters", "noise-trained + filters + learned gates"),
    ("noise-trained + filters", "attempt 2: + filters + conditions"),
    ("noise-trained + filters", "attempt 3: + filters + levels"),
    ("clean-trained (baseline)", "noise-trained + filters + learned gates"),
)
