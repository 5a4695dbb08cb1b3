"""The protocol of everything that frames come from."""

from collections.abc import Iterator
from typing import Protocol, Self

from fervid.records import Frame, SourceInfo


class Source(Protocol):
    """What frames come from; a context manager that is iterated once.

    One that comes back by itself has an attribute `link` too (`link.link_of`).
    """

    @property
    def info(self) -> SourceInfo:
        """What is known before the first frame."""

    @property
    def damaged(self) -> int:
        """How much was passed over so far because it could not be read or decoded.

        Pictures that were patched up count too.
        """

    def __iter__(self) -> Iterator[Frame]:
        """Yield every frame.

        Raises:
            SourceReadError: the source cannot be read on.
        """

    def close(self) -> None:
        """Release the source; closing twice is harmless."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...
