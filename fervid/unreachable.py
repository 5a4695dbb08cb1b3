"""Why a file elsewhere cannot be had: one sentence, with the way out.

fsspec's protocols raise what their libraries do. Their own words may quote an address with its
password, so no more than their kind and the system's reason are told.
"""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from fervid.config import without_credentials
from fervid.config.addresses import FETCHED, links, scheme_of
from fervid.errors import FervidError, LibraryMissing, SourceOpenError

# By the names of errors, whose classes are in libraries that need not be here.
GONE = ("FileNotFoundError", "NotADirectoryError", "NoSuchBucket")
FORBIDDEN = ("PermissionError", "NoCredentialsError", "AuthenticationException", "LoginError")


@contextlib.contextmanager
def told(url: str, place: Path | None = None) -> Iterator[None]:
    """Turn whatever a protocol raises into one sentence.

    Args:
        url: the address.
        place: where a file is fetched to.

    Raises:
        LibraryMissing, SourceOpenError: something was raised in the block.
    """
    shown = without_credentials(url)
    try:
        yield
    except FervidError:
        raise
    except ImportError:
        scheme = next((s for s in map(scheme_of, links(url)) if FETCHED.get(s)), scheme_of(url))
        package = FETCHED.get(scheme) or "a package for it"
        raise LibraryMissing(
            f"{shown} cannot be fetched, as {package} is not installed here; pip install it, or "
            "copy the file to this machine.",
            "remote",
        ) from None
    except Exception as error:  # noqa: BLE001 - protocols raise what their libraries do
        # Without the cause, whose text and traceback may hold a password.
        raise SourceOpenError(_why(shown, error, place), shown) from None


def is_gone(error: BaseException) -> bool:
    """Whether a file is not there; HTTP says so of every fault, and keeps that as the cause."""
    cause = error.__cause__
    status = getattr(cause, "status", None)
    if status is not None:
        return status in (404, 410)
    if isinstance(cause, FileNotFoundError):
        return True
    failed = isinstance(cause, OSError) or type(cause).__module__.startswith("aiohttp")
    return not failed  # TimeoutError is an OSError


def _why(shown: str, error: Exception, place: Path | None) -> str:
    """Why a file cannot be reached or fetched, in one sentence."""
    cause = error if is_gone(error) or error.__cause__ is None else error.__cause__
    kinds = [kind.__name__ for kind in type(cause).__mro__]
    status = getattr(cause, "status", None)
    reason = without_credentials(getattr(cause, "strerror", None) or type(cause).__name__)
    if place is not None and _is_of_disk(cause, place):
        return (
            f"{shown} cannot be written to {place.parent} ({reason}); set TMPDIR to another disk."
        )
    if status in (401, 403) or any(kind in FORBIDDEN for kind in kinds):
        return (
            f"{shown} may not be read by you; check its permissions, and the credentials that "
            f"its protocol takes from the environment."
        )
    if any(kind in GONE for kind in kinds):
        return f"There is no file {shown}; check its name and folder."
    if isinstance(cause, ValueError) or "BadZipFile" in kinds or "ReadError" in kinds:
        return (
            f"{shown} cannot be read ({reason}); check how it is written, and the archive if any."
        )
    if place is not None:
        return (
            f"{shown} broke off while it was fetched ({reason}); check the network, and start "
            "again."
        )
    return f"{shown} cannot be reached ({reason}); check its address and the network."


def _is_of_disk(error: BaseException, place: Path) -> bool:
    """Whether a copy could not be written, however well its file could be read."""
    if not isinstance(error, OSError):
        return False
    return error.filename == str(place) or error.errno in (errno.ENOSPC, errno.EDQUOT)
