"""The section of the live page: the address that it is served on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter, Token

from fervid.config.section import Section
from fervid.errors import ConfigError

DEFAULT_PORT = 8080
HERE = "127.0.0.1"
_ADDRESS = re.compile(r"(?:(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+(?:%\w+)?\]):)?(?P<port>[0-9]{1,5})")


def address(value: Any) -> str:
    """Return an address as "HOST:PORT".

    Args:
        value: that, or a port alone, which is this machine's own (127.0.0.1).

    Raises:
        ConfigError: it is neither.
    """
    found = _ADDRESS.fullmatch(str(value).strip())
    if found is None or isinstance(value, bool) or int(found["port"]) > 65_535:
        raise ConfigError(
            f"--serve must be [HOST:]PORT, like {DEFAULT_PORT} for this machine alone or "
            f"0.0.0.0:{DEFAULT_PORT} for others too, not {value!r}.",
            "serve",
        )
    return f"{found['host'] or HERE}:{int(found['port'])}"


def _serve(_: type, tokens: Sequence[Token]) -> str:
    return address(tokens[0].value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeConfig(Section):
    """The live page.

    Attributes:
        serve: Show a live web page; port 8080 if bare.
    """

    serve: Annotated[str | None, Parameter(converter=_serve, n_tokens=1, metavar="[HOST:]PORT")] = (
        None
    )

    def __post_init__(self) -> None:
        if self.serve is not None:  # a configuration file may have a number
            object.__setattr__(self, "serve", address(self.serve))
        Section.__post_init__(self)  # a slotted dataclass has no zero-argument super()

    @property
    def host(self) -> str:
        """The host to listen on, without brackets; "" where no page is wanted."""
        return (self.serve or "").rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 is any that is free."""
        return int((self.serve or ":0").rpartition(":")[2])
