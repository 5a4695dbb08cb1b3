"""Mistakes with runs over many files: going on, sharing out."""

import json
from pathlib import Path

from tests.mistakes.outs import taken
from tests.mistakes.record import Mistake
from tests.mistakes.words import option

TWO = ("clip.mp4", "clip.mp4 as two.mp4")


def begun(folder: Path) -> None:
    """Leave a manifest as a run leaves it that was killed in its first file."""
    entry = {"folder": "clip", "size": 1, "mtime_ns": 1, "state": "planned"}
    content = {"fervid_manifest": 1, "files": {str((folder / "clip.mp4").resolve()): entry}}
    (folder / "results/manifest.json").write_text(json.dumps(content))


ARCHIVES = (
    option(
        "resume-overwrite",
        "going on and beginning again",
        "-o r --resume --overwrite",
        r"^--resume goes on and --overwrite begins again; drop one of them",
    ),
    option("resume-nowhere", "going on without a folder", "--resume", r"^--resume needs a folder"),
    option("jobs-nowhere", "processes without a folder", "--jobs 2", r"^--jobs needs a folder"),
    option(
        "jobs-window",
        "processes and a window",
        "-o r --jobs 2 --window",
        r"^--jobs shows no window; drop --window or --jobs",
    ),
    option(
        "jobs-stdout",
        "processes and standard output",
        "-o r --jobs 2 --csv -",
        r"^--jobs writes a folder for each file, and all\.parquet; leave out single files",
    ),
    option(
        "jobs-stream",
        "processes and a stream",
        "rtsp://me:s3cret@127.0.0.1/x -o r --jobs 2",
        r"^--jobs takes files, and rtsp://127\.0\.0\.1/x is none; leave out one of them",
    ),
    option(
        "jobs-ray",
        "processes and machines",
        "-o r --jobs 2 --ray auto",
        r"^--jobs shares the files out among processes and --ray among machines",
    ),
    option("ray-empty", "no address", '-o r --ray ""', r"^--ray is empty; give host:port"),
    Mistake(
        "jobs-model",
        "a model that is not there, for two processes",
        "fervid clip.mp4 two.mp4 -o r --jobs 2 --model nosuch.onnx",
        1,
        r"^The model file nosuch\.onnx does not exist",
        TWO,
    ),
    taken(
        "archive-begun",
        "results of an archive that was begun",
        "two.mp4 -o results",
        r"^results holds results of an earlier run over clip\.mp4; add --resume to go on with it",
        "clip.mp4 as two.mp4",
        "rows.csv as results/clip/faces.jsonl",
        setup=begun,
    ),
    taken(
        "resume-foreign",
        "results that are no earlier run's",
        "two.mp4 -o results --resume",
        r"^The output results/clip/faces\.jsonl exists; add --overwrite",
        "clip.mp4 as two.mp4",
        "rows.csv as results/clip/faces.jsonl",
    ),
    taken(
        "manifest-foreign",
        "somebody else's manifest.json",
        "two.mp4 -o results",
        r"^results/manifest\.json is no manifest of this version of fervid; move it",
        "clip.mp4 as two.mp4",
        "rows.csv as results/manifest.json",
    ),
)
