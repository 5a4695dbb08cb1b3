"""Book: what is known of the sources of a run, entered once and told to all who have to know.

These are the tables of the outputs, the manifest, the errors at the end, and the progress.
"""

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console

from fervid.capture import check_source
from fervid.clips import clip_row
from fervid.config import RunConfig
from fervid.console import say
from fervid.durable import discard
from fervid.errors import FervidError
from fervid.failures import Failures
from fervid.manifest import Manifest, stamp
from fervid.outputs import Target
from fervid.progress import Progress, ProgressDisplay
from fervid.resume import Found, look_back
from fervid.task import Outcome
from fervid.writing import RunOutputs


class Book:
    """Keeps the books of a run.

    Args:
        config: of the run.
        targets: of all its sources.
        manifest: of the results' folder.
        outputs: of the run.
        people: where they are told, and the clock by which, in seconds.

    Attributes:
        failures: the errors.
        summaries: what summary.json holds, of the sources that have ended.
        progress: over the files that were taken in hand.
        unchanged: those of them that --resume goes on with, as they were when they were begun.
    """

    def __init__(
        self,
        config: RunConfig,
        targets: Sequence[Target],
        manifest: Manifest,
        outputs: RunOutputs,
        people: tuple[Console, Callable[[], float]],
    ) -> None:
        self._config, self._targets = config, targets
        self._manifest, self._outputs = manifest, outputs
        self._stderr, self._clock = people
        self.failures = Failures(len(targets), self._stderr)
        self.summaries: list[dict[str, Any]] = []
        self.progress = Progress({}, 0, self._clock)
        self.unchanged: frozenset[str] = frozenset()

    def without_missing(self) -> list[Target]:
        """The targets whose files are there; the others fail before anything is loaded."""
        there = []
        for target in self._targets:
            try:
                check_source(target.source)
            except FervidError as error:
                self._outputs.fail(target, error)
                self.failures.note(error)
            else:
                there.append(target)
        return there

    def begin(self, there: Sequence[Target], digest: str) -> list[Target]:
        """Take targets in hand.

        Args:
            there: those whose files are there.
            digest: the hash of the model's file.

        Returns:
            Those that have to be analysed.

        Raises:
            ConfigError: --resume would mix results of two configurations.
            SinkError: the manifest cannot be written.
        """
        found = Found({}, ())
        if self._config.output.resume:
            found = look_back(self._config, there, self._manifest, digest)
            self.unchanged = self._manifest.unchanged(target.source for target in there)
        todo = [target for target in there if target.source not in found.done]
        for target in there:
            if target.source in found.done:
                discard(target)  # the run that has joined them may have ended before it did
                summary = found.done[target.source]
                self.summaries.append(summary)
                self._outputs.take(target, clip_row(self._outputs.name(target), summary))
        self._manifest.begin({t.source: self._outputs.name(t) for t in todo})
        sizes = {target.source: stamp(target.source)[0] for target in todo}
        self.progress = Progress(sizes, len(self._targets) - len(todo), self._clock)
        self.progress.failed = len(self._targets) - len(there)
        if self._config.output.resume and not self._config.quiet:
            self._tell_found(found, len(todo))
        return todo

    def take(self, target: Target, outcome: Outcome) -> None:
        """Enter what became of a target.

        Raises:
            SinkError: the manifest cannot be written.
        """
        self._outputs.take(target, outcome.row)
        if outcome.summary is not None:
            self.summaries.append(outcome.summary)
        if outcome.error is not None:
            self.failures.note(outcome.error)
        if not outcome.left:
            self._manifest.conclude(target.source, done=outcome.complete)
            self.progress.count(target.source, complete=outcome.complete)

    def display(self, *, live: bool) -> ProgressDisplay:
        """What shows the progress: in place (`live`), or in lines where there is no terminal."""
        hidden = self._config.quiet or (not live and self._stderr.is_terminal)
        return ProgressDisplay(
            self.progress,
            self._stderr,
            quiet=hidden or not self.progress.several,
            clock=self._clock,
        )

    def _tell_found(self, found: Found, n_left: int) -> None:
        for label in found.changed:
            say(self._stderr, f"{label} has changed since it was analysed, and is analysed again.")
        done = f"{len(found.done)} of {len(self._targets)} files are done"
        say(self._stderr, f"{done}; {n_left} to go." if n_left else f"{done}; nothing is left.")
