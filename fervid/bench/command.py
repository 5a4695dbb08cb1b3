"""The command line of the benchmark."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console
from rich.table import Table

from fervid.bench import report
from fervid.bench.cases import Case, chosen, table
from fervid.bench.figures import Figures, record, shares
from fervid.bench.machine import describe
from fervid.bench.material import Material, Size, prepare
from fervid.console import say
from fervid.errors import ConfigError, FervidError, SinkError

SCHEMA = 1
FULL, QUICK = Size(frames=300, scene_frames=90, live_s=8.0), Size(60, 40, 2.5)
ROUNDS = 3
Tell = Callable[[str], None]

app = App(
    name="python -m fervid.bench",
    help="Measure how fast fervid is on this machine.",
    result_action="return_value",
    help_flags=("--help",),
    version_flags=(),
)


@app.default
def bench(  # noqa: PLR0913  one parameter an option
    clip: Path | None = None,
    /,
    *,
    json_path: Annotated[Path | None, Parameter(name="--json")] = None,
    only: tuple[str, ...] = (),
    model: tuple[Path, ...] = (),
    rounds: int = ROUNDS,
    frames: int | None = None,
    memory_frames: int = 0,
    quick: bool = False,
    listed: Annotated[bool, Parameter(name="--list", negative=())] = False,
) -> None:
    """Measure how fast fervid is on this machine, in rounds over all cases.

    Args:
        clip: A video with a face in it; by default one that fervid draws.
        json_path: Write the results to this file too; one that exists is replaced.
        only: Measure this case only, or those of a pattern like '12x*'; may be repeated.
        model: Compare this model (.onnx or .safetensors) too; may be repeated.
        rounds: How often each case is measured; medians are shown.
        frames: Frames of the clip in each measurement; a shorter clip is repeated.
        memory_frames: Frames of the memory case, whose scene is repeated; by default one scene.
        quick: One short round of the main cases, under a minute.
        listed: Name the cases and stop.
    """
    cases = table([path.stem for path in model])
    if listed:
        Console().print(_names(cases))
        return
    _check(rounds, frames, memory_frames, json_path)
    size = QUICK if quick else FULL
    size = Size(frames or size.frames, size.scene_frames, size.live_s, memory_frames)
    stderr = Console(stderr=True)
    wanted = chosen(cases, only, quick=quick)
    machine = describe()
    with prepare(clip, list(model), size) as material:
        measured = run(material, wanted, 1 if quick else rounds, lambda text: say(stderr, text))
        results = _results(machine, material, wanted, measured)
    report.show(Console(), results)
    if json_path is not None:
        _write(json_path, results)


def run(
    material: Material, cases: Sequence[Case], rounds: int, tell: Tell
) -> list[dict[str, Figures]]:
    """Measure the cases in turns, every second round backwards; what is measured, by round.

    Backwards, so that what grows or fades while the benchmark runs meets all cases alike.
    """
    made: list[dict[str, Figures]] = []
    for number in range(rounds):
        mine = [case for case in cases if not (case.once and number)]
        found = {}
        for case in reversed(mine) if number % 2 else mine:
            tell(f"round {number + 1} of {rounds}: {case.name}")
            found[case.name] = case.measure(material)
        made.append(found)
    return made


def _results(
    machine: dict[str, Any],
    material: Material,
    cases: Sequence[Case],
    measured: Sequence[dict[str, Figures]],
) -> dict[str, Any]:
    """Everything for the JSON file."""
    by_round = shares(measured)
    height, width = material.pictures[0].shape[:2]
    return {
        "schema": SCHEMA,
        "machine": machine,
        "clip": {
            "label": material.label,
            "width": width,
            "height": height,
            "frames": material.size.frames,
        },
        "rounds": len(measured),
        "models": {
            name: {"card": backend.card.name, "precision": backend.card.precision}
            for name, backend in material.models.items()
        },
        "cases": {
            case.name: record(
                case.what, [found[case.name] for found in by_round if case.name in found]
            )
            for case in cases
        },
    }


def _check(rounds: int, frames: int | None, memory_frames: int, json_path: Path | None) -> None:
    """Refuse impossible options before any work."""
    for name, value, least in (
        ("rounds", rounds, 1),
        ("frames", frames, 30),
        ("memory-frames", memory_frames or None, 30),
    ):
        if value is not None and value < least:
            raise ConfigError(f"--{name} must be at least {least}, not {value}.", name)
    if json_path is not None and not json_path.absolute().parent.is_dir():
        raise ConfigError(f"--json needs a folder that is there, and {json_path} has none.", "json")


def _write(path: Path, results: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written ({error.strerror}); name another file.", str(path)
        ) from error


def _names(cases: Sequence[Case]) -> Table:
    names = Table("case", "what", box=None, pad_edge=False)
    for case in cases:
        names.add_row(case.name, case.what)
    return names


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command line; exit codes as fervid's."""
    stderr = Console(stderr=True)
    try:
        app(
            list(sys.argv[1:] if tokens is None else tokens), exit_on_error=False, print_error=False
        )
    except CycloptsError as error:
        say(stderr, error)
        return 2
    except FervidError as error:
        say(stderr, error)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    return 0
