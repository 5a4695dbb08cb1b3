"""What goes wrong around a run: files that vanish meanwhile, streams and terminals, Python."""

import shutil
from contextlib import contextmanager
from pathlib import Path

from tests import servers
from tests.mistakes.outs import CLIP, RUN, TINY
from tests.mistakes.record import Mistake

GONE = r"was deleted or moved while it was written; leave the results alone until the end"
NO_TERMINAL = {"TERM": "dumb", "NO_COLOR": "1"}


def vanishing(name: str):
    """Serve a camera, and take a file or folder away once rows are there."""

    @contextmanager
    def around(folder: Path):
        def take_away(n: int) -> None:
            place = folder / name
            rows = (path.read_bytes().count(b"\n") for path in folder.rglob("*.jsonl"))
            if place.exists() and any(count > 2 for count in rows):
                shutil.rmtree(place) if place.is_dir() else place.unlink()

        with servers.http_server(servers.mjpeg(2000, rate=50, meanwhile=take_away)) as host:
            yield {"host": host}

    return around


MEANWHILE = (
    Mistake(
        "out-vanishes",
        "a results' folder that is deleted while it is written",
        f"fervid http://{{host}}/ {TINY} --no-images -o results",
        1,
        GONE,
        ("tiny.onnx",),
        around=vanishing("results"),
    ),
    Mistake(
        "file-vanishes",
        "one file of them",
        f"fervid http://{{host}}/ {TINY} --jsonl rows.jsonl --csv rows.csv",
        1,
        rf"^rows\.jsonl {GONE}",
        ("tiny.onnx",),
        left=("rows.csv",),
        around=vanishing("rows.jsonl"),
    ),
)

DISPLAYS = (
    Mistake(
        "display-none",
        "a window without a display",
        f"fervid clip.mp4 {TINY} --window",
        1,
        r"^No window can be opened: DISPLAY is not set; set DISPLAY .* or leave .*--no-window",
        RUN,
    ),
    Mistake(
        "display-dead",
        "a window on a display that is not there",
        f"fervid clip.mp4 {TINY} --window",
        1,
        r"^No window can be opened: the display :7391 does not answer",
        RUN,
        environment={"DISPLAY": ":7391"},
    ),
)


def shell(
    name: str, what: str, command: str, code: int, says: str, *things: str, **other
) -> Mistake:
    """A mistake in what surrounds a process."""
    return Mistake(name, what, command, code, says, things, apart=True, **other)


