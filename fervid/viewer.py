"""The viewer at a window: shows what is analysed and follows the keys."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Condition
from typing import Self

from fervid.config import RunConfig
from fervid.controls import HELP, Controls, View, press
from fervid.errors import DisplayError, SinkError
from fervid.overlay import waiting, with_help, with_messages
from fervid.pen import U8
from fervid.records import Frame, FrameResult, SourceInfo
from fervid.snapshots import Snapshots, annotated
from fervid.window import Window, fitted, open_window

_log = logging.getLogger(__name__)

MESSAGE_S = 2.5
GREETING = "? shows the keys"
PAUSED = "paused: space goes on"

Tell = Callable[[str], object]
Again = Callable[[View], FrameResult]


def window_for(config: RunConfig, info: SourceInfo, news: Condition) -> Window | None:
    """The window that a source gets, if it gets one: when asked for, or live on a working display.

    Args:
        config: of the run.
        info: of the source.
        news: notified when a key was pressed or the window has gone.

    Raises:
        DisplayError: a window was asked for and none can be opened.
    """
    wanted = config.window.window
    if wanted is False or (wanted is None and not info.live):
        return None

    def notify() -> None:
        with news:
            news.notify_all()

    try:
        window = open_window(f"{info.label} - fervid", notify)
    except DisplayError as error:
        if wanted:
            raise
        _log.debug("%s", error)
        return None
    window.show(fitted(waiting(info.width, info.height)))
    return window


def snapshots_for(config: RunConfig, info: SourceInfo, folder: Path | None) -> Snapshots:
    """Where snapshots of a source go: its folder of outputs, else the working directory."""
    output = config.output
    return Snapshots(
        folder or Path(), info.label, allowed=output.images, bare=output.anonymize == "none"
    )


class Viewer:
    """Shows the frames of one source and remembers what was chosen; a context manager.

    It owns the window. Without one (None, or when its display has gone) it shows nothing, and
    the switches stay as the configuration sets them.

    Args:
        window: an open one, or None.
        controls: the switches at the start.
        snapshots: where pictures that are kept go.
        tell: says a line to the person at the terminal.
        quiet: tell of errors only.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        window: Window | None,
        controls: Controls,
        snapshots: Snapshots,
        tell: Tell,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window, self._controls, self._snapshots = window, controls, snapshots
        self._tell, self._quiet, self._clock = tell, quiet, clock
        self._judged = controls.view  # of the scene
        self._scene: tuple[Frame, FrameResult] | None = None
        self._message, self._until_s = GREETING, clock() + 2 * MESSAGE_S
        self._state = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the window away; closing twice is harmless."""
        window, self._window = self._window, None
        if window is not None:
            window.close()

    @property
    def wants_pixels(self) -> bool:
        """Whether there is a window to draw for."""
        return self._window is not None

    @property
    def view(self) -> View:
        """How the next frame is to be analysed."""
        return self._controls.view

    @property
    def heatmap(self) -> bool:
        """Whether heatmaps are to be drawn."""
        return self._controls.heatmap

    @property
    def paused(self) -> bool:
        """Whether no next frame is wanted now."""
        return self._controls.paused and self._window is not None

    @property
    def quit(self) -> bool:
        """Whether the run is to end."""
        return self._controls.quit

    @property
    def pending(self) -> bool:
        """Whether `react` has something to do."""
        return self._window is not None and (
            self._window.pending or self._outdated or (self.paused and self.view != self._judged)
        )

    def show(self, frame: Frame, result: FrameResult, drawn: U8) -> None:
        """Show a new frame and follow the keys since the last one.

        Args:
            frame: what was analysed.
            result: what was found.
            drawn: uint8 (H, W, 3), both in one picture; it must not be changed afterwards.
        """
        self._judged = self.view
        self._follow()
        self._scene = frame, result
        self._present(drawn)

    def note(self, state: str) -> None:
        """Show a state of the source over its pictures, until it is "" again."""
        self._state = state
        if self._scene is not None and self._window is not None:
            self._present(annotated(*self._scene, self.heatmap))

    def react(self, again: Again) -> None:
        """Follow the keys while no new frame comes; what they change is seen at once.

        Args:
            again: analyses the frame that stands still with another view.
        """
        before, outdated = self._controls, self._outdated
        self._follow()
        if self._scene is None or self.quit or self._window is None:
            return
        if self.paused and self.view != self._judged:
            self._judged = self.view
            self._scene = self._scene[0], again(self.view)
        if self._controls != before or outdated or self._message:
            self._present(annotated(*self._scene, self.heatmap))

    @property
    def _outdated(self) -> bool:
        """Whether a message is shown that has been there long enough."""
        return bool(self._message) and self._clock() >= self._until_s

    def _follow(self) -> None:
        """Take the keys in, and carry out what is done at once."""
        if self._window is None:
            return
        if self._outdated:
            self._message = ""
        for key in self._window.pressed():
            if self._scene is not None:
                self._press(key, self._scene)
        if self._window.closed:
            self._controls = replace(self._controls, quit=True)
        elif self._window.lost:
            self._tell(f"The window has gone ({self._window.lost}); the run goes on without it.")
            self._window.close()
            self._window = None

    def _press(self, key: int, scene: tuple[Frame, FrameResult]) -> None:
        before = self._controls
        self._controls = press(before, key, scene[1].classes)
        if self._controls == before:
            return
        if self._controls.message:
            self._say(self._controls.message)
        if self._controls.snapshot or self._controls.still:
            as_still = self._controls.still
            self._controls = replace(self._controls, snapshot=False, still=False)
            self._say(self._keep(*scene, as_still=as_still))

    def _keep(self, frame: Frame, result: FrameResult, *, as_still: bool) -> str:
        """Save a snapshot or a still; returns what the window says about it."""
        if not self._snapshots.allowed:
            return "not saved: --no-images"
        if as_still and not self._snapshots.bare:
            return "not saved: a still shows faces, and --anonymize hides them"
        try:
            if as_still:
                path = self._snapshots.save_still(frame, result)
            else:
                path = self._snapshots.save(frame, result, self.heatmap)
        except SinkError as error:  # a look through the window costs no run
            self._tell(str(error))
            return "not saved; the terminal says why"
        if not self._quiet:
            self._tell(f"saved {path}")
        return f"saved {path.name}"

    def _say(self, message: str) -> None:
        self._message, self._until_s = message, self._clock() + MESSAGE_S

    def _present(self, drawn: U8) -> None:
        if self._window is None:
            return
        picture = fitted(drawn)
        if self._controls.help:
            picture = with_help(picture, HELP)
        paused = [PAUSED] if self._controls.paused else []
        messages = [*filter(None, (self._state, *paused, self._message))]
        self._window.show(with_messages(picture, messages))
