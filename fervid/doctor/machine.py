"""The machine around fervid: display, cameras, disk, memory, terminal, telemetry."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fervid.doctor import Finding

LOW_DISK = LOW_MEMORY = 10**9  # bytes
# A minute of annotated video in 640 x 360 is about 5 MB; a run takes about 600 MB of memory.
SMALL_TERMINAL = (60, 20)


def check_display(system: str, environment: Mapping[str, str], problem: str) -> Finding:
    """Whether a window can be shown.

    Args:
        system: as `sys.platform`.
        environment: of this process.
        problem: what came of opening a window; empty if it opened.
    """
    names = [name for name in ("DISPLAY", "WAYLAND_DISPLAY") if environment.get(name)]
    place = ", ".join(f"{name}={environment[name]}" for name in names)
    if system == "linux" and not names:
        todo = "log in to a desktop, or `ssh -X`; --no-window needs none"
        return Finding("Display", "note", "none (DISPLAY and WAYLAND_DISPLAY are empty)", todo)
    if problem:
        found = f"no window opens{f' on {place}' if place else ''}: {problem}"
        return Finding("Display", "note", found, "check DISPLAY; --no-window needs none")
    return Finding("Display", "ok", f"a window opens{f' on {place}' if place else ''}")


def check_cameras(system: str, devices: Sequence[tuple[str, bool]]) -> Finding:
    """Which cameras there are, and whether they may be used.

    Args:
        system: as `sys.platform`.
        devices: name of each camera's device, and whether it may be read and written.
    """
    if system != "linux":
        return Finding("Cameras", "ok", "not listed on this system; try `fervid --camera 0`")
    if not devices:
        return Finding("Cameras", "note", "none", "plug one in to use --camera")
    closed = [name for name, allowed in devices if not allowed]
    if closed:
        todo = "join the group video (`sudo usermod -aG video $USER`) and log in again"
        return Finding("Cameras", "note", f"no permission for {', '.join(closed)}", todo)
    return Finding("Cameras", "ok", ", ".join(name for name, _ in devices))


def camera_devices(folder: Path = Path("/dev")) -> list[tuple[str, bool]]:
    """The video devices of Linux, and whether they may be read and written."""
    found = sorted(folder.glob("video[0-9]*"), key=lambda path: (len(path.name), path.name))
    return [(str(path), os.access(path, os.R_OK | os.W_OK)) for path in found]


def check_disk(free: int, folder: str) -> Finding:
    """Whether results have room: `free` bytes in `folder`."""
    found = f"{free / 1e9:.1f} GB free in {folder}"
    if free < LOW_DISK:
        return Finding("Disk", "note", found, "make room, or write elsewhere with -o DIR")
    return Finding("Disk", "ok", found)


def check_memory(available: int, total: int) -> Finding:
    """Whether a run has room in memory: both in bytes."""
    found = f"{available / 1e9:.1f} of {total / 1e9:.1f} GB available"
    if available < LOW_MEMORY:
        return Finding("Memory", "note", found, "close other programs; a run takes about 0.6 GB")
    return Finding("Memory", "ok", found)


def check_terminal(
    encoding: str, colours: str | None, size: tuple[int, int], is_terminal: bool
) -> Finding:
    """Whether the dashboard can be shown.

    Args:
        encoding: of standard error.
        colours: rich's name for what the terminal can do; None is no colours.
        size: columns and rows.
        is_terminal: whether standard error is one.
    """
    if not is_terminal:
        todo = "start fervid in a terminal to see the dashboard"
        return Finding("Terminal", "note", "none: standard error is a file or a pipe", todo)
    kind = f"{size[0]} x {size[1]}, {encoding}, {colours or 'no'} colours"
    if "utf" not in encoding.lower():
        return Finding("Terminal", "note", kind, "set a UTF-8 locale, as LANG=C.UTF-8")
    if size[0] < SMALL_TERMINAL[0] or size[1] < SMALL_TERMINAL[1]:
        columns, rows = SMALL_TERMINAL
        return Finding("Terminal", "note", kind, f"enlarge it to {columns} x {rows} or more")
    return Finding("Terminal", "ok", kind)


def check_telemetry(environment: Mapping[str, str]) -> Finding:
    """Whether ONNX Runtime is kept from reporting its use."""
    if environment.get("ORT_DISABLE_TELEMETRY") == "1":
        return Finding(
            "Telemetry", "ok", "ONNX Runtime's is switched off (ORT_DISABLE_TELEMETRY=1)"
        )
    todo = "set ORT_DISABLE_TELEMETRY=1 before Python starts"
    return Finding("Telemetry", "bad", "ONNX Runtime may report its use to its maker", todo)
