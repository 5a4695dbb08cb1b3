"""Alerts by a command: it is started for each, one at a time, without a shell."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from fervid.errors import ConfigError
from fervid.watch.courier import DeliveryError, Event

LIMIT_S = 10.0
SECRETS = ("FERVID_USER", "FERVID_PASSWORD")  # of streams, which are no business of a command
TOLD = ("event", "state", "rule", "source", "track", "value", "time_s", "utc")
GROUPS = hasattr(os, "killpg")  # Windows has none: there the command alone is ended


class Execute:
    """Runs a command with an event as JSON on its standard input and in its environment.

    What it prints goes nowhere: standard output is for fervid's data. With what it starts it is a
    group of its own, which is ended when the time is over; Ctrl-C does not reach it.

    Args:
        words: the program and its arguments.
        environment: of the command, before what is told of the event.
        limit_s: seconds that it may take.

    Raises:
        ConfigError: there is no such program.
    """

    def __init__(
        self, words: Sequence[str], environment: Mapping[str, str], limit_s: float = LIMIT_S
    ) -> None:
        program = shutil.which(words[0], path=environment.get("PATH"))
        if program is None:
            raise ConfigError(
                f"--alert-exec: there is no program {words[0]}; check its name, or give its path.",
                "alert_exec",
            )
        self.name = f"the command {words[0]}"
        self._words, self._limit_s, self._aborted = (program, *words[1:]), limit_s, False
        self._environment = {k: v for k, v in environment.items() if k not in SECRETS}
        self._process: subprocess.Popen[bytes] | None = None

    def send(self, event: Event) -> None:
        """Run the command for one event.

        Raises:
            DeliveryError: it cannot be started, fails, or takes too long and was ended.
        """
        if self._aborted:
            raise DeliveryError("the run has ended")
        try:
            process = self._process = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._environment | told(event),
                start_new_session=GROUPS,
            )
        except OSError as error:
            raise DeliveryError(f"it cannot be started: {error.strerror}") from error
        try:
            process.communicate((json.dumps(event) + "\n").encode(), timeout=self._limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            process.communicate()
            raise DeliveryError(f"it took over {self._limit_s:g} s and was ended") from None
        finally:
            self._process = None
        if process.returncode:
            raise DeliveryError(f"it ended with {process.returncode}; try it by itself")

    def abort(self) -> None:
        """End the command that is running."""
        self._aborted = True
        process = self._process
        if process is not None:
            _end(process)


def told(event: Event) -> dict[str, str]:
    """What is told of an event by environment variables: FERVID_RULE and the like."""
    values = {key: event.get(key) for key in TOLD}
    return {
        f"FERVID_{key.upper()}": "" if value is None else str(value).replace("\0", "")
        for key, value in values.items()
    }


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Kill a command with all that it has started, if it has not ended by itself."""
    with suppress(ProcessLookupError, PermissionError):
        if process.poll() is not None:
            return
        if GROUPS:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
