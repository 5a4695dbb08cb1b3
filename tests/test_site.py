"""The documentation builds without a warning, and its pages ask nothing of anybody else."""

import functools
import http.server
import importlib.util
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from tests.browser import chromium, needs_browser
from tests.places import ROOT

CONFIG = ROOT / "docs/site/mkdocs.yml"
LOADED = re.compile(r"<(?:script|img|link|iframe|source)[^>]+(?:src|href)=[\"']?(https?:)?//")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    out = tmp_path_factory.mktemp("site")
    command = ["-m", "mkdocs", "build", "--strict", "-f", str(CONFIG), "-d", str(out)]
    done = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return out


@contextmanager
def served(folder):
    """Its address on loopback."""
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_every_page_of_the_documents_is_built(site):
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert pages <= {path.parent.name for path in site.glob("*/index.html")}
    assert not (site / "site").exists()
    text = (site / "api/index.html").read_text()
    for name in ("Pipeline", "FrameResult", "read_results", "ModelCard", "OutputConfig"):
        assert re.search(rf'id="fervid\.\w+\.{name}"', text), name


def test_no_page_loads_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        assert not LOADED.search(page.read_text(encoding="utf-8")), page
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", style.read_text(encoding="utf-8")), style


@needs_browser
def test_pages_say_no_error_and_ask_one_server_alone(site):
    said, asked = [], []
    with chromium() as browser, served(site) as address:
        page = browser.new_page()
        page.on("console", lambda line: said.append(line.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        for name in ("", "deciding/", "trust/", "own-data/", "api/", "results/report/"):
            page.goto(f"{address}/{name}")
            page.wait_for_load_state("networkidle")
            assert page.locator("h1").first.is_visible()
        page.goto(address)
        page.keyboard.press("/")
        page.keyboard.type("uncertain")
        page.wait_for_selector(".md-search-result__item")
    assert said == []
    assert asked
    assert {url for url in asked if not url.startswith((address, "data:", "blob:"))} == set()


def test_what_lies_outside_is_named(site):
    assert "fervid/report/assets/NOTICE.md" in (site / "report/index.html").read_text()


def test_the_tables_of_trust_are_those_of_the_results():
    spec = importlib.util.spec_from_file_location("figures", ROOT / "docs/site/figures.py")
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    text = (ROOT / "docs/trust.md").read_text(encoding="utf-8")
    assert figures.filled(text) == text, "run `python docs/site/figures.py`"
    assert len(figures.PLACE.findall(text)) == len(figures.TABLES)
    assert figures.filled(text.replace("| 89.5 |", "| 99.9 |")) == text
