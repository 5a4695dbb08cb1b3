"""Failures: what becomes of a run when some of its sources fail."""

from rich.console import Console

from fervid.console import say
from fervid.errors import FervidError


class Failures:
    """The sources that failed: each is said at once where there are several, and counts at the end.

    Args:
        n_sources: how many there are in all.
        stderr: for people.

    Attributes:
        errors: of those that failed.
    """

    def __init__(self, n_sources: int, stderr: Console) -> None:
        self._n_sources, self._stderr = n_sources, stderr
        self.errors: list[FervidError] = []

    def note(self, error: FervidError) -> None:
        """One source has failed."""
        self.errors.append(error)
        if self._n_sources > 1:
            say(self._stderr, error)

    def tell(self) -> None:
        """Raise what the run as a whole has to say, if anything failed.

        Raises:
            FervidError: the one source's own error, or how many of several failed.
        """
        if not self.errors:
            return
        if self._n_sources == 1:
            raise self.errors[0]
        others = "; the others are done" if len(self.errors) < self._n_sources else ""
        raise FervidError(f"{len(self.errors)} of {self._n_sources} sources failed{others}.")
