"""The section that says who is told while a run goes on: metrics, events, alerts."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from cyclopts import Parameter, Token

from fervid.config.credentials import without_credentials
from fervid.config.rules import LIKE, Rule, parse_rule
from fervid.config.section import Section
from fervid.errors import ConfigError

LOOPBACK = "127.0.0.1"
MOST_PORTS = 65_535


def metrics_address(value: Any) -> tuple[str, int]:
    """Return the host and the port of "9100", "0.0.0.0:9100" or "[::1]:9100".

    Args:
        value: one of these, or a number; without a host it is this machine's own (127.0.0.1).

    Raises:
        ConfigError: it is something else.
    """
    parts = re.fullmatch(
        r"(?:(?:\[([0-9a-fA-F:.%]+)\]|([^\s:\[\]/@]+)):)?([0-9]{1,5})", str(value).strip()
    )
    if parts is None or isinstance(value, bool) or int(parts[3]) > MOST_PORTS:
        raise ConfigError(
            f"--metrics-port must be PORT or HOST:PORT with a port up to {MOST_PORTS}, like 9100 "
            f"or 0.0.0.0:9100, not {without_credentials(str(value))!r}.",
            "metrics_port",
        )
    return parts[1] or parts[2] or LOOPBACK, int(parts[3])


def shown_address(url: str) -> str:
    """Return of a URL what may be shown: its path may be as secret as its password."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}"


def _metrics_port(_: type, tokens: Sequence[Token]) -> str:
    return _joined(*metrics_address(tokens[0].value))


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchConfig(Section):
    """Who is told while a run goes on.

    Attributes:
        metrics_port: Serve Prometheus metrics; without HOST, to this machine only.
        events: File of what changes alone, one line of JSON each; - is standard output.
        alert: Rule like 'fear > 0.7 for 2s'; may be given several times.
        alert_url: Address that gets each alert as JSON by HTTP POST.
        alert_exec: Command that gets each alert as JSON on its standard input.
    """

    metrics_port: Annotated[
        str | None, Parameter(converter=_metrics_port, n_tokens=1, metavar="[HOST:]PORT")
    ] = None
    events: Path | None = None
    alert: Annotated[tuple[str, ...], Parameter(metavar="RULE")] = ()
    alert_url: Annotated[str | None, Parameter(metavar="URL")] = None
    alert_exec: Annotated[str | None, Parameter(metavar="COMMAND")] = None

    def __post_init__(self) -> None:
        if self.metrics_port is not None:
            host, port = metrics_address(self.metrics_port)
            object.__setattr__(self, "metrics_port", _joined(host, port))
        Section.__post_init__(self)  # a slotted dataclass has no zero-argument super()
        texts = [rule.text for rule in self.rules()]
        if twice := {text for text in texts if texts.count(text) > 1}:
            raise ConfigError(f"--alert {min(twice)!r} is given twice; give it once.", "alert")
        for key in ("alert_url", "alert_exec"):
            if getattr(self, key) is not None and not self.alert:
                option = "--" + key.replace("_", "-")
                raise ConfigError(f"{option} needs a rule; add --alert {LIKE}.", key)
        if self.alert_url is not None:
            _check_url(self.alert_url)
        if self.alert_exec is not None:
            self.command()

    @property
    def asked(self) -> str | None:
        """The first option of this section that was given, as "metrics-port"."""
        given = [key for key in ("metrics_port", "events", "alert") if getattr(self, key)]
        return given[0].replace("_", "-") if given else None

    def rules(self) -> tuple[Rule, ...]:
        """What alerts are about.

        Raises:
            ConfigError: a rule cannot be read.
        """
        return tuple(map(parse_rule, self.alert))

    def command(self) -> tuple[str, ...]:
        """The words of `alert_exec`, taken apart as a shell does, without one; none if not set.

        Raises:
            ConfigError: a quote is not closed, or there is no word.
        """
        if self.alert_exec is None:
            return ()
        try:
            words = tuple(shlex.split(self.alert_exec))
        except ValueError:
            words = ()
        if not words or not words[0] or any("\0" in word for word in words):
            raise ConfigError(
                "--alert-exec must be a command with its arguments, each quote closed, like "
                "'notify-send fervid'.",
                "alert_exec",
            )
        return words

    def shown(self) -> dict[str, Any]:
        """What may be written into an output's header: no path of an address, no argument."""
        return {
            "metrics_port": self.metrics_port,
            "events": self.events,
            "alert": self.alert,
            "alert_url": self.alert_url and shown_address(self.alert_url),
            "alert_exec": self.alert_exec and self.command()[0],
        }


def _check_url(url: str) -> None:
    """Stop where alerts could not be sent to an address, without repeating what may be secret."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or half an IPv6 address
        good = False
    if not good or re.search(r"[\x00-\x20\x7f]", url):
        raise ConfigError(
            "--alert-url must be an address like https://host/path, with http or https, a host, "
            "and no blanks; check it.",
            "alert_url",
        )
