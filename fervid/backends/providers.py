"""What ONNX Runtime can run networks on, and whether it really starts there."""

import subprocess
import sys

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
