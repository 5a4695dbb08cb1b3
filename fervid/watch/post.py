"""Alerts by HTTP: a POST of each as JSON, by the standard library.

A redirection is not followed and a proxy not used: the alert goes to the host that was named.
"""

import base64
import http.client
import json
import socket
import ssl
from contextlib import suppress
from functools import partial
from urllib.parse import quote, unquote, urlsplit

from fervid import __version__
from fervid.config.watching import shown_address
from fervid.deadline import call_in_time
from fervid.watch.courier import DeliveryError, Event

LIMIT_S = 5.0  # for all of one delivery
SAFE = "/?:@!$&'()*+,;=-._~%"  # what stays as it is in a path


class Post:
    """Posts events to an address. https servers must prove who they are.

    Args:
        url: http or https; a user and a password in it are sent as basic authentication.
        limit_s: seconds that a delivery may take.
    """

    def __init__(self, url: str, limit_s: float = LIMIT_S) -> None:
        self.name = shown_address(url)
        self._limit_s, self._aborted = limit_s, False
        parts = urlsplit(url)
        self._host, self._port, self._secure = parts.hostname, parts.port, parts.scheme == "https"
        query = f"?{parts.query}" if parts.query else ""
        self._path = quote((parts.path or "/") + query, safe=SAFE)
        self._head = {"Content-Type": "application/json", "User-Agent": f"fervid/{__version__}"}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            code = base64.b64encode(login.encode()).decode()
            self._head["Authorization"] = f"Basic {code}"
        self._connection: http.client.HTTPConnection | None = None

    def send(self, event: Event) -> None:
        """Deliver one event.

        Raises:
            DeliveryError: nobody took it in time, or not with a status of success.
        """
        if self._aborted:
            raise DeliveryError("the run has ended")
        connection = self._connection = self._connect()
        body = json.dumps(event).encode()
        try:
            # A server that sends a byte now and then would outlast every limit of a socket.
            status = call_in_time(
                partial(self._request, connection, body), self._limit_s, lambda _: None
            )
        except TimeoutError:
            raise DeliveryError(f"no answer within {self._limit_s:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryError(_reason(error)) from error
        finally:
            self._connection = None
            _cut(connection)
        if not 200 <= status < 300:
            raise DeliveryError(f"it answered {status}")

    def abort(self) -> None:
        """End the delivery that is under way."""
        self._aborted = True
        connection = self._connection
        if connection is not None:
            _cut(connection)

    def _connect(self) -> http.client.HTTPConnection:
        host = self._host or ""
        if not self._secure:
            return http.client.HTTPConnection(host, self._port, timeout=self._limit_s)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, self._port, timeout=self._limit_s, context=context)

    def _request(self, connection: http.client.HTTPConnection, body: bytes) -> int:
        connection.request("POST", self._path, body, self._head)
        return connection.getresponse().status


def _cut(connection: http.client.HTTPConnection) -> None:
    """Close a connection, also under a thread that waits for it."""
    if connection.sock is not None:
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()


def _reason(error: Exception) -> str:
    """Why a delivery failed; the library's words on a strange answer may repeat what was sent."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"it gave no HTTP answer: {type(error).__name__}"
