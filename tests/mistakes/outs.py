"""Mistakes in what is written: places that are taken, closed, full or gone."""

import os
import subprocess
from functools import cache
from typing import Any

from tests.mistakes.record import Mistake

TINY = "--model tiny.onnx"
CLIP = ("clip.mp4",)
RUN = ("clip.mp4", "tiny.onnx")
FACE = ("portrait.mp4", "tiny.onnx")
FOLDER = ("annotated.mp4", "faces.jsonl", "faces.parquet", "summary.json")


def in_folder(name: str, *files: str) -> tuple[str, ...]:
    return tuple(f"{name}/{file}" for file in files)


def taken(name: str, what: str, more: str, says: str, *things: str, **rest: Any) -> Mistake:
    """An output whose place is taken: refused before anything is read."""
    command, code = f"fervid clip.mp4 {more}", rest.pop("code", 2)
    return Mistake(name, what, command, code, says, (*CLIP, *things), **rest)


TAKEN = (
    taken(
        "output-exists",
        "an output that exists",
        "--csv rows.csv",
        r"^The output rows\.csv exists; add --overwrite or choose another name",
        "rows.csv",
    ),
    taken(
        "results-exist",
        "results that exist",
        "-o results",
        r"^The output results/clip/faces\.jsonl exists; add --overwrite",
        "rows.csv as results/clip/faces.jsonl",
    ),
    taken(
        "output-folder",
        "a folder as file",
        "--csv results --overwrite",
        r"^The output results is a folder; name a file",
        "results/",
    ),
    taken(
        "out-file",
        "a file as folder",
        "-o letter.txt",
        r"^--out needs a folder, and letter\.txt is a file; name a folder",
        "letter.txt",
    ),
    taken(
        "output-source",
        "the source as output",
        "--video clip.mp4 --overwrite",
        r"^The output clip\.mp4 is a source itself; choose another name",
    ),
    taken(
        "video-for-two",
        "one video of two sources",
        "two.mp4 --video both.mp4",
        r"^--video takes one source, not 2; use --out DIR for several",
        "clip.mp4 as two.mp4",
    ),
    taken(
        "output-in-out",
        "an output in another one's place",
        "-o results --jsonl results/clip/faces.jsonl",
        r"^The output results/clip/faces\.jsonl is wanted twice, for all sources and clip\.mp4",
    ),
    taken(
        "table-foreign",
        "somebody else's table where one is renewed",
        "two.mp4 -o results --overwrite",
        r"^results/clips\.csv is not of fervid and would be replaced; move it",
        "clip.mp4 as two.mp4",
        "rows.csv as results/clips.csv",
    ),
    Mistake(
        "folder-is-file",
        "a file where a folder has to be",
        f"fervid clip.mp4 {TINY} -o results",
        1,
        r"^The folder results/clip cannot be made \(File exists\)",
        (*RUN, "letter.txt as results/clip"),
    ),
)


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@cache
def _unshare() -> tuple[str, ...] | None:
    """What starts a process with mounts of its own, if that is possible here."""
    for command in (("unshare", "-m"), ("unshare", "-rm")):
        if _works(*command, "sh", "-c", "mount -t tmpfs tmpfs /mnt"):
            return command
    return None


def mounted(options: str):
    """Run with a small or read-only file system at results/, whose files are kept."""
    script = (
        f'mount -t tmpfs -o {options} tmpfs results || exit 99; "$@"; code=$?; '
        "cp -r results ../kept; exit $code"
    )

    def inside() -> tuple[str, ...] | None:
        found = _unshare()
        return None if found is None else (*found, "sh", "-c", script, "sh")

    return inside


@cache
def locked() -> tuple[str, ...] | None:
    """What starts a process that may not read or write past permissions, which root may."""
    if os.geteuid() != 0:
        return ()
    less = "-dac_override,-dac_read_search"
    command = ("setpriv", f"--inh-caps={less}", f"--bounding-set={less}")
    return command if _works(*command, "true") else None


def closed(name: str, mode: int = 0o000):
    return lambda folder: (folder / name).chmod(mode)


PLACES = (
    Mistake(
        "disk-full",
        "a disk that gets full: what was written until then is kept",
        f"fervid portrait.mp4 {TINY} -o results",
        1,
        r"^results/portrait/.* cannot be written: No space left on device; free space there",
        (*FACE, "results/"),
        left=in_folder("results/portrait", *FOLDER[:3]),
        apart=True,
        inside=mounted("size=12k"),
    ),
    Mistake(
        "disk-full-table",
        "a disk that is full when the table is completed",
        f"fervid portrait.mp4 {TINY} --parquet results/rows.parquet",
        1,
        r"^results/rows\.parquet cannot be written: No space left on device",
        (*FACE, "results/"),
        left=("results/rows.parquet",),
        apart=True,
        inside=mounted("size=4k"),
    ),
    Mistake(
        "disk-full-device",
        "a device that is full",
        f"fervid clip.mp4 {TINY} --csv /dev/full",
        1,
        r"^/dev/full cannot be written: No space left on device",
        RUN,
    ),
    Mistake(
        "quota",
        "a file that may not grow as large as it has to",
        f"ulimit -f 4; fervid portrait.mp4 {TINY} --video v.mp4",
        1,
        r"^v\.mp4 cannot be written: File too large",
        FACE,
        left=("v.mp4",),
        apart=True,
    ),
    Mistake(
        "disk-read-only",
        "a disk that may not be written",
        f"fervid clip.mp4 {TINY} -o results",
        1,
        r"^The folder results/clip cannot be made \(Read-only file system\); choose another",
        (*RUN, "results/"),
        apart=True,
        inside=mounted("ro"),
    ),
    Mistake(
        "folder-closed",
        "a folder that may not be written",
        f"fervid clip.mp4 {TINY} -o results",
        1,
        r"^The folder results/clip cannot be made \(Permission denied\)",
        (*RUN, "results/"),
        closed("results", 0o500),
        apart=True,
        inside=locked,
    ),
    Mistake(
        "output-closed",
        "an output that may not be replaced",
        f"fervid clip.mp4 {TINY} --csv rows.csv --overwrite",
        1,
        r"^rows\.csv cannot be written: Permission denied; check its permissions",
        (*RUN, "rows.csv"),
        closed("rows.csv", 0o400),
        apart=True,
        inside=locked,
    ),
    Mistake(
        "source-closed",
        "a source that may not be read",
        "fervid clip.mp4",
        1,
        r"^clip\.mp4 cannot be read \(Permission denied\); check",
        CLIP,
        closed("clip.mp4", 0),
        apart=True,
        inside=locked,
    ),
)
