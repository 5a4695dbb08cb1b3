"""The network on ONNX Runtime, on the CPU or on CUDA."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fervid.backends import first_line
from fervid.card import CARD_KEY, ModelCard
from fervid.errors import BackendMissing, CardError, ModelLoadError
from fervid.records import ModelOutput

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
OUTPUTS = ["logits", "maps", "cams"]


def session_options(threads: int = 0, spin: bool = False) -> ort.SessionOptions:
    """Options under which int8 models mean the same on every processor.

    Without VNNI an x86 processor adds products of unsigned and signed bytes in 16 bits, which
    saturate, and labels change. "x64quantprecision" takes unsigned weights there, and changes
    nothing where VNNI is.

    Args:
        threads: of one run; 0 leaves the number to the library.
        spin: threads that have nothing to do wait actively, and take a core from all others.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    return options


class OnnxBackend:
    """Runs an .onnx model that `python -m export` wrote; see `fervid.backends.Backend`.

    "auto" is the CPU; a device that is asked for and absent is an error, never replaced.
    """

    # A call of few faces fills one core: with two, 640x360 goes from 65 to 74 frames a second.
    at_once = 2

    def __init__(
        self, path: Path, device: str = "auto", threads: int = 0, spin: bool = False
    ) -> None:
        provider = PROVIDERS["cpu" if device == "auto" else device]
        if provider not in ort.get_available_providers():
            raise BackendMissing(
                f"--device {device} needs ONNX Runtime's {provider}, which is not installed here; "
                "pip install 'fervid[cuda]'.",
                "cuda",
            )
        ort.disable_telemetry_events()  # Windows; elsewhere fervid/__init__.py has done it
        try:
            self._session: ort.InferenceSession | None = ort.InferenceSession(
                path.read_bytes(), session_options(threads, spin), providers=[provider]
            )
        except Exception as error:
            raise ModelLoadError(
                f"{path} cannot be loaded as an ONNX model ({first_line(error)}); it is damaged or "
                "something else, so copy or export it again."
            ) from error
        if self._session.get_providers()[0] != provider:
            raise BackendMissing(f"{provider} was asked for and could not be started.", "cuda")
        metadata = self._session.get_modelmeta().custom_metadata_map
        if CARD_KEY not in metadata:
            raise CardError(
                f"{path} has no fervid card, so its input is unknown; "
                "export it with `python -m export onnx`."
            )
        self.card = ModelCard.from_json(metadata[CARD_KEY], str(path))
        names = [output.name for output in self._session.get_outputs()]
        if names != OUTPUTS:
            raise ModelLoadError(
                f"{path} has the outputs {names}, fervid needs {OUTPUTS}; export it with "
                "`python -m export onnx`."
            )

    def run(
        self, images: NDArray[np.float32], eta: NDArray[np.float32], target: NDArray[np.int64]
    ) -> ModelOutput:
        """Run one batch; see `Backend.run`."""
        if self._session is None:
            raise ModelLoadError("The model was closed and cannot run any more.")
        feeds = {"images": images, "eta": eta, "target": target}
        return ModelOutput(*self._session.run(OUTPUTS, feeds))

    def close(self) -> None:
        """Release the session."""
        self._session = None
