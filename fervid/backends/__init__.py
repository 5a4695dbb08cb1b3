"""Backends run the expression network; one protocol, one table, no discovery.

A backend is chosen by the model file's suffix and is never replaced by another one silently.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.resources import as_file, files
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fervid import probe
from fervid.card import ModelCard
from fervid.errors import BackendMissing, ModelLoadError
from fervid.nearest import or_else
from fervid.records import ModelOutput


class Backend(Protocol):
    """Something that runs the network of one model file."""

    card: ModelCard

    def run(
        self,
        images: NDArray[np.float32],
        eta: NDArray[np.float32],
        target: NDArray[np.int64],
    ) -> ModelOutput:
        """Run one batch.

        Args:
            images: (N, 3, S, S), luma three times, normalised by the card.
            eta: (N,), RMS noise left in each crop, 0-1 scale.
            target: (N,), class whose heatmaps are wanted; -1 for the most probable one.

        A backend with an attribute `spares_maps` that is true takes `maps=False` too, and then
        leaves out `ModelOutput.cams`.
        """

    def close(self) -> None:
        """Release the model; closing twice is harmless."""


BACKENDS: dict[str, str] = {
    ".onnx": "fervid.backends.onnx_backend:OnnxBackend",
    ".safetensors": "fervid.backends.torch_backend:TorchBackend",
}


DEFAULT_MODEL = "fervid-int8.onnx"
PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".bin")  # how PyTorch saves by itself


@contextmanager
def model_file(path: Path | None = None) -> Iterator[Path]:
    """The file of a model: the one that was named, or the one that comes with fervid.

    Args:
        path: None for fervid's own, which may be unpacked for the time of the context.
    """
    if path is not None:
        yield path
        return
    with as_file(files("fervid") / "models" / DEFAULT_MODEL) as own:
        yield own


def open_backend(
    path: Path | str | None = None, device: str = "auto", threads: int = 0, spin: bool = False
) -> Backend:
    """Open a model file with the backend its suffix names.

    Args:
        path: an .onnx or .safetensors file with a card; None for the model that comes with fervid.
        device: "auto", "cpu", "cuda" or, for .onnx files, "tensorrt".
        threads: threads inside the backend; 0 leaves the choice to the library.
        spin: let threads of an .onnx model wait actively.

    Raises:
        ModelLoadError: the file is missing, has another suffix, cannot be loaded, or does not run
            as its card says.
        CardError: it has no card.
        BackendMissing: the library or the device that runs it is not here.
    """
    with model_file(None if path is None else Path(path)) as file:
        return _open(file, device, threads, spin)


def _open(path: Path, device: str, threads: int, spin: bool) -> Backend:
    if probe.is_folder(path):
        raise ModelLoadError(f"The model file {path} is a folder; name a file.")
    if not probe.exists(path):
        raise ModelLoadError(
            f"The model file {path} does not exist; {or_else(path, 'check --model')}"
        )
    entry = BACKENDS.get(path.suffix.lower())
    if entry is None:
        known = " or ".join(BACKENDS)
        pickle = ", and a pickle could run any program" if path.suffix.lower() in PICKLES else ""
        raise ModelLoadError(
            f"The model file {path} is not {known}{pickle}; save it with `python -m train release` "
            "or export it with `python -m export onnx`."
        )
    if not os.access(path, os.R_OK):
        raise ModelLoadError(f"The model file {path} may not be read; check its permissions.")
    module, _, name = entry.partition(":")
    try:
        make = getattr(import_module(module), name)
    except ImportError as error:
        raise BackendMissing(
            f"{path} needs {error.name}, which is not installed here; "
            "pip install 'fervid[torch]', or give an .onnx model.",
            "torch",
        ) from error
    backend: Backend = make(path, device, threads, spin)
    try:
        _try_out(backend, path)
    except BaseException:
        backend.close()
        raise
    return backend


def first_line(error: Exception) -> str:
    """What a library says first, without ONNX Runtime's numbers and names of its errors."""
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", said)[:160].rstrip(". ")


def _try_out(backend: Backend, path: Path) -> None:
    """Run one black picture, so that a model that does not fit its card is refused at once."""
    card = backend.card
    black = np.zeros((1, 3, card.input_px, card.input_px), np.float32)
    try:
        out = backend.run(black, np.zeros(1, np.float32), np.full(1, -1, np.int64))
    except Exception as error:  # whatever the library makes of a graph that is not ours
        raise ModelLoadError(
            f"{path} does not run as its card says ({first_line(error)}); export it again."
        ) from error
    if out.logits.shape != (1, len(card.classes)):
        raise ModelLoadError(
            f"{path} has {out.logits.shape[1]} outputs and its card {len(card.classes)} classes; "
            "export it again."
        )
