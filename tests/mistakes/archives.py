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
    option(
        "segment-nowhere",
        "segments without a folder",
        "--segment 10m",
        r"^--segment needs a folder; add --out DIR",
    ),
    option(
        "segment-unit",
        "a length of time without its unit",
        "-o r --segment 10",
        r"^--segment must be a length of time with its unit, like 90s, 10m, 1h30m or 7d, not '10'",
    ),
    option(
        "segment-short",
        "segments that are too short",
        "-o r --segment 0.1s",
        r"^--segment must be at least 1s, not 0\.1s",
    ),
    option(
        "segment-keep",
        "keeping less than a segment",
        "-o r --segment 10m --keep 1m",
        r"^--keep 1m is shorter than a segment of 10m; make it longer",
    ),
    option(
        "keep-nothing",
        "keeping segments that are not cut",
        "-o r --keep 7d",
        r"^--keep removes segments, and there are none; add --segment 10m",
    ),
    option(
        "max-disk-unit",
        "a size without its unit",
        "-o r --segment 10m --max-disk 20",
        r"^--max-disk must be a size with its unit, like 500MB, 20GB or 1\.5TB, not '20'",
    ),
    option(
        "segment-jobs",
        "segments and processes",
        "-o r --segment 10m --jobs 2",
        r"^--segment cuts what one process writes from its start; drop --segment or --jobs",
    ),
    option(
        "chunk-alone",
        "a long file in parts for one process",
        "-o r --chunk 10m --no-images",
        r"^--chunk splits long files for several processes; add --jobs N or --ray ADDRESS",
    ),
    option(
        "chunk-pictures",
        "a long file in parts, with a video",
        "-o r --chunk 10m --jobs 2",
        r"^--chunk makes no annotated video; add --no-images",
    ),
    option(
        "chunk-subtitles",
        "a long file in parts, with subtitles",
        "-o r --chunk 10m --jobs 2 --no-images --subtitles",
        r"^--chunk writes no subtitles; drop --subtitles or --chunk",
    ),
    option(
        "chunk-short",
        "parts shorter than their overlap",
        "-o r --chunk 5s --jobs 2 --no-images",
        r"^--chunk must be at least 10s, not 5s",
    ),
    option(
        "chunk-unit",
        "a length without its unit",
        "-o r --chunk 600 --jobs 2 --no-images",
        r"^--chunk must be a length of time with its unit",
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
