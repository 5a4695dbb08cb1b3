"""A server on which Prometheus fetches metrics; it is there only while somebody asked for it."""

import socket
import socketserver
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from fervid.errors import SinkError

IDLE_S = 10.0  # after which a reader that says nothing is left


class _Server(ThreadingWSGIServer):
    """Asks no name server for its own name, as the standard library's would."""

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that leaves early is no error."""


class _Handler(WSGIRequestHandler):
    timeout = IDLE_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


class MetricsServer:
    """Serves a registry over HTTP, until it is closed.

    Args:
        host: where; of a name the first address.
        port: 0 takes one that is free.
        registry: what is served.

    Attributes:
        url: where it is.

    Raises:
        SinkError: the port is taken, or the host is not this machine's.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            family, address = found[0][0], found[0][4][:2]
            kind = type("_Family", (_Server,), {"address_family": family})
            self._server = kind(address, _Handler)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise SinkError(
                f"Metrics cannot be served at {shown} ({reason}); choose another --metrics-port.",
                shown,
            ) from error
        self._server.set_app(make_wsgi_app(registry))
        where = f"[{host}]" if ":" in host else host
        self.url = f"http://{where}:{self._server.server_port}/metrics"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="fervid-metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Serve no more; closing twice is harmless."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
