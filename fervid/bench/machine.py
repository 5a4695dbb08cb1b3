"""The machine that a benchmark ran on, without names of hosts, users or folders."""

import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from fervid import __version__
from fervid.doctor.packages import NEEDED, installed_versions

# Instructions that decide how fast a network runs.
FLAGS = ("avx2", "fma", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp")
OPTIONAL = ("torch", "captum", "onnx")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def describe(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """The machine as JSON types.

    Args:
        cpuinfo: where Linux describes the processor; elsewhere it is not there, and the flags are
            not known (None).

    Returns:
        `cores` are those that this process may use, `memory_gb` in 10^9 bytes, `load` is the load
        average of the last minute before the benchmark (None where the system has none).
    """
    said = cpuinfo.read_text(errors="replace") if cpuinfo.is_file() else ""
    return {
        "cpu": _model(said) or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "cores": usable_cores(),
        "flags": _flags(said),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {_release(platform.release())}",
        "python": platform.python_version(),
        "fervid": __version__,
        "libraries": _libraries(),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
        "load": round(psutil.getloadavg()[0], 2) if sys.platform != "win32" else None,
    }


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _model(said: str) -> str:
    """The processor's name in /proc/cpuinfo, with family and model, which names alone may lack."""
    fields = {
        name: found[1].strip()
        for name in ("model name", "cpu family", "model")
        if (found := re.search(rf"^{name}\s*:(.*)$", said, re.MULTILINE))
    }
    if "model name" not in fields:
        return ""
    rest = [f"{n.removeprefix('cpu ')} {v}" for n, v in fields.items() if n != "model name"]
    return ", ".join([fields["model name"], *rest])


def _flags(said: str) -> list[str] | None:
    found = re.search(r"^(?:flags|Features)\s*:(.*)$", said, re.MULTILINE)
    if found is None:
        return None
    there = set(found[1].split())
    return [flag for flag in FLAGS if flag in there]


def _release(release: str) -> str:
    """The numbers of a kernel's release; what follows may name whoever built it."""
    numbers = re.match(r"[\d.]+", release)
    return numbers[0].rstrip(".") if numbers else ""


def _libraries() -> dict[str, str]:
    versions = {name: version for name, version in installed_versions().items() if version}
    for name in OPTIONAL:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {name: versions[name] for name in (*NEEDED, *OPTIONAL) if name in versions}
