"""The network on ONNX Runtime: on the CPU, on CUDA or on TensorRT."""

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from fervid.backends import first_line
from fervid.backends.providers import (
    PROVIDERS,
    automatic,
    load_libraries,
    start_problem,
    tensorrt_options,
)
from fervid.backends.pruned import pruned
from fervid.card import CARD_KEY, ModelCard
from fervid.errors import BackendMissing, CardError, ModelLoadError
from fervid.onnx_file import contents
from fervid.records import ModelOutput, no_cams

OUTPUTS = ["logits", "maps", "cams"]
QUIET = 4  # ONNX Runtime's "fatal": that a provider does not start, fervid says itself


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

    A device that is asked for and absent is an error, never replaced; "auto" is
    `fervid.backends.providers.automatic`. On a GPU inputs and outputs are bound to its memory, and
    each crosses over once. No GPU was at hand: there the code is tested up to the provider's start,
    and the bindings on the CPU.

    Attributes:
        device: where it runs: "cpu", "cuda" or "tensorrt".
    """

    # A call of few faces fills one core: with two, 640x360 goes from 65 to 74 frames a second.
    at_once = 2

    def __init__(
        self, path: Path, device: str = "auto", threads: int = 0, spin: bool = False
    ) -> None:
        self._path, options = path, session_options(threads, spin)
        if device not in ("auto", "cpu"):
            _check_installed(device)
        ort.disable_telemetry_events()  # Windows; elsewhere fervid/__init__.py has done it
        self._model = path.read_bytes()
        self.card = read_card(self._model, path)  # before anything else sees the file
        try:
            self._session: ort.InferenceSession | None = ort.InferenceSession(
                self._model, options, providers=list(PROVIDERS["cpu"])
            )
        except Exception as error:
            raise ModelLoadError(
                f"{path} cannot be loaded as an ONNX model ({first_line(error)}); it is damaged or "
                "something else, so copy or export it again."
            ) from error
        self._check_outputs()
        self.device = automatic(self.card.precision) if device == "auto" else device
        if self.device != "cpu":
            self._session = _start(self.device, path, self.card, options)
        self._options, self._opening = options, Lock()
        self._bare: ort.InferenceSession | None = None
        self.spares_maps = self.device == "cpu"  # on a GPU a second graph was never tried

    def _check_outputs(self) -> None:
        """The outputs must be those of the network's contract."""
        assert self._session is not None
        names = [output.name for output in self._session.get_outputs()]
        if names != OUTPUTS:
            raise ModelLoadError(
                f"{self._path} has the outputs {names}, fervid needs {OUTPUTS}; export it with "
                "`python -m export onnx`."
            )

    def run(
        self,
        images: NDArray[np.float32],
        eta: NDArray[np.float32],
        target: NDArray[np.int64],
        maps: bool = True,
    ) -> ModelOutput:
        """Run one batch; see `Backend.run`. Without `maps` a graph runs that lacks the cams."""
        if self._session is None:
            raise ModelLoadError("The model was closed and cannot run any more.")
        feeds: dict[str, NDArray[Any]] = {"images": images, "eta": eta, "target": target}
        if not maps:
            logits, class_maps = self._bare_session().run(OUTPUTS[:2], feeds)
            return ModelOutput(logits, class_maps, no_cams(len(images)))
        if self.device == "cpu":
            return ModelOutput(*self._session.run(OUTPUTS, feeds))
        return ModelOutput(*run_bound(self._session, feeds, "cuda"))

    def _bare_session(self) -> ort.InferenceSession:
        """The session without heatmaps, which is opened when it is first wanted."""
        with self._opening:
            if self._bare is None:
                try:
                    model = pruned(self._model, OUTPUTS[:2])
                    self._bare = ort.InferenceSession(
                        model, self._options, providers=list(PROVIDERS["cpu"])
                    )
                except Exception as error:
                    raise ModelLoadError(
                        f"{self._path} cannot be loaded without its heatmaps "
                        f"({first_line(error)}); export it again."
                    ) from error
            return self._bare

    def close(self) -> None:
        """Release the sessions."""
        self._session = self._bare = None


def read_card(data: bytes, path: Path) -> ModelCard:
    """The card of an .onnx file that is no danger to run.

    Args:
        data: the file.
        path: its name, for messages.

    Raises:
        ModelLoadError: it is no ONNX file, or one that reads other files or may run for ever.
        CardError: it has no card, or holds another network than its card says.
    """
    found = contents(data, str(path))
    if found.external:
        raise ModelLoadError(
            f"{path} keeps weights in other files (external data), and a model may name any file "
            "there; save it as one file, as `python -m export onnx` does."
        )
    if found.controlled:
        raise ModelLoadError(
            f"{path} branches or loops (graphs within operators), which may never end; export it "
            "with `python -m export onnx`."
        )
    if CARD_KEY not in found.metadata:
        raise CardError(
            f"{path} has no fervid card, so its input is unknown; "
            "export it with `python -m export onnx`."
        )
    card = ModelCard.from_json(found.metadata[CARD_KEY], str(path))
    card.check_content(found.graph_sha256, path)
    return card


def run_bound(
    session: ort.InferenceSession, feeds: dict[str, NDArray[Any]], memory: str
) -> list[NDArray[np.float32]]:
    """Run with inputs and outputs in a device's memory; returns OUTPUTS, copied back.

    Args:
        session: an open session.
        feeds: input name -> array.
        memory: "cuda" or "cpu".
    """
    binding = session.io_binding()
    for name, value in feeds.items():
        there = ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value), memory, 0)
        binding.bind_ortvalue_input(name, there)
    for name in OUTPUTS:
        binding.bind_output(name, memory)
    session.run_with_iobinding(binding)
    found: list[NDArray[np.float32]] = binding.copy_outputs_to_cpu()
    return found


def _check_installed(device: str) -> None:
    """Refuse a device whose provider this ONNX Runtime was not built with.

    Raises:
        BackendMissing: so it is.
    """
    name = PROVIDERS[device][0]
    if name not in ort.get_available_providers():
        raise BackendMissing(
            f"--device {device} needs ONNX Runtime's {name}, which is not installed here; "
            "pip install 'fervid[cuda]', or choose --device cpu.",
            "cuda",
        )


def _start(
    device: str, path: Path, card: ModelCard, options: ort.SessionOptions
) -> ort.InferenceSession:
    """A session on a GPU, of a model that the CPU has loaded already.

    Raises:
        BackendMissing: it does not start there, and why.
    """
    load_libraries()
    wanted: list[Any] = list(PROVIDERS[device])
    if device == "tensorrt":
        wanted[0] = (wanted[0], tensorrt_options(card.input_px, card.precision))
    options.log_severity_level = QUIET
    ort.set_default_logger_severity(QUIET)
    try:
        session = ort.InferenceSession(
            path.read_bytes(), options, providers=wanted, enable_fallback=0
        )
        reason = f"ONNX Runtime took {session.get_providers()[0]} instead"
        if session.get_providers()[0] == PROVIDERS[device][0]:
            return session
    except Exception as error:  # noqa: BLE001  whatever the driver and its libraries make of it
        reason = first_line(error)
    more = "" if device == "cuda" else ", and TensorRT 10 (pip install tensorrt)"
    reason = start_problem(PROVIDERS[device][0]) or reason
    raise BackendMissing(
        f"--device {device} does not start here ({reason}); it needs a GPU by NVIDIA with its "
        f"driver, pip install 'fervid[cuda]'{more}; or choose --device cpu.",
        "cuda",
    )
