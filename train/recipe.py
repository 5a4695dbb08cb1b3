"""Recipes: a TOML file that says everything about a training run, checked before it starts."""

import dataclasses
import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from fervid.errors import ConfigError
from fervid.network import RESNET50_BLOCKS
from train.augment import AugmentConfig
from train.data import CLASSES
from train.ranges import fault

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the run with one network shape and input size.

    Attributes:
        passes: passes over the training images; fractions allowed.
        px: side of the input.
        blocks: blocks per layer, of a `SlimNet` too; a later stage may only add blocks.
        last_stride: stride of layer4.
        last_dilation: dilation of layer4's later blocks.
        adaptive: the norms see eta; without, they are plain batch norms, which is faster.
        slim: train a `SlimNet`, which the next stage embeds.
        width: of a `SlimNet`, as a share of the ResNet-50's; only 1 can be embedded.
        norm: of a `SlimNet`; plain ones and the window's can be embedded, all can be ablated.
        teacher: "average", the run's own moving average; "fixed", the network that the first stage
            with a fixed teacher started from; "both", whose answers are the fixed one's and whose
            maps the average's.
        lr, dropout, mixup, distil_maps, augment: this stage's own instead of the recipe's; in a
            recipe file [stage.augment] names only what differs from [augment].
    """

    passes: float
    px: int
    blocks: tuple[int, ...] = RESNET50_BLOCKS
    last_stride: int = 1
    last_dilation: int = 1
    adaptive: bool = True
    slim: bool = False
    width: float = 1.0
    norm: Literal["plain", "window", "vector", "levels"] = "plain"
    teacher: Literal["average", "fixed", "both"] = "average"
    lr: float | None = None
    dropout: float | None = None
    mixup: float | None = None
    distil_maps: float | None = None
    augment: AugmentConfig | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the result of `python -m train fit`.

    Attributes:
        name: of the model, and of the run's folder.
        stages: one after the other, each with its own warm-up and curve of the learning rate.
        stem: see `ExpressionNet`.
        seed: of the weights, the order and every augmentation.
        batch: images per step and process.
        optimizer: "sgd" (Nesterov, momentum .9), "adam" or "adamw".
        lr: the highest learning rate.
        head_lr: the head's rate as a share of it. Its 2,048 inputs share a large mean, which makes
            the loss steep: with 1 at lr .03 the loss rose (docs/decisions.md).
        weight_decay: not applied to norms and biases.
        warmup: share of a stage in which the rate rises to `lr`.
        schedule: "cosine" or "constant" after the warm-up.
        label_smoothing: of the cross-entropy.
        ema: decay of the weights' moving average per step.
        clip: largest norm of the gradient; 0 does not clip.
        distil: weight of the teacher's answer to the picture without noise, against the label's,
            for pictures with noise or faults (train/distil.py).
        distil_clean: the same for the other pictures.
        distil_maps: weight, beside `distil`, of the teacher's class maps.
        dropout: share of the channels before a slim network's head that are dropped.
        mixup: alpha of mixup (train/mixing.py); 0 leaves pictures alone.
        eta_jitter: standard deviation of ln(eta); one eta in ten is also set to 0.
        precision: "auto" takes bfloat16 where the hardware has it.
        pretrained: starts from weights that `--weights FILE` must name: torchvision's, or, where
            the first stage is slim, a model of fervid's that grew from such a network.
        classes: names of the outputs; they come from the data, not from a recipe's file.
    """

    name: str
    stages: tuple[Stage, ...]
    stem: Literal["torchvision", "small"] = "small"
    seed: int = 0
    batch: int = 64
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = 0.05
    head_lr: float = 0.1
    weight_decay: float = 5e-4
    warmup: float = 0.05
    schedule: Literal["cosine", "constant"] = "cosine"
    label_smoothing: float = 0.05
    ema: float = 0.998
    clip: float = 5.0
    distil: float = 0.0
    distil_clean: float = 0.0
    distil_maps: float = 0.0
    dropout: float = 0.0
    mixup: float = 0.0
    eta_jitter: float = 0.15
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    pretrained: bool = False
    mean: float = 0.5077
    std: float = 0.2551
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    classes: tuple[str, ...] = field(default=CLASSES, repr=False)

    def at(self, stage: int) -> "Recipe":
        """The recipe as it applies in one of its stages."""
        own = self.stages[stage]
        names = ("lr", "dropout", "mixup", "distil_maps", "augment")
        values = {name: getattr(own, name) for name in names if getattr(own, name) is not None}
        return dataclasses.replace(self, **values)

    def to_text(self) -> str:
        """One line for the model card."""
        return repr(self)


def load_recipe(name: str) -> Recipe:
    """Read a recipe by file name or by the name of one in train/recipes.

    Raises:
        ConfigError: there is no such file, or a key in it is unknown, or its value impossible.
    """
    path = Path(name) if Path(name).is_file() else RECIPES / Path(name).with_suffix(".toml").name
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise ConfigError(f"There is no recipe {name}; known recipes are {known}.", "recipe")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.", "recipe") from error
    parts, augment = table.pop("stage", []), table.pop("augment", {})
    if not (isinstance(parts, list) and parts and all(isinstance(part, dict) for part in parts)):
        raise ConfigError(f"{path} has no [[stage]].", "stage")
    if not isinstance(augment, dict):
        raise ConfigError(f"{path}: augment must be a table, [augment].", "augment")
    stages = tuple(_stage(part, augment, path) for part in parts)
    augment = _build(AugmentConfig, augment, path)
    recipe: Recipe = _build(Recipe, {**table, "stages": stages, "augment": augment}, path)
    return recipe


def _stage(part: dict[str, Any], augment: Mapping[str, Any], path: Path) -> Stage:
    own = part.pop("augment", None)
    if own is not None and not isinstance(own, dict):
        raise ConfigError(f"{path}: augment must be a table, [stage.augment].", "augment")
    config = None if own is None else _build(AugmentConfig, {**augment, **own}, path)
    stage: Stage = _build(Stage, {**part, "augment": config}, path)
    return stage


def _build(kind: type, table: Mapping[str, Any], path: Path) -> Any:
    names = [f.name for f in dataclasses.fields(kind) if f.repr]
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(names)}."
            raise ConfigError(f"{path} has an unknown key {key}{hint}", key)
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    for key, value in values.items():
        wrong = fault(kind, key, value)
        if wrong:
            raise ConfigError(f"{path}: {key} {wrong}, not {value!r}.", key)
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{path} is incomplete: {error}.") from error
