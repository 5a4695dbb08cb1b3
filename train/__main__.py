"""`python -m train faces | fit | release | evaluate | ablate | noise | gains`: make and measure."""

import dataclasses
import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App
from rich.console import Console

from fervid.card import LONGEST_NAME
from fervid.config import Detector
from fervid.errors import ConfigError, DataError, FervidError
from train.measuring import app as measuring
from train.measuring import written
from train.options import RESULTS

if TYPE_CHECKING:
    from train.data import Data
    from train.recipe import Recipe

app = App(
    name="python -m train",
    help="Train and measure fervid's network; needs a source checkout.",
    result_action="return_value",
)


app.update(measuring)


def _runs() -> Path:
    return Path.home() / ".cache" / "fervid" / "runs"


def _plan(recipe: str, data: "Data", name: str | None) -> "Recipe":
    """The recipe for these data, under its own or another name."""
    from train.recipe import load_recipe

    plan = dataclasses.replace(load_recipe(recipe), classes=data.classes)
    if name is None:
        return plan
    if Path(name).name != name or name == ".." or not 0 < len(name) <= LONGEST_NAME:
        raise ConfigError(f"--name must be the name of a folder, such as mine, not {name}.", "name")
    return dataclasses.replace(plan, name=name)


@app.command
def faces(pictures: Path, out: Path, *, detector: Detector = "auto") -> None:
    """Cut the largest face out of each picture, PICTURES/CLASS/*.jpg, into OUT/CLASS/*.png.

    What `fit` learns from: 48 px, grey, framed as the network sees faces.

    Args:
        pictures: holds a folder for each class.
        out: folder of the faces, new or empty.
        detector: that finds the faces.
    """
    from train.cut import cut_faces

    stderr = Console(stderr=True, highlight=False)
    counts = cut_faces(pictures, out, detector, stderr)
    said = ", ".join(f"{n} {what}" for what, n in counts.items())
    stderr.print(f"{out}: {said}", markup=False, soft_wrap=True)
    if not counts["cut"]:
        raise DataError(f"No face was found in {pictures}; are the faces clear and upright?")


@app.command
def fit(  # noqa: PLR0913  a command line has many options
    recipe: str,
    *,
    data: Path,
    weights: Path | None = None,
    name: str | None = None,
    minutes: float = 140,
    runs: Path | None = None,
    steps: int | None = None,
    workers: int = 1,
    checkpoint_minutes: float = 10,
) -> None:
    """Train a recipe, or go on where an earlier sitting stopped.

    Several GPUs share the work with `accelerate launch -m train fit ...`, several processes on CPUs
    with `torchrun --nproc-per-node N -m train fit ...`; always as many as the run began with.

    Args:
        recipe: name of a file in train/recipes, or a path to a TOML file.
        data: FER2013 (the zip, the unpacked folder or the CSV), or one's own faces,
            FOLDER/CLASS/*.png.
        weights: a .safetensors of fervid's or a torchvision ResNet-50 state dict to start from; not
            used where a run goes on.
        name: of the run and its model; by default the recipe's.
        minutes: stop after this time; the same command goes on later.
        runs: folder of the resume files.
        steps: stop at this step.
        workers: processes that prepare pictures.
        checkpoint_minutes: time between two writes of the resume file.
    """
    from accelerate import PartialState

    from train.data import load_data
    from train.fit import Session
    from train.fit import fit as run

    found = load_data(data)
    plan = _plan(recipe, found, name)
    folder = (runs or _runs()) / plan.name
    session = Session(folder, minutes, checkpoint_minutes * 60, workers, time.monotonic, steps)
    state, done = run(plan, found.splits, session, weights)
    if not PartialState().is_main_process:
        return
    said = "finished" if done else "stopped; the same command goes on from here"
    Console(stderr=True).print(f"{plan.name}: {said} at step {state.step}, {folder / 'resume.pt'}")


@app.command
def release(
    recipe: str,
    out: Path,
    *,
    data: Path,
    name: str | None = None,
    runs: Path | None = None,
    images: int | None = None,
) -> None:
    """Write a run's network as fp16 weights, with filters and temperature chosen on PublicTest.

    Of one's own faces they are chosen on those that were held out.

    Args:
        recipe: name of a file in train/recipes, or a path to a TOML file.
        out: the .safetensors file to write.
        data: FER2013 (the zip, the unpacked folder or the CSV), or one's own faces,
            FOLDER/CLASS/*.png.
        name: of the run and its model; by default the recipe's.
        runs: folder of the resume files.
        images: images of PublicTest that are used; all unless given.
    """
    from train.data import load_data
    from train.release import release as run

    found = load_data(data)
    plan = _plan(recipe, found, name)
    resume = (runs or _runs()) / plan.name / "resume.pt"
    run(plan, resume, found, out, images)
    written([out])


@app.command
def calibrate(model: Path, out: Path, *, data: Path, images: int | None = None) -> None:
    """Choose filters, temperature and threshold of released weights anew, on PublicTest.

    Args:
        model: a .safetensors file with a card.
        out: the .safetensors file to write, of the same weights.
        data: FER2013 (the zip, the unpacked folder or the CSV), or one's own faces,
            FOLDER/CLASS/*.png.
        images: images of PublicTest that are used; all unless given.
    """
    from train.data import load_data
    from train.release import calibrate as run

    run(model, load_data(data), out, images)
    written([out])


@app.command
def ablate(
    *, data: Path, minutes: float = 140, runs: Path | None = None, seed: list[int] | None = None
) -> None:
    """Train and measure the arms of the ablation that are not measured yet.

    Args:
        data: FER2013: the zip, the unpacked folder or the CSV.
        minutes: stop after this time; the same command goes on later.
        runs: folder of the resume files.
        seed: only networks of this seed, 1 to 3 (repeatable); several processes with seeds of their
            own may run at once.
    """
    from train.ablate import ablate as run
    from train.ablation_report import write_ablation
    from train.arms import SEEDS
    from train.data import load_fer2013

    if wrong := set(seed or ()) - set(SEEDS):
        raise ConfigError(f"--seed must be one of {SEEDS}, not {min(wrong)}.", "seed")
    done = run(load_fer2013(data), runs or _runs(), RESULTS, minutes, seed or SEEDS)
    written(write_ablation(RESULTS))
    if not done:
        print("train: not all arms are measured yet; the same command goes on.", file=sys.stderr)


@app.command
def noise(*, data: Path, seed: int = 0) -> None:
    """Fit the noise estimator that comes with fervid, and measure it.

    Args:
        data: FER2013: the zip, the unpacked folder or the CSV.
        seed: of the fit and of the noise.
    """
    from train.noise_fit import main_noise

    main_noise(data, seed=seed)


@app.command
def gains(*, data: Path) -> None:
    """Print the tables by which fervid tells how much noise a crop is left with.

    Args:
        data: FER2013: the zip, the unpacked folder or the CSV.
    """
    from train.data import load_fer2013
    from train.gains import tables

    print(tables(load_fer2013(data)["train"][0]))


def main() -> int:
    """Run the command line; exit codes as fervid's."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    try:
        app(sys.argv[1:])
    except ConfigError as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    except FervidError as error:
        print(f"train: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
