"""A folder of pictures that a run fills and an earlier run may have filled before."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fervid.sinks.text import sink_error


class PictureFolder:
    """Makes the folder and removes pictures of an earlier run: whether they may go is asked before.

    Args:
        path: the folder.
        saved: yields the files in it that a run has written, and no others.

    Raises:
        SinkError: it cannot be made or emptied.
    """

    def __init__(self, path: Path, saved: Callable[[Path], Iterator[Path]]) -> None:
        self.path = path
        try:
            path.mkdir(exist_ok=True)
            for old in saved(path):
                old.unlink()
        except OSError as error:
            raise sink_error(path, error) from error

    def save(self, name: str, picture: NDArray[np.uint8]) -> None:
        """Write a picture as PNG; its folder within this one is made.

        Raises:
            SinkError: it could not be written.
        """
        path = self.path / name
        content = cv2.imencode(".png", picture)[1].tobytes()
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise sink_error(path, error) from error
