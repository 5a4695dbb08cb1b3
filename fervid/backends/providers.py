"""What ONNX Runtime can run networks on, and whether it really starts there."""

import contextlib
import io
import logging
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

# The provider of each device, the one that must start first.
PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider",),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
}
START_WITHIN_S = 60
# The smallest ONNX graph: y = Identity(x), x float32 (1,).
IDENTITY = (
    "080812003a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801"
    "620f0a0179120a0a08080112040a02080142040a00100d"
)
_PROBE = """
import os, sys
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime
getattr(onnxruntime, "preload_dlls", lambda: None)()
session = onnxruntime.InferenceSession(bytes.fromhex(sys.argv[2]), providers=[sys.argv[1]])
sys.exit(session.get_providers()[0] != sys.argv[1])
"""


def providers() -> list[str]:
    """The providers that the installed ONNX Runtime was built with, as "CUDAExecutionProvider".

    Raises:
        ImportError: it is not installed, or cannot be loaded.
    """
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def gpu_present() -> bool:
    """Whether NVIDIA's driver is on this machine."""
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None


def automatic(precision: str) -> str:
    """The device that "auto" means for an ONNX model: CUDA where it starts, or the CPU.

    CUDA has no int8 convolutions, so int8 models stay on the CPU, which they were made for.

    Args:
        precision: of the model's card.
    """
    name = PROVIDERS["cuda"][0]
    if precision == "int8" or not gpu_present() or name not in providers():
        return "cpu"
    problem = start_problem(name)
    if problem:
        log.warning("The CPU is used, as CUDA does not start: %s", problem)
    return "cpu" if problem else "cuda"


def load_libraries() -> None:
    """Load CUDA's and cuDNN's libraries as pip installs them; what it says goes to the log."""
    import onnxruntime

    said = io.StringIO()
    with contextlib.redirect_stdout(said):  # standard output is for data
        onnxruntime.preload_dlls()
    for line in said.getvalue().splitlines():
        log.debug("onnxruntime: %s", line)


def tensorrt_options(input_px: int, precision: str, batch: int = 64) -> dict[str, str]:
    """One engine for every batch size, as otherwise each new size builds one, for a minute.

    Args:
        input_px: S of the network.
        precision: of the model's card; float16 lets TensorRT compute in it.
        batch: most faces of one call.
    """

    def shapes(n: int) -> str:
        return f"images:{n}x3x{input_px}x{input_px},eta:{n},target:{n}"

    return {
        "trt_fp16_enable": str(precision == "float16"),
        "trt_profile_min_shapes": shapes(1),
        "trt_profile_opt_shapes": shapes(1),
        "trt_profile_max_shapes": shapes(batch),
    }


def start_problem(provider: str) -> str:
    """Why a provider does not start here; empty if it does.

    It is tried in a process of its own: a broken driver may end the process that loads it.
    """
    command = [sys.executable, "-c", _PROBE, provider, IDENTITY]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=START_WITHIN_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not answer ({type(error).__name__})"
    if done.returncode == 0:
        return ""
    return _reason(done.stderr) or f"its process ended with code {done.returncode}"


def _reason(said: str) -> str:
    """What ONNX Runtime's log says in the end of its first error, without place and time."""
    errors = [line for line in said.splitlines() if "rror" in line]
    return (
        errors[0].rpartition("with error: ")[2].removesuffix("\x1b[m").strip()[:160]
        if errors
        else ""
    )
