"""A model on the paper's nine noise settings and on clean pictures, through the deployed path.

Protocol noise@48: FER2013's 48 px pictures get the noise, clipped and rounded to 8 bits, seeded by
(seed, setting, image), so an image has the same noise whoever else is measured with it. Then comes
what runs in fervid: noise estimate, filter, crop, eta, network. "Oracle kind" puts the true noise
in the place of the estimate.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fervid.backends import Backend
from fervid.card import ModelCard
from fervid.corruptions import CORRUPTIONS, PAPER_LEVELS, Corruption
from fervid.crops import normalise, prepare_thumbnail, residual_noise
from fervid.filters import PAPER_CHOICE, FilterName, FilterSet, choose_filter, get_filter
from fervid.labels import darkness
from fervid.noise import estimate_noise
from fervid.records import F32, NOISE_KINDS, ModelOutput, Noise, NoiseKind
from train.augment import about
from train.noise_report import rms
from train.telling import Tell

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]

BATCH = 32


@dataclass(frozen=True, slots=True)
class Setting:
    """A fault and its level; `number` seeds its noise and never changes.

    `apply` is what is done to a picture where `fervid.corruptions` has no such kind.
    """

    number: int
    kind: str
    level: float
    apply: Corruption | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.kind} {self.level:g}" if self.level else self.kind


CLEAN = Setting(0, "clean", 0.0)
NOISY = tuple(
    Setting(number, kind, level)
    for number, (kind, level) in enumerate(
        ((kind, level) for kind, levels in PAPER_LEVELS.items() for level in levels), start=1
    )
)
SETTINGS = (CLEAN, *NOISY)
# Not among the paper's; without dark pictures the temperature's t2 would be a guess.
DARK = Setting(10, "darken", 0.25)


@dataclass(frozen=True, slots=True)
class Plan:
    """How pictures reach the network.

    Attributes:
        card: the model's card.
        seed: of the noise.
        choice: noise kind -> filter.
        filter_set: where the filters are from.
        oracle: the true kind and level instead of the estimate.
    """

    card: ModelCard
    seed: int = 0
    choice: Mapping[str, FilterName] = field(default_factory=lambda: PAPER_CHOICE)
    filter_set: FilterSet = "tuned"
    oracle: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """N pictures as the network gets them.

    crops uint8 (N, S, S), eta float32 (N,), kinds: N noise kinds as taken by the path; about
    float32 (N, 6): what the path knows of each picture, `augment.about`; empty where nobody asks.
    """

    crops: U8
    eta: F32
    kinds: tuple[str, ...]
    about: F32 = field(default_factory=lambda: np.zeros((0, 6), np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a model made of N pictures under one setting.

    logits float32 (N, K); cams float32 (N, 4, h, w) for the class predicted on the clean picture;
    eta, darkness float32 (N,); kinds: N noise kinds as taken by the path.
    """

    setting: Setting
    logits: F32
    cams: F32
    eta: F32
    darkness: F32
    kinds: tuple[str, ...]

    @property
    def predicted(self) -> I64:
        """The most probable class, int64 (N,)."""
        return np.asarray(self.logits.argmax(1), np.int64)


def corrupt(image: U8, setting: Setting, seed: int, *place: int) -> U8:
    """The picture under a setting; the noise is drawn from (seed, setting.number, *place)."""
    if setting.kind == "clean":
        return image
    rng = np.random.default_rng((seed, setting.number, *place))
    apply = setting.apply or CORRUPTIONS[setting.kind]
    return apply(image, setting.level, rng)


def true_noise(clean: U8, noisy: U8, setting: Setting) -> Noise:
    """What a perfect estimator would say: the setting's kind and level, the realised severity."""
    kind: NoiseKind = next((kind for kind in NOISE_KINDS if kind == setting.kind), "clean")
    if kind == "clean":
        return Noise.clean()
    levels = np.zeros(3, np.float32)
    level = np.sqrt(setting.level) if kind == "speckle" else setting.level
    levels[NOISE_KINDS.index(kind) - 1] = level
    return Noise(kind, levels, rms(noisy, clean), np.zeros(3, np.float32))


