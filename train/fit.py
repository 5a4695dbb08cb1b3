"""The training loop: stages under one learning-rate curve, stopped and resumed at any moment."""

import contextlib
import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter

from fervid.errors import DataError
from fervid.network import ExpressionNet, load_torchvision
from train.data import CLASSES, Split
from train.loader import Pictures, loader
from train.progress import Progress
from train.recipe import Recipe, Stage
from train.slim import SlimNet, embed
from train.validate import validate

Network = ExpressionNet | SlimNet
log = logging.getLogger(__name__)


@dataclass
class State:
    """What a run remembers, and what its resume file holds."""

    net: Network
    ema: AveragedModel
    optimizer: torch.optim.Optimizer
    stage: int = 0
    step: int = 0  # global, all stages
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Session:
    """The circumstances of one sitting of a run, which do not change its result."""

    run_dir: Path
    minutes: float
    checkpoint_s: float
    workers: int
    clock: Callable[[], float]
    max_steps: int | None = None


def build(recipe: Recipe, stage: Stage) -> Network:
    """A network for one stage, with the weights that the recipe's seed gives."""
    torch.manual_seed(recipe.seed)
    if stage.slim:
        slim = SlimNet(
            len(CLASSES), last_stride=stage.last_stride, mean=recipe.mean, std=recipe.std
        )
        return slim.to(memory_format=torch.channels_last)
    net = ExpressionNet(
        len(CLASSES),
        stem=recipe.stem,
        last_stride=stage.last_stride,
        last_dilation=stage.last_dilation,
        blocks=stage.blocks,
        mean=recipe.mean,
        std=recipe.std,
    )
    return net.to(memory_format=torch.channels_last)


