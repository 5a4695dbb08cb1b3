"""Talks to the package `fer`, which lives in another environment."""

import json
import subprocess
from pathlib import Path
from typing import Self

from fervid.errors import LibraryMissing

VERSION = "25.10.3"
WORKER = Path(__file__).with_name("fer_worker.py")
INSTALL = (
    f"python3 -m venv fer-env && fer-env/bin/pip install --no-deps fer=={VERSION} && "
    "fer-env/bin/pip install tensorflow-cpu 'opencv-contrib-python<5' requests pillow "
    "'setuptools<81'"
)


class Fer:
    """The package over one clip, as often as asked for; a context manager.

    Args:
        python: the interpreter of its environment.
        clip: what OpenCV can read.
        version: the one that is wanted.

    Raises:
        LibraryMissing: there is no such interpreter, or `fer` is not there, or another version.
    """

    def __init__(self, python: Path, clip: Path, version: str = VERSION) -> None:
        try:
            self._process = subprocess.Popen(
                [str(python), str(WORKER), str(clip)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError as error:
            raise LibraryMissing(
                f"{python} does not start ({error.strerror}); make an environment with fer: "
                f"{INSTALL}",
                "fer",
            ) from error
        told = self._answer()
        if told.get("version") != version:
            self.close()
            found = told.get("missing") or f"it is version {told.get('version')}"
            raise LibraryMissing(
                f"fer {version} cannot be used from {python} ({found}); make an environment for "
                f"it: {INSTALL}",
                "fer",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End its process; closing twice is harmless."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()

    def analyse(self) -> dict[str, float]:
        """Analyse the clip once: {"fps": from the first result to the last, "faces": a frame}."""
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            self.close()
            raise LibraryMissing(
                f"fer ended with code {code} before it answered; make its environment again: "
                f"{INSTALL}",
                "fer",
            )
        return json.loads(line)
