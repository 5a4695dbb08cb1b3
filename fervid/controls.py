"""What a viewer has chosen in the window, and what each key changes: pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from fervid.config import CamName, FilterChoice, RunConfig
from fervid.errors import ConfigError
from fervid.nearest import nearest_word

ESCAPE = 27
MOST_NAMED = 12  # classes in a message
FILTER_ORDER: tuple[FilterChoice, ...] = get_args(FilterChoice)
CAM_ORDER: tuple[CamName, ...] = get_args(CamName)
# Key and what it does, as the help in the window and the documentation say it.
HELP: tuple[tuple[str, str], ...] = (
    ("q, Esc", "quit; the outputs are finished"),
    ("space", "pause, go on"),
    ("h", "heatmap on, off"),
    ("f", "next filter: " + ", ".join(FILTER_ORDER)),
    ("c", "next map: " + ", ".join(CAM_ORDER)),
    ("1 - 7", "map of one class, in the order of the bars"),
    ("0", "map of the most probable class"),
    ("s", "save the picture"),
    ("e", "export a still: original, filtered, map, figures"),
    ("?", "this help"),
)


@dataclass(frozen=True, slots=True)
class View:
    """How frames are analysed, as far as a viewer may change it while the run lasts.

    Attributes:
        filter: a filter, or auto.
        cam: the kind of heatmap.
        target: number of the class whose heatmaps are wanted; -1 for the most probable one.
    """

    filter: FilterChoice
    cam: CamName
    target: int = -1

    @classmethod
    def of(cls, config: RunConfig, classes: Sequence[str]) -> "View":
        """What the configuration says.

        Args:
            config: of the run.
            classes: the model's, in their order.

        Raises:
            ConfigError: it names a class that the model does not know.
        """
        return cls(
            config.filter.filter, config.explain.cam, target_of(config.explain.explain, classes)
        )


@dataclass(frozen=True, slots=True)
class Controls:
    """The state of the window's switches.

    Attributes:
        view: how frames are analysed.
        heatmap: whether heatmaps are drawn.
        paused: whether the picture stands still.
        help: whether the keys are shown.
        snapshot: whether the picture is to be saved.
        still: whether a still is to be saved: original, filtered, map and figures side by side.
        quit: whether the run is to end.
        message: what the last key did, for a person; empty where the picture shows it.
    """

    view: View
    heatmap: bool = True
    paused: bool = False
    help: bool = False
    snapshot: bool = False
    still: bool = False
    quit: bool = False
    message: str = ""

    @classmethod
    def of(cls, config: RunConfig, classes: Sequence[str]) -> "Controls":
        """The switches as the configuration sets them; see `View.of`."""
        return cls(View.of(config, classes), config.explain.heatmap)


def target_of(name: str | None, classes: Sequence[str]) -> int:
    """The number of the class whose heatmaps are wanted; -1 for each face's most probable one.

    Args:
        name: of the class, in any case; None where none was chosen.
        classes: the model's, in their order.

    Raises:
        ConfigError: the model knows no such class.
    """
    if name is None:
        return -1
    numbers = {known.casefold(): number for number, known in enumerate(classes)}
    if name.casefold() not in numbers:
        near = nearest_word(name, classes)
        way = f"did you mean {near}?" if near else f"it knows {', '.join(classes[:MOST_NAMED])}."
        given = name or "''"
        raise ConfigError(f"--explain {given} is no class of the model; {way}", "explain")
    return numbers[name.casefold()]


def press(controls: Controls, key: int, classes: Sequence[str]) -> Controls:
    """The switches after a key; those of keys that do nothing stay as they are.

    Args:
        controls: the switches before.
        key: code of the key, that of its character for all keys that do something.
        classes: the model's, in their order.
    """
    if key == ESCAPE and controls.help:  # as everywhere, Esc first closes what lies on top
        return replace(controls, help=False)
    change = _change(controls, "q" if key == ESCAPE else _character(key), classes)
    return replace(controls, **({"message": ""} | change)) if change else controls


def _change(controls: Controls, key: str, classes: Sequence[str]) -> dict[str, Any]:
    """The fields that a key sets."""
    on, name = not controls.heatmap, _next(FILTER_ORDER, controls.view.filter)
    cam = _next(CAM_ORDER, controls.view.cam)
    changes: dict[str, dict[str, Any]] = {
        "q": {"quit": True},
        " ": {"paused": not controls.paused},
        "h": {"heatmap": on, "message": f"heatmap {'on' if on else 'off'}"},
        "f": {"view": replace(controls.view, filter=name), "message": f"filter: {name}"},
        "c": {"view": replace(controls.view, cam=cam), "message": f"map: {cam}"},
        "s": {"snapshot": True},
        "e": {"still": True},
        "?": {"help": not controls.help},
    }
    return changes.get(key) or _choose_class(controls.view, key, classes)


def _choose_class(view: View, key: str, classes: Sequence[str]) -> dict[str, Any]:
    if key not in tuple("0123456789")[: len(classes) + 1]:
        return {}
    target = int(key) - 1
    name = classes[target] if target >= 0 else "the most probable class"
    return {"view": replace(view, target=target), "message": f"map of {name}"}


def _character(key: int) -> str:
    """The character of a key's code, in lower case; empty for keys that have none."""
    return chr(key).lower() if 0 < key < 128 else ""


def _next(order: tuple[Any, ...], now: str) -> Any:
    return order[(order.index(now) + 1) % len(order)]