def grow(recipe: Recipe, stage: Stage, old: Network, images: Tensor) -> Network:
    """The network of the next stage: what the old one computes, and room for more.

    Args:
        recipe: the recipe.
        stage: the next stage.
        old: the network of the stage before.
        images: (N, 3, S, S), training pictures, to measure statistics.
    """
    net = build(recipe, stage)
    if isinstance(old, SlimNet) and isinstance(net, ExpressionNet):
        embed(old, net, images)
        return net
    result = net.load_state_dict(old.state_dict(), strict=False)
    if result.unexpected_keys:
        raise DataError("A later stage of the recipe has fewer blocks than an earlier one.")
    return net


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; norms, biases and eta terms are not decayed."""
    parts: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        parts.setdefault((parameter.ndim > 1, name.startswith("head.")), []).append(parameter)
    groups: list[dict[str, Any]] = [
        {
            "params": parameters,
            "weight_decay": recipe.weight_decay if decayed else 0.0,
            "scale": recipe.head_lr if head else 1.0,
        }
        for (decayed, head), parameters in parts.items()
    ]
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=recipe.lr)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.lr)
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True)


def make_ema(net: Network, recipe: Recipe) -> AveragedModel:
    """A moving average of weights and statistics."""
    average = get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
    return AveragedModel(net, multi_avg_fn=average, use_buffers=True)


def stage_steps(recipe: Recipe, n_images: int, processes: int = 1) -> list[int]:
    """Optimizer steps of each stage."""
    per_pass = n_images / (recipe.batch * processes)
    return [max(1, round(stage.passes * per_pass)) for stage in recipe.stages]


def learning_rate(recipe: Recipe, step: int, total: int) -> float:
    """Linear warm-up to `lr`, then a half cosine to 0 (or constant)."""
    rise = max(1, round(recipe.warmup * total))
    if step < rise:
        return recipe.lr * (step + 1) / rise
    if recipe.schedule == "constant":
        return recipe.lr
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


def save(state: State, path: Path) -> None:
    """Write the resume file; a kill in the middle leaves the previous one."""
    content = {
        "net": state.net.state_dict(),
        "ema": state.ema.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "stage": state.stage,
        "step": state.step,
        "history": state.history,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    torch.save(content, fresh)
    fresh.replace(path)


def start(recipe: Recipe, resume: Path, weights: Path | None) -> State:
    """The state to go on from: the resume file's, or a new one.

    Raises:
        DataError: the recipe wants pretrained weights and none are given.
    """
    if resume.is_file():
        content: dict[str, Any] = torch.load(resume, weights_only=True)
        net = build(recipe, recipe.stages[content["stage"]])
        state = State(net, make_ema(net, recipe), make_optimizer(net, recipe))
        state.net.load_state_dict(content["net"])
        state.ema.load_state_dict(content["ema"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.stage, state.step = content["stage"], content["step"]
        state.history = content["history"]
        return state
    net = build(recipe, recipe.stages[0])
    if weights is not None and isinstance(net, ExpressionNet):
        missing = load_torchvision(net, torch.load(weights, weights_only=True))
        log.info("weights from %s; new: %d tensors", weights, len(missing))
    elif recipe.pretrained:
        raise DataError(
            f"The recipe {recipe.name} starts from ImageNet weights; give --weights FILE, "
            "a torchvision ResNet-50 state dict."
        )
    return State(net, make_ema(net, recipe), make_optimizer(net, recipe))


def next_stage(state: State, recipe: Recipe, images: Tensor) -> State:
    """Grow the averaged network for the next stage; momenta and the average start anew.

    Args:
        state: at the end of a stage.
        recipe: the recipe.
        images: (N, 3, S, S), training pictures of the next stage.
    """
    stage = recipe.stages[state.stage + 1]
    net = grow(recipe, stage, averaged(state.ema), images)
    ema = make_ema(net, recipe)
    ema.n_averaged.fill_(1)
    return State(net, ema, make_optimizer(net, recipe), state.stage + 1, state.step, state.history)


def averaged(ema: AveragedModel) -> Network:
    """The network inside a moving average."""
    module = ema.module
    if not isinstance(module, ExpressionNet | SlimNet):
        raise TypeError(f"expected an ExpressionNet, got {type(module).__name__}")
    return module


def as_input(pictures: Tensor, recipe: Recipe) -> Tensor:
    """uint8 (B, px, px) -> float32 (B, 3, px, px), normalised, channels last."""
    x = (pictures.float() / 255 - recipe.mean) / recipe.std
    x = x[:, None].expand(-1, 3, -1, -1)
    return x.contiguous(memory_format=torch.channels_last)


def jitter(eta: Tensor, recipe: Recipe, step: int) -> Tensor:
    """Errors that the estimator will make: a factor, and now and then nothing found."""
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
    factor = torch.exp(torch.randn(eta.shape, generator=generator) * recipe.eta_jitter)
    kept = torch.rand(eta.shape, generator=generator) > 0.1
    return eta * factor * kept


def precision(recipe: Recipe) -> str:
    """Name for accelerate of the precision: bfloat16 only where the hardware computes it."""
    fast = torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001  no public name
    wanted = recipe.precision == "bfloat16" or (recipe.precision == "auto" and fast)
    return "bf16" if wanted else "no"


@contextlib.contextmanager
def _stop_flag() -> Iterator[list[int]]:
    """A list that becomes non-empty at SIGTERM or Ctrl-C; the handlers are put back."""
    seen: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    old = [signal.signal(n, lambda number, _: seen.append(number)) for n in numbers]
    try:
        yield seen
    finally:
        for number, handler in zip(numbers, old, strict=True):
            signal.signal(number, handler)


class Trainer:
    """One sitting of a run; `run` returns whether the run is finished."""

    def __init__(self, recipe: Recipe, data: dict[str, Split], session: Session) -> None:
        self.recipe, self.data, self.session = recipe, data, session
        self.accelerator = Accelerator(mixed_precision=precision(recipe))
        self.share = (self.accelerator.process_index, self.accelerator.num_processes)
        self.steps = stage_steps(recipe, len(data["train"][1]), self.share[1])
        self.resume = session.run_dir / "resume.pt"
        self.writer = SummaryWriter(str(session.run_dir / "tensorboard"))

    def run(self, state: State, stop: list[int]) -> tuple[State, bool]:
        """Train until the end, the time limit or a signal; the resume file is always current."""
        began = self.session.clock()
        while True:
            done = self._run_stage(state, stop, began)
            self._save(state)
            if not done or state.stage + 1 == len(self.recipe.stages):
                return state, done
            state = next_stage(state, self.recipe, self._pictures(state.stage + 1))
            self._save(state)

    def _pictures(self, stage: int) -> Tensor:
        """256 training pictures as a stage sees them, (256, 3, S, S)."""
        px = self.recipe.stages[stage].px
        pictures = Pictures(self.data["train"], px, self.recipe.augment, self.recipe.seed)
        (batch,) = loader(pictures, 256, range(1), (0, 1), 0)
        return as_input(batch[0], self.recipe)

    def _save(self, state: State) -> None:
        if self.accelerator.is_main_process:
            save(state, self.resume)

    def _run_stage(self, state: State, stop: list[int], began: float) -> bool:
        end = sum(self.steps[: state.stage + 1])
        stage = self.recipe.stages[state.stage]
        pictures = Pictures(self.data["train"], stage.px, self.recipe.augment, self.recipe.seed)
        batches = loader(
            pictures, self.recipe.batch, range(state.step, end), self.share, self.session.workers
        )
        model, optimizer = self.accelerator.prepare(state.net, state.optimizer)
        saved = self.session.clock()
        with Progress(sum(self.steps), state.step, self.session.clock) as bar:
            for batch in batches:
                loss = self._step(model, optimizer, state, batch)
                bar.advance(f"stage {state.stage + 1}, {stage.px} px", loss)
                now = self.session.clock()
                self._after(state, pictures, loss)
                if now - saved > self.session.checkpoint_s:
                    self._save(state)
                    saved = now
                if self._should_stop(state, stop, now - began):
                    return False
        return True

    def _should_stop(self, state: State, stop: list[int], elapsed_s: float) -> bool:
        limit = self.session.max_steps
        return bool(
            stop
            or elapsed_s > self.session.minutes * 60
            or (limit is not None and state.step >= limit)
        )

    def _step(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        state: State,
        batch: tuple[Tensor, Tensor, Tensor],
    ) -> float:
        pictures, eta, labels = (part.to(self.accelerator.device) for part in batch)
        stage = self.recipe.stages[state.stage]
        rate = stage.lr or learning_rate(self.recipe, state.step, sum(self.steps))
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        model.train()
        with self.accelerator.autocast():
            heard = jitter(eta, self.recipe, state.step) if stage.adaptive else None
            logits, _ = model(as_input(pictures, self.recipe), heard)
        smooth = self.recipe.label_smoothing
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=smooth)
        optimizer.zero_grad()
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        state.ema.update_parameters(state.net)
        state.step += 1
        return float(loss.detach())

    def _after(self, state: State, pictures: Pictures, loss: float) -> None:
        """Log, and validate the averaged network once a pass."""
        if not self.accelerator.is_main_process:
            return
        if state.step % 20 == 0:
            self.writer.add_scalar("loss", loss, state.step)
        per_pass = len(pictures) // (self.recipe.batch * self.share[1])
        if state.step % max(1, per_pass) and state.step != sum(self.steps):
            return
        net = averaged(state.ema)
        figures = validate(net, self.data["public"], pictures.px, self.recipe)
        state.history.append({"step": state.step, "loss": loss, **figures})
        for name, value in figures.items():
            self.writer.add_scalar(name, value, state.step)
        log.info("step %d of %d: %s", state.step, sum(self.steps), figures)


def fit(
    recipe: Recipe, data: dict[str, Split], session: Session, weights: Path | None = None
) -> tuple[State, bool]:
    """Train a recipe, from its resume file if there is one.

    Args:
        recipe: what to train.
        data: as `load_fer2013` returns it.
        session: where, how long, and with what clock.
        weights: a torchvision ResNet-50 state dict to start from.

    Returns:
        The state, and whether the run is complete.
    """
    with _stop_flag() as stop:
        began = time.strftime("%H:%M:%S")
        state = start(recipe, session.run_dir / "resume.pt", weights)
        log.info("%s: from step %d at %s, %s", recipe.name, state.step, began, precision(recipe))
        return Trainer(recipe, data, session).run(state, stop)
