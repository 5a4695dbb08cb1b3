"""`python -m train ablate`: which part does the work, on a small budget.

Trains the networks of `train/arms.py` one after the other, measures each with every arm that uses
it, and keeps what was measured in docs/results/ablation.json, so that a later call goes on. All
arms share images, noise draws and the path of the run time; DC and SNR are those of layer4.
"""

import copy
import dataclasses
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fervid.card import ModelCard
from fervid.filters import PAPER_CHOICE, FilterName
from fervid.records import F32
from train.arms import ARMS, SEEDS, TRAININGS, Arm
from train.data import CLASSES, Split
from train.fit import Session, fit, precision
from train.metrics import drift, pack, rounded, snr_db
from train.norms import BlendNorm2d
from train.recipe import Recipe, load_recipe
from train.robustness import SETTINGS, Plan, Prepared, prepare
from train.slim import SlimNet
from train.state import averaged

log = logging.getLogger(__name__)

STRENGTHS = (0.1, 0.2, 0.3, 0.5, 0.8)  # of the blend; PublicTest chooses
NONE: Mapping[str, FilterName] = dict.fromkeys(PAPER_CHOICE, "none")
BATCH = 64
SOME = slice(None, None, 4)  # every fourth picture: for DC and SNR, which take longest
FAST = precision(load_recipe("ablation")) == "bf16"  # measured as it was trained, in half the time


@dataclass
class Measured:
    """A split whose pictures are prepared once for all arms."""

    name: str
    split: Split
    card: ModelCard
    kept: dict[tuple[str, bool, bool], Prepared] = field(default_factory=dict)

    def prepared(self, number: int, filters: bool, oracle: bool) -> Prepared:
        """The pictures under one of SETTINGS, filtered by kind or not at all."""
        key = (SETTINGS[number].name, filters, oracle)
        if key not in self.kept:
            plan = Plan(self.card, 0, PAPER_CHOICE if filters else NONE, "tuned", oracle)
            indices = np.arange(len(self.split[1]))
            self.kept[key] = prepare(self.split[0], indices, SETTINGS[number], plan)
        return self.kept[key]


@dataclass(frozen=True)
class Network:
    """A trained slim network with an arm's statistics."""

    net: SlimNet
    arm: Arm
    strength: float = 0.0

    @cached_property
    def module(self) -> SlimNet:
        """Ready to run."""
        if self.arm.statistics == "own":
            return self.net.eval()
        net = copy.deepcopy(self.net).eval()
        if self.arm.statistics == "blend":
            return blended(net, self.strength)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train()
                module.momentum = 0.0
        return net

    @torch.no_grad()
    def run(self, seen: Prepared, card: ModelCard) -> tuple[F32, F32, F32]:
        """Logits (N, K), class maps (N, K, h, w) and layer4 (N, C, h, w) of all pictures."""
        conditions = torch.from_numpy(np.column_stack([seen.eta, seen.about]).astype(np.float32))
        if self.net.norm == "plain" and self.arm.statistics != "blend":
            conditions = conditions[:, 0]
        size = self.arm.crops if self.arm.statistics == "batch" else BATCH
        features: list[Tensor] = []
        hook = self.module.head.register_forward_pre_hook(lambda _, x: features.append(x[0]))
        parts = []
        for start in range(0, len(seen.crops), size):
            part = slice(start, start + size)
            x = (torch.from_numpy(seen.crops[part]).float() / 255 - card.mean) / card.std
            x = x[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=FAST):
                parts.append(self.module(x, conditions[part]))
        hook.remove()
        logits, maps = (torch.cat(column).float().numpy() for column in zip(*parts, strict=True))
        return logits, maps, torch.cat(features).float().numpy()


def blended(net: SlimNet, strength: float) -> SlimNet:
    """The same network with blending norms in the places of the adaptive ones."""
    blocks = [net.stem, *(layer[0] for layer in net.layers[:3])]  # type: ignore[index]
    for block in blocks:
        norm = BlendNorm2d(block.norm.num_features)
        norm.load_state_dict(block.norm.state_dict())
        norm.strength = strength
        block.norm = norm.eval()
    return net