def prepare(images: U8, indices: I64, setting: Setting, plan: Plan) -> Prepared:
    """Corrupt pictures and bring them to the network's input as fervid does.

    Args:
        images: uint8 (M, 48, 48), a whole split.
        indices: int64 (N,), which of them.
        setting: what is done to them.
        plan: how.
    """
    noisy = [corrupt(images[i], setting, plan.seed, int(i)) for i in indices]
    if not plan.oracle:
        return prepare_pictures(noisy, plan)
    pairs = zip(indices, noisy, strict=True)
    return prepare_pictures(noisy, plan, [true_noise(images[i], x, setting) for i, x in pairs])


def prepare_pictures(
    pictures: Sequence[U8], plan: Plan, truth: Sequence[Noise] | None = None
) -> Prepared:
    """Bring grey faces that are framed already, uint8 (n, n), to the network as fervid does.

    Args:
        pictures: N of them, as they come from the camera; they may differ in size.
        plan: how.
        truth: the noise of each; None estimates it.
    """
    card, crops, etas, kinds, facts = plan.card, [], [], [], []
    noises = map(estimate_noise, pictures) if truth is None else truth
    for picture, noise in zip(pictures, noises, strict=True):
        name = choose_filter(noise, plan.choice)
        filter_fn = get_filter(name, plan.filter_set)
        crops.append(prepare_thumbnail(picture, card, filter_fn, noise.severity))
        face_px = len(picture) / card.crop_scale  # the picture is the crop region already
        etas.append(residual_noise(noise, name, face_px, card, plan.filter_set, luma_gain=1.0))
        kinds.append(noise.kind)
        facts.append(about(noise))
    eta = np.minimum(np.array(etas, np.float32), np.float32(card.eta_max))
    return Prepared(np.stack(crops), eta, tuple(kinds), np.array(facts, np.float32))


def run_model(backend: Backend, prepared: Prepared, target: I64, tell: Tell) -> ModelOutput:
    """Run prepared pictures through a backend, batch by batch; target int64 (N,)."""
    parts = []
    for part in batches(len(target)):
        images = normalise(prepared.crops[part], backend.card)
        parts.append(backend.run(images, prepared.eta[part], target[part]))
        tell("", part.stop - part.start)
    logits, maps, cams = (
        np.concatenate([getattr(p, name) for p in parts]) for name in ("logits", "maps", "cams")
    )
    return ModelOutput(logits, maps, cams)


def batches(n: int) -> Iterator[slice]:
    """Slices of at most BATCH of n pictures."""
    for start in range(0, n, BATCH):
        yield slice(start, min(n, start + BATCH))


def measure(
    backend: Backend,
    images: U8,
    indices: I64,
    plan: Plan,
    tell: Tell,
    settings: tuple[Setting, ...] = SETTINGS,
) -> list[Outcome]:
    """Run a model over settings; the first one must be clean: its predictions are explained.

    Args:
        backend: the model.
        images: uint8 (M, 48, 48), a whole split.
        indices: int64 (N,), which of them.
        plan: how they reach the network.
        tell: is told of progress.
        settings: what is done to them.

    Raises:
        ValueError: the first setting is not the clean one.
    """
    if settings[0] != CLEAN:
        raise ValueError(f"settings: expected clean first, got {settings[0].name}")
    outcomes: list[Outcome] = []
    for setting in settings:
        tell(("oracle, " if plan.oracle else "") + setting.name, 0)
        prepared = prepare(images, indices, setting, plan)
        target = outcomes[0].predicted if outcomes else np.full(len(indices), -1, np.int64)
        output = run_model(backend, prepared, target, tell)
        dark = darkness(prepared.crops)
        outcomes.append(
            Outcome(setting, output.logits, output.cams, prepared.eta, dark, prepared.kinds)
        )
    return outcomes
