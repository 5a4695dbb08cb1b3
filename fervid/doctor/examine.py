"""Every check, with its facts from this machine."""

import contextlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from rich.console import Console

from fervid.doctor import Finding, engines, machine, packages

Findings = Finding | Iterable[Finding]


def examine(model: Path | None = None) -> list[Finding]:
    """Look at everything; a check that fails itself is a finding too.

    Args:
        model: model file to look at; None is the one that comes with fervid.
    """
    found: list[Finding] = []
    for name, check in _checks(model).items():
        try:
            with contextlib.redirect_stdout(sys.stderr):  # OpenCV without numpy prints advice
                result = check()
        except Exception as error:  # noqa: BLE001  the doctor survives whatever it looks at
            reason = f"cannot be looked at ({type(error).__name__}: {error})"
            result = Finding(name, "bad", reason, "pip install --force-reinstall fervid")
        found += [result] if isinstance(result, Finding) else result
    return found


def _checks(model: Path | None) -> Mapping[str, Callable[[], Findings]]:
    """The checks in the order of the table, by the name that stands there."""
    return {
        "Python": lambda: packages.check_python(
            sys.version_info[:3], sys.platform, platform.machine()
        ),
        "Packages": lambda: packages.check_versions(packages.installed_versions()),
        "OpenCV": lambda: packages.check_family("cv2", *packages.family_facts("cv2")),
        "onnxruntime": lambda: packages.check_family(
            "onnxruntime", *packages.family_facts("onnxruntime")
        ),
        "Codecs": _codecs,
        "ONNX Runtime": _providers,
        "PyTorch": lambda: engines.check_torch(_torch_version()),
        "Faces": lambda: [_detector("short"), _detector("full")],
        "Model": lambda: _model(model),
        "Configuration": _configuration,
        "Display": _display,
        "Cameras": lambda: machine.check_cameras(sys.platform, machine.camera_devices()),
        "Disk": lambda: machine.check_disk(shutil.disk_usage(".").free, str(Path.cwd())),
        "Memory": _memory,
        "Terminal": _terminal,
        "Telemetry": lambda: machine.check_telemetry(os.environ),
    }


def _codecs() -> Finding:
    from fervid import codecs

    missing = [*codecs.missing_decoders(), *codecs.missing_encoders()]
    return engines.check_codecs(codecs.NEEDED_DECODERS, codecs.NEEDED_ENCODERS, missing)


def _providers() -> list[Finding]:
    from fervid.backends.providers import gpu_present, providers, start_problem

    available, has_gpu = providers(), gpu_present()
    tried = [name for name in engines.ACCELERATORS if name in available and has_gpu]
    return engines.check_providers(available, has_gpu, {n: start_problem(n) for n in tried})


def _torch_version() -> str | None:
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return None


def _detector(name: str) -> Finding:
    def try_out() -> None:
        from fervid.faces import FaceDetector

        FaceDetector("full" if name == "full" else "short").close()

    return engines.check_detector(name, try_out)


def _model(named: Path | None) -> list[Finding]:
    from fervid.backends import model_file

    with model_file(named) as path:
        return engines.check_model(path.name, lambda: engines.load_model(path))


def _configuration() -> Finding:
    from fervid.config.file import FILE_NAME, load_config
    from fervid.errors import ConfigError

    if not Path(FILE_NAME).is_file():
        return Finding("Configuration", "ok", f"no {FILE_NAME} here; the defaults hold")
    try:
        load_config(FILE_NAME)
    except ConfigError as error:
        return Finding("Configuration", "bad", str(error), f"mend {FILE_NAME}")
    return Finding("Configuration", "ok", f"{FILE_NAME} is used; see `fervid config show`")


def _display() -> Finding:
    from fervid.window import display_problem

    return machine.check_display(sys.platform, os.environ, display_problem())


def _memory() -> Finding:
    import psutil  # type: ignore[import-untyped]

    memory = psutil.virtual_memory()
    return machine.check_memory(memory.available, memory.total)


def _terminal() -> Finding:
    console = Console(stderr=True)
    size = (console.size.width, console.size.height)
    return machine.check_terminal(console.encoding, console.color_system, size, console.is_terminal)
