"""The page: one HTML file that holds its figures, pictures, style and program, and loads nothing.

A Content-Security-Policy in the file allows the programs and styles whose hashes it names, and
pictures that are written out in it; a browser then fetches nothing, and runs nothing that a name
or label may have brought in.
"""

import base64
import hashlib
import html
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from fervid.console import printable

SCRIPTS = (
    *("uPlot.iife.min.js", "elements.js", "figures.js", "charts.js", "controls.js", "faces.js"),
    "page.js",
)
STYLES = ("uPlot.min.css", "page.css")
# What could end the element that holds the figures, or begin another one.
_UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def page(data: Mapping[str, Any]) -> str:
    """The whole file.

    Args:
        data: as `report_data` makes it.
    """
    scripts = [_asset(name) for name in SCRIPTS]
    styles = [_asset(name) for name in STYLES]
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"script-src {_hashes(scripts)}; style-src {_hashes(styles)}"
    )
    parts = {
        "policy": policy,
        "title": html.escape(printable(data["source"]["label"] or "a source")),
        "styles": "".join(f"<style>{text}</style>\n" for text in styles),
        "scripts": "".join(f"<script>{text}</script>\n" for text in scripts),
        "data": as_json(data),
        "licence": _asset("LICENSE-uPlot.txt"),
    }
    pieces = _asset("page.html").split("{{")
    out = [pieces[0]]
    for piece in pieces[1:]:  # once, so that what is put in is not looked through again
        name, _, rest = piece.partition("}}")
        out += (parts[name], rest)
    return "".join(out)


def as_json(data: Mapping[str, Any]) -> str:
    """JSON that may lie in a script element: nothing in it looks like a tag."""
    text = json.dumps(_plain(data), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return text.translate(_UNSAFE)


def _plain(value: Any) -> Any:
    """A value whose texts are text; a byte of a file's name that is none is shown as that byte."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _asset(name: str) -> str:
    return (files("fervid.report") / "assets" / name).read_text(encoding="utf-8")


def _hashes(texts: list[str]) -> str:
    """The sources of a policy that allow exactly these texts."""
    digests = [hashlib.sha256(text.encode()).digest() for text in texts]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
