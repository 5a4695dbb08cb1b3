"""The address of the live page: taken, and written as a person opens it."""

import errno
import ipaddress
import os
import socket

import psutil  # type: ignore[import-untyped]

from fervid.errors import SinkError
from fervid.live.guard import Guard


def bind(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Args:
        host: an address or a name of this machine.
        port: 0 is any that is free.

    Raises:
        SinkError: it cannot be had.
    """
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        kinds = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, address = min(kinds, key=lambda kind: kind[0] != socket.AF_INET)
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise SinkError(
            f"The live page cannot be served on {shown} ({_cause(error)}); {_way(error, port)}.",
            shown,
        ) from error


def _cause(error: OSError) -> str:
    """What the system says, without what Python adds."""
    known = not isinstance(error, socket.gaierror) and error.errno is not None
    return os.strerror(error.errno) if known else str(error.strerror)  # type: ignore[arg-type]


def _way(error: OSError, port: int) -> str:
    if isinstance(error, PermissionError) or port in range(1, 1024):
        return "name a port from 1024 on, as in --serve 8080"
    if isinstance(error, socket.gaierror):
        return "name an address of this machine, as in --serve 0.0.0.0:8080"
    if error.errno == errno.EADDRINUSE:
        return f"name another port, as in --serve {port + 1 if port < 65_535 else 8080}"
    return "name an address of this machine, as in --serve 0.0.0.0:8080, or another port"


def url(listening: socket.socket, guard: Guard) -> str:
    """What to open, with the token if there is one."""
    host, port = listening.getsockname()[:2]
    if ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        host = _outer(listening.family)
    elif guard.host:
        host = guard.host
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/" + (f"?token={guard.token}" if guard.token else "")


def _outer(family: int) -> str:
    """An address by which others may reach this machine; its name where there is none."""
    states = psutil.net_if_stats()
    for name, addresses in psutil.net_if_addrs().items():
        if name not in states or not states[name].isup:
            continue
        for address in addresses:
            if address.family == family and not _is_local(address.address):
                return str(address.address)
    return socket.gethostname()


def _is_local(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    return found.is_loopback or found.is_link_local
