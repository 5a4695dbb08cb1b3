"""`import fervid`: what it offers, and that type checkers see the same."""

import ast
import subprocess
import sys
from importlib.util import find_spec

import pytest

import fervid
from tests.places import ROOT

SOURCE = ROOT / "fervid" / "__init__.py"


def python(code):
    """Run code in a fresh interpreter and return what it printed."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_every_public_name_is_there():
    for name in fervid.__all__:
        assert getattr(fervid, name) is not None
    assert set(dir(fervid)) >= {*fervid.__all__, "__version__"}


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'fervid' has no attribute 'Pipelines'"):
        _ = fervid.Pipelines


def test_type_checkers_see_the_names_that_are_loaded():
    """The imports under TYPE_CHECKING name what the table says, from where it says."""
    (block,) = (n for n in ast.parse(SOURCE.read_text()).body if isinstance(n, ast.If))
    typed = {
        alias.asname or alias.name: (node.module, alias.name)
        for node in block.body
        for alias in node.names
    }
    assert sorted(typed) == sorted(fervid.__all__)
    for name, (module, original) in typed.items():
        home = sys.modules.get(f"{module}.{original}") or getattr(
            __import__(module, fromlist=[original]), original
        )
        assert getattr(fervid, name) is home


def test_no_name_is_hidden_by_a_module():
    """A submodule takes its own name in the package as soon as anybody imports it."""
    for name in fervid.__all__:
        if find_spec(f"fervid.{name}") is not None:
            assert getattr(fervid, name).__name__ == f"fervid.{name}"


def test_the_names_stay_after_everything_was_imported():
    python(
        "import fervid.run, fervid.draw, fervid.noise, fervid.faces\n"
        "assert callable(fervid.annotate) and callable(fervid.estimate_noise)\n"
        "assert fervid.faces.FaceDetector is fervid.FaceDetector"
    )


def test_a_program_may_end_with_a_pipeline_open():
    """MediaPipe's own clean-up would print a traceback at the end of the interpreter."""
    code = (
        "import numpy as np, fervid\n"
        "pipeline, detector = fervid.Pipeline(), fervid.FaceDetector()\n"
        "(result,) = pipeline.run([np.zeros((90, 120, 3), np.uint8)])\n"
        "print(len(result.faces))"
    )
    assert python(code) == "0"


def test_the_wheel_says_that_it_is_typed():
    assert (ROOT / "fervid" / "py.typed").is_file()
