"""Take a picture of fervid's dashboard in a terminal of a given size (tmux and Chromium).

python samples/dashboard_picture.py docs/dashboard.png
python samples/dashboard_picture.py small.png --size 60x20 --light --fervid clip.mp4
"""

import argparse
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

SAMPLE = Path(__file__).parent / "noisy_portrait.mp4"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WAIT_S = 300.0  # for what is waited for on the screen
ANSI = [
    *((0, 0, 0), (205, 49, 49), (13, 150, 80), (176, 128, 0)),
    *((36, 114, 200), (188, 63, 188), (17, 140, 160), (150, 150, 150)),
]
THEMES = {
    "dark": TerminalTheme((24, 26, 31), (220, 223, 228), ANSI),
    "light": TerminalTheme((252, 252, 250), (40, 42, 48), ANSI),
}
PAGE = """<meta charset="utf-8"><style>
body {{ margin: 0; background: {background}; color: {foreground}; }}
pre {{ margin: 0; padding: 12px; display: inline-block; font: 15px/18px "DejaVu Sans Mono"; }}
</style><pre>{code}</pre>"""


@contextmanager
def terminal(command, width, height, **environment):
    """A command in a tmux of its own, and what captures its screen with its colours."""
    server = ["tmux", "-L", f"fervid-{os.getpid()}", "-f", os.devnull]
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
    shown = f"{settings} {shlex.join(command)}; sleep {WAIT_S:.0f}"
    size = ["-x", str(width), "-y", str(height)]
    session = [*server, "new-session", "-d", *size, "sh", "-c", shown]
    subprocess.run([*session, ";", "set", "status", "off"], check=True)

    def capture():
        pane = [*server, "capture-pane", "-e", "-p"]
        return subprocess.run(pane, check=True, capture_output=True, text=True).stdout

    try:
        yield capture
    finally:
        subprocess.run([*server, "kill-server"], check=True)


def screen_when(capture, pattern):
    """The first screen that shows a pattern, as text with colours."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        found = Text.from_ansi(capture())
        if re.search(pattern, found.plain):
            return found
        time.sleep(0.1)
    sys.exit(f"No {pattern} on the screen within {WAIT_S:.0f} s.")


def photograph(text, theme, path):
    """Save a screen as a PNG, without the blank lines below what it shows."""
    text.rstrip()
    width = max(map(len, text.plain.splitlines()), default=1)
    console = Console(record=True, file=io.StringIO(), width=width, color_system="truecolor")
    console.print(text, no_wrap=True, end="")
    page = console.export_html(theme=THEMES[theme], code_format=PAGE, inline_styles=True)
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 2400, "height": 1600})
        tab.set_content(page)
        tab.locator("pre").screenshot(path=path)
        browser.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--size", default="100x30", help="columns x rows")
    parser.add_argument("--when", default=r"at 0:0[4-9]", help="what the screen shows by then")
    parser.add_argument("--light", action="store_true", help="a light terminal")
    parser.add_argument("--set", nargs="*", default=["COLORTERM=truecolor"], metavar="NAME=VALUE")
    parser.add_argument("--fervid", nargs="+", default=[str(SAMPLE)], help="what it analyses")
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    command = [sys.executable, "-m", "fervid", *args.fervid]
    settings = dict(setting.split("=", 1) for setting in args.set)
    with terminal(command, width, height, **settings) as capture:
        screen = screen_when(capture, args.when)
    photograph(screen, "light" if args.light else "dark", args.out)


if __name__ == "__main__":
    main()
