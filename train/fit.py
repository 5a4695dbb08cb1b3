"""The training loop: stage after stage, stopped and resumed at any moment."""

import contextlib
import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from train.data import Split
from train.distil import ramp, taught
from train.loader import Batch, Pictures, as_input, loader
from train.mixing import UNTIL, mixed, mixed_losses
from train.mixing import share as mix_share
from train.progress import Progress
from train.recipe import Recipe
from train.resume import same_data, save, start
from train.schedule import jitter, learning_rate, stage_steps
from train.state import State, averaged, next_stage
from train.validate import validate

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Session:
    """The circumstances of one sitting of a run, which do not change its result.

    `every_pass`: validate after each pass, and not only at the end.
    """

    run_dir: Path
    minutes: float
    checkpoint_s: float
    workers: int
    clock: Callable[[], float]
    max_steps: int | None = None
    every_pass: bool = True


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

    def __init__(self, recipe: Recipe, data: Mapping[str, Split], session: Session) -> None:
        self.recipe, self.data, self.session = recipe, data, session
        # A stage that is not adaptive leaves a ResNet-50's eta terms out of the loss.
        unused = any(not (stage.adaptive or stage.slim) for stage in recipe.stages)
        self.accelerator = Accelerator(
            mixed_precision=precision(recipe),
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=unused)],
        )
        self.main = self.accelerator.is_main_process  # validates, writes and speaks
        self.share = (self.accelerator.process_index, self.accelerator.num_processes)
        self.steps = stage_steps(recipe, len(data["train"][1]), self.share[1])
        self.resume = session.run_dir / "resume.pt"
        self.writer: SummaryWriter | None = None

    def run(self, state: State, stop: list[int]) -> tuple[State, bool]:
        """Train until the end, the time limit or a signal; the resume file is always current."""
        if not self.main:
            return self._run(state, stop)
        self.writer = SummaryWriter(str(self.session.run_dir / "tensorboard"))
        try:
            return self._run(state, stop)
        finally:
            self.writer.close()

    def _run(self, state: State, stop: list[int]) -> tuple[State, bool]:
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
        (batch,) = loader(self._dataset(stage), 256, range(1), (0, 1), 0)
        return as_input(batch.pictures, self.recipe)

    def _dataset(self, stage: int) -> Pictures:
        px, config = self.recipe.stages[stage].px, self.recipe.at(stage).augment
        return Pictures(self.data["train"], px, config, self.recipe.seed)

    def _save(self, state: State) -> None:
        if self.main:
            save(state, self.resume, self.recipe, self.share[1])

    def _run_stage(self, state: State, stop: list[int], began: float) -> bool:
        end = sum(self.steps[: state.stage + 1])
        if state.step < end and self._at_limit(state):
            return False
        stage = self.recipe.stages[state.stage]
        pictures = self._dataset(state.stage)
        batches = loader(
            pictures, self.recipe.batch, range(state.step, end), self.share, self.session.workers
        )
        model, optimizer = self.accelerator.prepare(state.net, state.optimizer)
        saved = self.session.clock()
        total = sum(self.steps)
        with Progress(total, state.step, self.session.clock, quiet=not self.main) as bar:
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
        """Whether to stop here: all processes at the same step, as soon as one wants to."""
        late = elapsed_s > self.session.minutes * 60
        mine = bool(stop or late or self._at_limit(state))
        if self.share[1] == 1:
            return mine
        flag = torch.tensor(float(mine), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, "sum") > 0)

    def _at_limit(self, state: State) -> bool:
        limit = self.session.max_steps
        return limit is not None and state.step >= limit

    def _step(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, state: State, batch: Batch
    ) -> float:
        batch = Batch(*(part.to(self.accelerator.device) for part in batch))
        stage, recipe = self.recipe.stages[state.stage], self.recipe.at(state.stage)
        place = state.step - sum(self.steps[: state.stage])
        length = self.steps[state.stage]
        first, others = 1.0, batch.labels
        if recipe.mixup and place < UNTIL * length:
            first = mix_share(recipe.mixup, recipe.seed, state.step)
            batch, others = mixed(batch, first, recipe.seed, state.step)
        rate = learning_rate(recipe, recipe.lr, place, length)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        model.train()
        # Dropout draws from torch's own generator, whose place no resume file holds.
        rank, processes = self.share
        torch.manual_seed((recipe.seed * 1_000_037 + state.step) * processes + rank)
        with self.accelerator.autocast():
            heard = jitter(batch.conditions, recipe, state.step) if stage.adaptive else None
            if heard is not None and stage.norm == "plain":
                heard = heard[:, 0]
            logits, maps = model(as_input(batch.pictures, recipe), heard)
        smooth = recipe.label_smoothing
        losses = mixed_losses(logits.float(), batch.labels, others, first, smooth)
        green = state.stage == 0 and stage.teacher == "average"  # such a teacher knows nothing yet
        share_taught = ramp(place, length) if green else 1.0
        loss = self._loss(state, batch, (logits, maps), losses, share_taught)
        optimizer.zero_grad()
        self.accelerator.backward(loss)
        if recipe.clip:
            self.accelerator.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        state.ema.update_parameters(state.net)
        state.step += 1
        return float(loss.detach())

    def _loss(
        self, state: State, batch: Batch, said: tuple[Tensor, Tensor], losses: Tensor, share: float
    ) -> Tensor:
        """Their mean, and what the teacher adds."""
        logits, maps = (part.float() for part in said)
        own, kind = averaged(state.ema).eval(), self.recipe.stages[state.stage].teacher
        fixed = own if state.teacher is None else state.teacher
        teachers = {"average": (own, own), "fixed": (fixed, fixed), "both": (fixed, own)}[kind]
        with self.accelerator.autocast():
            return taught(
                teachers, batch, (logits, maps), losses, self.recipe.at(state.stage), share
            )

    def _after(self, state: State, pictures: Pictures, loss: float) -> None:
        """Log, and validate the averaged network once a pass."""
        if self.writer is None:
            return
        if state.step % 20 == 0:
            self.writer.add_scalar("loss", loss, state.step)
        per_pass = max(1, len(pictures) // (self.recipe.batch * self.share[1]))
        due = self.session.every_pass and state.step % per_pass == 0
        if not due and state.step != sum(self.steps):
            return
        net = averaged(state.ema)
        figures = validate(net, self.data["public"], pictures.px, self.recipe)
        state.history.append({"step": state.step, "loss": loss, **figures})
        for name, value in figures.items():
            self.writer.add_scalar(name, value, state.step)
        log.info("step %d of %d: %s", state.step, sum(self.steps), figures)


def fit(
    recipe: Recipe, data: Mapping[str, Split], session: Session, weights: Path | None = None
) -> tuple[State, bool]:
    """Train a recipe, from its resume file if there is one.

    Args:
        recipe: what to train.
        data: as `load_fer2013` returns it.
        session: where, how long, and with what clock.
        weights: a torchvision ResNet-50 state dict to start from.

    Returns:
        The state, and whether the run is complete.

    Raises:
        DataError: the resume file is of another recipe, of other pictures or another number of
            processes, or the weights do not fit.
    """
    with _stop_flag() as stop:
        trainer, began = Trainer(recipe, data, session), time.strftime("%H:%M:%S")
        state = start(recipe, trainer.resume, weights, trainer.share[1])
        same_data(state, data["train"], trainer.resume)
        if trainer.main and weights is not None and trainer.resume.is_file():
            log.warning("%s is not used: the run goes on from %s", weights, trainer.resume)
        if trainer.main:
            said = precision(recipe)
            log.info("%s: from step %d at %s, %s", recipe.name, state.step, began, said)
        return trainer.run(state, stop)