SURROUNDINGS = (
    shell(
        "stdout-closed",
        "data for a standard output that is closed",
        f"fervid clip.mp4 {TINY} --csv - >&-",
        1,
        r"^Standard output is closed; write",
        *RUN,
    ),
    shell(
        "stdout-full",
        "data for a standard output that is full",
        f"fervid clip.mp4 {TINY} --csv - >/dev/full",
        1,
        r"^Standard output cannot be written \(No space left on device\); free space",
        *RUN,
    ),
    shell(
        "help-full",
        "help for one that is full",
        "fervid --help >/dev/full",
        1,
        r"^Standard output cannot be written \(No space left on device\)",
    ),
    shell(
        "show-full",
        "a configuration for one that is full",
        "fervid config show >/dev/full",
        1,
        r"^Standard output cannot be written \(No space left on device\)",
    ),
    shell(
        "stdout-gone",
        "a reader that leaves: nothing is said, as with other programs",
        f"fervid clip.mp4 {TINY} --jsonl - | true; exit ${{{{PIPESTATUS[0]}}}}",
        141,
        "",
        *RUN,
    ),
    shell(
        "stderr-closed",
        "a mistake with standard error closed: only the code tells",
        "fervid clpi.mp4 2>&-",
        1,
        "",
        *CLIP,
    ),
    shell(
        "stdin-closed",
        "a pipe that is closed",
        f"fervid - {TINY} <&-",
        1,
        r"^Standard input is closed; pipe a video into fervid",
        "tiny.onnx",
    ),
    shell(
        "stdin-empty",
        "a pipe through which nothing comes",
        f"false | fervid - {TINY}",
        1,
        r"^Nothing came through standard input; see what the program before the pipe says",
        "tiny.onnx",
    ),
    shell(
        "stdin-text",
        "a letter through a pipe",
        f"cat letter.txt | fervid - {TINY}",
        1,
        r"^What comes through standard input cannot be read, or not as it comes; send Matroska",
        "letter.txt",
        "tiny.onnx",
    ),
    shell(
        "stdin-terminal",
        "a terminal instead of a pipe",
        f'script -qec "$(declare -f fervid); fervid - {TINY}" /dev/null >&2',
        1,
        r"^Standard input is a terminal; pipe a video into fervid",
        "tiny.onnx",
        inside=lambda: () if shutil.which("script") else None,
    ),
    shell(
        "home-locked",
        "a home that may not be written: nobody needs it",
        f"fervid clip.mp4 {TINY} -q --csv rows.csv",
        0,
        "",
        *RUN,
        left=("rows.csv",),
        environment={"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "/proc/nowhere"},
    ),
    shell(
        "home-completion",
        "completion for a home that may not be written",
        "fervid --install-completion bash",
        1,
        r"^The completion script /proc/.* cannot be written \(.*\); use `fervid completion bash`",
        environment={"HOME": "/proc/nowhere", "XDG_DATA_HOME": "/proc/nowhere"},
    ),
    shell(
        "tmp-locked",
        "a place for passing files that is not there: nobody needs it",
        f"fervid clip.mp4 {TINY} -q --csv rows.csv",
        0,
        "",
        *RUN,
        left=("rows.csv",),
        environment={"TMPDIR": "/proc/nowhere"},
    ),
    shell(
        "terminal-dumb",
        "a terminal that can do nothing: plain lines",
        f'script -qec "$(declare -f fervid); fervid clip.mp4 {TINY}" /dev/null | cat -v >seen',
        0,
        "",
        *RUN,
        left=("seen",),
        environment=NO_TERMINAL,
        inside=lambda: () if shutil.which("script") else None,
    ),
    shell(
        "language-c",
        "a name that the terminal's encoding lacks",
        "fervid {name}",
        1,
        r"^There is no file \\xe9\.mp4; check",
        values={"name": "é.mp4"},
        environment={"PYTHONIOENCODING": "ascii"},
    ),
    shell(
        "name-hostile",
        "a clip with a line, a colour and a dash in its name: analysed",
        f"fervid {TINY} --csv rows.csv -- {{name}}",
        0,
        r"^No face was found in -a \\x1b\[31m\.mp4",
        "tiny.onnx",
        "clip.mp4 as -a\n\x1b[31m.mp4",
        values={"name": "-a\n\x1b[31m.mp4"},
        left=("rows.csv",),
    ),
)


def python(name: str, what: str, command: str, code: str, says: str, *things: str) -> Mistake:
    """A mistake in a program."""
    return Mistake(name, what, command, code, says, things, python=True)


PYTHON = (
    python(
        "read-nothing",
        "reading an empty folder",
        'fervid.read_results("results")',
        "ConfigError",
        r"^There are no results below results; give the folder that -o named",
        "results/",
    ),
    python(
        "read-nowhere",
        "reading a folder that is not there",
        'fervid.read_results("reslts")',
        "ConfigError",
        r"^There is no folder reslts; did you mean results\?$",
        "results/",
    ),
    python(
        "read-foreign",
        "reading a letter",
        'fervid.read_results("rows.parquet")',
        "SinkError",
        r"^rows\.parquet cannot be read: ",
        "letter.txt as rows.parquet",
    ),
    python(
        "read-csv",
        "reading a table that --csv wrote",
        'fervid.read_results("rows.csv", "polars")',
        "ConfigError",
        r"^rows\.csv is no \.parquet or \.jsonl file, .* read it by polars\.read_csv, or name the",
        "rows.csv",
    ),
    python(
        "read-engine",
        "an unknown kind of frame",
        'fervid.read_results("results", "pands")',
        "ConfigError",
        r"^The engine of read_results is pandas or polars, not 'pands'",
        "results/",
    ),
    python(
        "analyse-nothing", "no source", "fervid.analyse()", "ConfigError", r"^There is no source"
    ),
    python(
        "analyse-missing",
        "a source that is not there",
        'fervid.analyse("clpi.mp4")',
        "SourceOpenError",
        r"^There is no file clpi\.mp4; did you mean clip\.mp4\?$",
        *CLIP,
    ),
    python(
        "config-value",
        "a wrong value",
        "fervid.RunConfig(faces=fervid.FaceConfig(min_score=7))",
        "ConfigError",
        r"^--min-score must be from 0 to 1",
    ),
)
