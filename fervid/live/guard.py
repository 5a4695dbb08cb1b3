"""Who may look at the live page: by the address that is asked for, by who asks, by a token.

On loopback nobody else can ask but programs of this machine, of which a browser is one that does
what foreign pages tell it. So the page has to be asked for by this machine's own name (a name that
somebody else points at 127.0.0.1 is none: DNS rebinding), and other pages may not ask for its
parts. Beyond loopback everybody needs the token.
"""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

TOKEN_BYTES = 24
OWN_SITES = ("", "same-origin", "none")  # where a request for a part of the page may come from

BAD_HOST = "This address is none of this machine's; open the one that fervid printed at its start."
BAD_SITE = "Another page asked for this; open the address that fervid printed at its start."
BAD_TOKEN = (
    "The token is missing or wrong; open the whole address that fervid printed at its start, which "
    "is another one with each start."
)


@dataclass(frozen=True, slots=True)
class Guard:
    """What requests are compared with.

    Attributes:
        host: that the server listens on, an address or a name.
        token: that every request has to bring; "" where none is needed. No repr shows it.
    """

    host: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Guard({self.host!r}, token={'***' if self.token else ''!r})"

    @classmethod
    def of(cls, host: str, bound: str) -> "Guard":
        """The guard of a server.

        Args:
            host: as it was named.
            bound: the address that it listens on.
        """
        local = ipaddress.ip_address(bound.partition("%")[0]).is_loopback
        return cls(host, "" if local else secrets.token_urlsafe(TOKEN_BYTES))

    def refusal(self, headers: Mapping[str, str], *, page: bool, given: str = "") -> str:
        """Why a request is refused, for a person; "" if it is not.

        Args:
            headers: of the request.
            page: it is for the page itself, which a link elsewhere may lead to.
            given: the token that it brings, from its cookie or its address.
        """
        host = headers.get("Host", "")
        if not self._is_own(host):
            return BAD_HOST
        if not page and headers.get("Sec-Fetch-Site", "") not in OWN_SITES:
            return BAD_SITE
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return BAD_SITE
        return "" if self.admits(given) else BAD_TOKEN

    def admits(self, given: str) -> bool:
        """Whether this is the token, in a time that says nothing about where it differs."""
        return not self.token or hmac.compare_digest(
            given.encode(errors="replace"), self.token.encode()
        )

    def _is_own(self, header: str) -> bool:
        """Whether a Host header names this machine; its port may be a tunnel's."""
        try:
            host = (urlsplit(f"//{header}").hostname or "").rstrip(".")
        except ValueError:
            return False
        own = {"localhost", self.host.lower()}
        if not self.token:
            return host in own or _is_address(host, loopback=True)
        name = socket.gethostname().lower()
        return host in own | {name, f"{name.partition('.')[0]}.local"} or _is_address(host)


def _is_address(host: str, *, loopback: bool = False) -> bool:
    """Whether a host is a numeric address: no name, which somebody could point elsewhere."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or not loopback