def measure_arm(network: Network, on: Measured) -> dict[str, Any]:
    """Accuracy, DC and SNR of layer4 in every setting, and the accuracy with the true kind."""
    labels, filters = on.split[1], network.arm.filters
    rows = []
    for number, setting in enumerate(SETTINGS):
        logits, *rest = network.run(on.prepared(number, filters, False), on.card)
        maps, features = (part[SOME] for part in rest)
        if not number:
            said = logits.argmax(1)[SOME]
            at = np.arange(len(said))
            clean, signal = np.maximum(maps[at, said], 0), features
        right = logits.argmax(1) == labels
        row = {"name": setting.name, "accuracy": float(right.mean()), "right": pack(right)}
        if number:
            ssim, cosine = drift(clean, np.maximum(maps[at, said], 0))
            truth, *_ = network.run(on.prepared(number, filters, True), on.card)
            row |= {
                "dc": float(ssim.mean()),
                "dc_cosine": float(cosine.mean()),
                "snr": float(snr_db(signal, features).mean()),
                "snr_centred": float(snr_db(signal, features, centred=True).mean()),
                "oracle": float((truth.argmax(1) == labels).mean()),
            }
        rows.append(row)
    return {"settings": rows, "noisy_mean": float(np.mean([r["accuracy"] for r in rows[1:]]))}


def choose_strength(net: SlimNet, arm: Arm, on: Measured) -> float:
    """The blend's strength with the best mean accuracy over the nine settings."""
    labels, best = on.split[1], (-1.0, 0.0)
    for strength in STRENGTHS:
        network = Network(net, arm, strength)
        runs = (network.run(on.prepared(n, arm.filters, False), on.card)[0] for n in range(1, 10))
        mean = float(np.mean([(logits.argmax(1) == labels).mean() for logits in runs]))
        best = max(best, (mean, strength))
    return best[1]


def ablate(
    data: Mapping[str, Split],
    runs: Path,
    out: Path,
    minutes: float,
    seeds: Sequence[int] = SEEDS,
) -> bool:
    """Train and measure what is missing in ablation.json, until the time is over.

    Args:
        data: as `load_fer2013` returns it.
        runs: folder of the resume files.
        out: folder of the results.
        minutes: no training is begun or goes on after this time.
        seeds: only networks of these; several processes, each with its own, may share `out`.

    Returns:
        Whether everything is measured.
    """
    began, file = time.monotonic(), out / "ablation.json"
    splits: list[Measured] = []
    for name, seed in order(seeds):
        recipe = TRAININGS[name].recipe(name, seed)
        key = f"{name}-{seed}"
        if _known(file).get(key, {}).get("recipe") == recipe.to_text():
            continue
        left = minutes - (time.monotonic() - began) / 60
        session = Session(runs / recipe.name, left, 600, 1, time.monotonic, every_pass=False)
        if left <= 0:
            return False
        started = time.monotonic()
        state, done = fit(recipe, data, session)
        if not done:
            return False
        splits = splits or [Measured(n, data[n], card(recipe)) for n in ("public", "private")]
        net = averaged(state.ema)
        assert isinstance(net, SlimNet)
        found = {
            "recipe": recipe.to_text(),
            "minutes": (time.monotonic() - started) / 60,
            "history": state.history,
            "arms": measure_all(net, name, splits, seed),
        }
        out.mkdir(parents=True, exist_ok=True)
        known = _known(file) | {key: rounded(found)}  # read again: another process may write it too
        part = file.with_suffix(f".{seed}.part")  # renamed: nobody reads half of a file
        part.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        part.replace(file)
    return True


def _known(file: Path) -> dict[str, Any]:
    """What is measured already, by training and seed."""
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def measure_all(
    net: SlimNet, training: str, splits: Sequence[Measured], seed: int
) -> dict[str, Any]:
    """Every arm that uses a training, on both splits; of further seeds only the first one."""
    found: dict[str, Any] = {}
    arms = [arm for arm in ARMS if arm.training == training]
    for arm in arms if seed == SEEDS[0] else arms[:1]:
        strength = choose_strength(net, arm, splits[0]) if arm.statistics == "blend" else 0.0
        network = Network(net, arm, strength)
        log.info("measuring: %s", arm.title)
        figures: dict[str, Any] = {on.name: measure_arm(network, on) for on in splits}
        found[arm.title] = figures | ({"strength": strength} if strength else {})
    return found


def order(seeds: Sequence[int]) -> list[tuple[str, int]]:
    """Trainings and seeds: every training once, then those of the further seeds."""
    pairs = [(name, seed) for seed in seeds for name in TRAININGS]
    return [(name, seed) for name, seed in pairs if seed <= TRAININGS[name].seeds]


def card(recipe: Recipe) -> ModelCard:
    """What the path must know of an arm's network."""
    empty = ModelCard(name=recipe.name, classes=CLASSES, input_px=recipe.stages[0].px)
    return dataclasses.replace(empty, mean=recipe.mean, std=recipe.std)
