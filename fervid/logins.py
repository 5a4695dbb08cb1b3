"""Users and passwords of network streams, kept apart from their URLs until these are opened.

They come from a file in netrc's format (`machine HOST login USER password PASSWORD`), where HOST
may have a port, or from two environment variables for streams that the file does not know. A
user that stands in a URL counts more than either.
"""

import netrc
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from fervid.errors import ConfigError
from fervid.nearest import or_else

USER, PASSWORD = "FERVID_USER", "FERVID_PASSWORD"
WITH_LOGIN = ("rtsp", "rtsps", "http", "https", "rtmp", "rtmps")
# The most that FFmpeg's RTSP keeps of a user, a colon and a password, as they stand in the URL.
RTSP_BYTES = 127
# What may stand in a URL's user and password as it is (RFC 3986, userinfo).
_PLAIN = "!$&'()*+,;="


@dataclass(frozen=True, slots=True)
class Login:
    """A user and password, and where they were found; only the latter is ever shown."""

    origin: str
    user: str = field(repr=False)
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if ":" in self.user:
            raise ConfigError(
                f"The user in {self.origin} holds a colon, which no stream allows; correct it.",
                "credentials",
            )


class Logins:
    """What is known about users and passwords.

    Args:
        hosts: by host, or host and port.
        anywhere: for hosts that are not known.
    """

    def __init__(
        self, hosts: Mapping[str, Login] | None = None, anywhere: Login | None = None
    ) -> None:
        self._hosts = {host.lower(): login for host, login in (hosts or {}).items()}
        self._anywhere = anywhere

    def find(self, uri: str) -> Login | None:
        """Return what belongs to a stream; None for one that has a user itself, or takes none.

        Raises:
            ValueError: the URL is malformed.
        """
        parts = urlsplit(uri)
        if parts.scheme not in WITH_LOGIN or own_login(uri):
            return None
        names = (parts.netloc.lower(), parts.hostname or "")
        found = next((self._hosts[name] for name in names if name in self._hosts), None)
        return found or self._anywhere


def own_login(uri: str) -> str:
    """Return the name of the place where a URL's own user stands; "" if it has none."""
    return "its address" if "@" in urlsplit(uri).netloc else ""


def with_login(uri: str, login: Login | None) -> str:
    """Return a stream's URL with a user and password: for the library that opens it only."""
    if login is None:
        return uri
    scheme, mark, rest = uri.partition("://")
    return f"{scheme}{mark}{_quoted(login.user)}:{_quoted(login.password)}@{rest}"


def _quoted(text: str) -> str:
    """Text for a URL's user or password, as short as can be; letters beyond ASCII stay."""
    return "".join(
        c if not c.isascii() and c.isprintable() else quote(c, _PLAIN, errors="surrogateescape")
        for c in text
    )


def is_too_long(uri: str) -> bool:
    """Tell whether FFmpeg would cut off a URL's user and password, which it does for RTSP."""
    parts = urlsplit(uri)
    user = parts.netloc.rpartition("@")[0]
    return parts.scheme in ("rtsp", "rtsps") and len(os.fsencode(user)) > RTSP_BYTES


def read_logins(path: Path | None, environment: Mapping[str, str] | None = None) -> Logins:
    """Read users and passwords.

    Args:
        path: a file in netrc's format, which nobody else may read.
        environment: variables of the process.

    Raises:
        ConfigError: the file is missing, malformed or open to others, or a variable is missing.
    """
    anywhere = _from_environment(environment or {})
    if path is None:
        return Logins(anywhere=anywhere)
    try:
        _refuse_open_file(path)
        entries = dict(netrc.netrc(str(path)).hosts)
    except (OSError, UnicodeError, netrc.NetrcParseError) as error:
        # A parser's own words may quote a password.
        raise ConfigError(_why(path, error), "credentials") from None
    logins = {host: Login(str(path), user, word) for host, (user, _, word) in entries.items()}
    default = logins.pop("default", None)
    return Logins(logins, anywhere or default)


def _from_environment(environment: Mapping[str, str]) -> Login | None:
    user, password = environment.get(USER), environment.get(PASSWORD)
    if user and password is not None:
        return Login(f"{USER} and {PASSWORD}", user, password)
    if user or password:
        given, missing = (USER, PASSWORD) if user else (PASSWORD, USER)
        raise ConfigError(f"{given} is set without {missing}; set both or none.", "credentials")
    return None


def _refuse_open_file(path: Path) -> None:
    """Refuse a file that others may read, as ssh does; Windows says nothing of the kind."""
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) and os.name != "nt" and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(
            f"The credentials file {path} is open to other users of this machine; close it by "
            f"`chmod 600 {path}`.",
            "credentials",
        )


def _why(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        way = or_else(path, "check --credentials")
        return f"There is no credentials file {path}; {way}"
    if isinstance(error, OSError):
        return (
            f"The credentials file {path} cannot be read ({error.strerror}); check its name and "
            "permissions."
        )
    line = f" in line {error.lineno}" if isinstance(error, netrc.NetrcParseError) else ""
    return (
        f"The credentials file {path} is not in netrc's format{line}; write lines like "
        "`machine 192.168.1.20 login me password secret`."
    )
