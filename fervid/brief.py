"""The help in two screens: without the options that few people need."""

from typing import Any

from cyclopts.help import DefaultFormatter, HelpPanel
from rich.console import Console

RARE_GROUPS = ("Labels", "Threads")
RARE_OPTIONS = frozenset(
    [
        "--rtsp-transport",
        "--open-timeout-s",
        "--read-timeout-s",
        "--reconnect-max-s",
        "--frozen-s",
        "--credentials",
        "--tls-verify",
        "--queue-mb",
        "--filter-set",
        "--chunk",
        "--heatmap-smooth-s",
    ]
)


class Brief(DefaultFormatter):
    """Prints a help page without RARE_GROUPS and RARE_OPTIONS."""

    def __call__(self, console: Console, options: Any, panel: HelpPanel) -> None:
        """Print one panel, or nothing."""
        if panel.title in RARE_GROUPS:
            return
        kept = [entry for entry in panel.entries if not RARE_OPTIONS & set(entry.names)]
        super().__call__(console, options, panel.copy(entries=kept))
