"""What does the work: codecs, ONNX Runtime, face detectors, the network and its card."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from fervid.doctor import Finding
from fervid.errors import FervidError

if TYPE_CHECKING:  # it needs numpy, and the doctor must run without
    from fervid.card import ModelCard

ACCELERATORS = {"CUDAExecutionProvider": "CUDA", "TensorrtExecutionProvider": "TensorRT"}


def check_codecs(
    decoders: Sequence[str], encoders: Sequence[str], missing: Sequence[str]
) -> Finding:
    """Whether videos can be read and written.

    Args:
        decoders: those that fervid wants.
        encoders: likewise.
        missing: of both, what is not there.
    """
    if not missing:
        found = f"reads {', '.join(decoders)}; writes {', '.join(encoders)}"
        return Finding("Codecs", "ok", found)
    found = f"without {', '.join(missing)}"
    todo = "pip install --force-reinstall av (its wheels have every codec)"
    grave = "h264" in missing or any(name in encoders for name in missing)
    return Finding("Codecs", "bad" if grave else "note", found, todo)


def check_providers(
    available: Sequence[str], has_gpu: bool, problems: Mapping[str, str]
) -> list[Finding]:
    """What networks can run on.

    Args:
        available: the providers that ONNX Runtime was built with.
        has_gpu: whether the machine has a GPU by NVIDIA.
        problems: for each provider that was tried, why it does not start; empty if it does.
    """
    if "CPUExecutionProvider" not in available:
        todo = "pip install --force-reinstall onnxruntime-gpu"
        return [Finding("ONNX Runtime", "bad", "it has no CPU provider", todo)]
    findings = [Finding("ONNX Runtime", "ok", "runs networks on the CPU")]
    for provider, name in ACCELERATORS.items():
        if not has_gpu:
            continue
        if provider not in available:
            todo = "pip install 'fervid[cuda]'"
            findings.append(Finding(name, "note", "not in this ONNX Runtime", todo))
        elif problem := problems.get(provider):
            todo = "pip install 'fervid[cuda]', and update NVIDIA's driver"
            if name == "TensorRT":
                todo = "nothing; CUDA is enough"
            findings.append(Finding(name, "note", f"does not start: {problem}", todo))
        else:
            findings.append(Finding(name, "ok", "starts"))
    if not has_gpu:
        findings.append(Finding("GPU", "ok", "none by NVIDIA; the CPU does it"))
    return findings


def check_torch(version: str | None) -> Finding:
    """Whether .safetensors models can be run too."""
    if version is None:
        todo = "nothing, unless you want .safetensors models: pip install 'fervid[torch]'"
        return Finding("PyTorch", "ok", "not installed, and not needed", todo)
    return Finding("PyTorch", "ok", f"{version}; runs .safetensors models")


def check_detector(name: str, try_out: Callable[[], object]) -> Finding:
    """Whether a face detector loads and runs; `try_out` does both, or raises."""
    label = f"Faces ({name})"
    try:
        try_out()
    except Exception as error:  # noqa: BLE001  MediaPipe may fail to load in any way
        other = isinstance(error, ImportError) and "mediapipe" not in str(error)
        todo = "pip install --upgrade fervid" if other else "pip install mediapipe==0.10.33"
        return Finding(label, "bad", _first_line(error), todo)
    return Finding(label, "ok", "loads, and looks at a black picture")


def check_model(name: str, load: "Callable[[], tuple[ModelCard, str]]") -> list[Finding]:
    """Whether the network loads, runs one black picture and has its card.

    Args:
        name: of its file.
        load: loads and tries it; returns the card and the file's hash, or raises.
    """
    try:
        card, digest = load()
    except FervidError as error:
        return [Finding("Model", "bad", str(error), "check --model, or reinstall fervid")]
    except Exception as error:  # noqa: BLE001  whatever a library makes of a broken file
        return [Finding("Model", "bad", f"{name}: {_first_line(error)}", "reinstall fervid")]
    figures = ", ".join(f"{key} {value:.3g}" for key, value in card.metrics.items())
    words = (
        f"{card.name}, {card.precision}, {card.input_px} px; {len(card.classes)} classes: "
        f"{', '.join(card.classes)}; accuracy: {figures or 'none in the card'}; {card.licence}"
    )
    return [
        Finding("Model", "ok", f"{name} runs on a black picture; sha256 {digest[:16]}"),
        Finding("Model card", "ok", words),
    ]


def load_model(path: Path) -> "tuple[ModelCard, str]":
    """Open a model as a run does, which tries it on a black picture; its card and its hash.

    Raises:
        FervidError: it cannot be opened or run.
    """
    from fervid.backends import open_backend
    from fervid.card import sha256

    with closing(open_backend(path, "auto", 0)) as backend:
        return backend.card, sha256(path)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
