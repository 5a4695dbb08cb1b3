"""Mistakes with files elsewhere (fervid/remote.py): in archives, and on servers of this machine."""

from pathlib import Path

from tests import servers
from tests.mistakes.nets import http
from tests.mistakes.record import Mistake

TINY = "--model tiny.onnx"
THINGS = ("tiny.onnx", "clips.zip")
ONE = r"^1 of 2 sources failed; the others are done\.$"


def elsewhere(name: str, what: str, address: str, says: str, **other) -> Mistake:
    return Mistake(name, what, f"fervid {address} {TINY}", 1, says, THINGS, **other)


def without(*packages: str):
    """Have packages that cannot be imported."""

    def setup(folder: Path) -> None:
        for name in packages:
            (folder / f"{name}.py").write_text(f"raise ImportError('no {name}')\n")

    return {"setup": setup, "apart": True}


def half(request) -> None:
    """Promise a file and break off in its middle."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(bytes(500))


ELSEWHERE = (
    elsewhere(
        "elsewhere-extra",
        "a file elsewhere, without what fetches it",
        "s3://bucket/clip.mp4",
        r"^s3://bucket/clip\.mp4 needs fsspec, .*; pip install 'fervid\[remote\]'",
        **without("fsspec"),
    ),
    elsewhere(
        "elsewhere-package",
        "a file elsewhere, without its protocol's package",
        "'s3://bucket/*.mp4'",
        r"^s3://bucket/\*\.mp4 cannot be fetched, as s3fs is not installed here; pip install it",
        **without("s3fs"),
    ),
    elsewhere(
        "elsewhere-password",
        "an address with a password",
        "sftp://me:s3cret@127.0.0.1/clip.mp4",
        r"^sftp://127\.0\.0\.1/clip\.mp4 cannot be fetched, as paramiko is not installed here",
        **without("paramiko"),
    ),
    elsewhere(
        "elsewhere-missing",
        "a file that is not in its archive",
        "zip://b.mp4::clips.zip",
        r"^There is no file zip://b\.mp4::clips\.zip; check its name and folder",
    ),
    elsewhere(
        "elsewhere-others",
        "one of two files elsewhere is not there",
        "zip://b.mp4::clips.zip zip://clip.mp4::clips.zip --csv rows.csv -q",
        r"^There is no file zip://b\.mp4::clips\.zip; check its name and folder",
        left=("rows.csv",),
        more=(ONE,),
    ),
    elsewhere(
        "elsewhere-pattern",
        "a pattern that fits nothing in an archive",
        "'zip://*.avi::clips.zip'",
        r"^No file fits zip://\*\.avi::clips\.zip; check the folder and the pattern",
    ),
    elsewhere(
        "elsewhere-no-video",
        "a file in an archive that is no video",
        "zip://letter.mp4::clips.zip",
        r"^zip://letter\.mp4::clips\.zip is not a video that can be read",
    ),
    elsewhere(
        "elsewhere-archive",
        "an archive that is not there",
        "zip://clip.mp4::clisp.zip",
        r"^There is no file zip://clip\.mp4::clisp\.zip; check its name and folder",
    ),
    elsewhere(
        "elsewhere-no-archive",
        "a file in no archive",
        "zip://clip.mp4",
        r"^The address zip://clip\.mp4 names no archive; write it like zip://a\.mp4::/path/",
    ),
    elsewhere(
        "elsewhere-not-archive",
        "an archive that is none",
        "zip://clip.mp4::tiny.onnx",
        r"^zip://clip\.mp4::tiny\.onnx cannot be read \(BadZipFile\); check",
    ),
    elsewhere(
        "elsewhere-unknown",
        "a protocol that nobody knows",
        "simplecache::zzz://bucket/clip.mp4",
        r"^No package here knows addresses like zzz://, as in simplecache::zzz://bucket/clip\.mp4",
    ),
    elsewhere(
        "elsewhere-forbidden",
        "a file that may not be read",
        "simplecache::http://me:s3cret@{host}/clip.mp4",
        r"^simplecache::http://127\.0\.0\.1:\d+/clip\.mp4 may not be read by you; check its perm",
        around=http(servers.status(403)),
    ),
    elsewhere(
        "elsewhere-breaks-off",
        "a file that breaks off while it is fetched",
        "simplecache::http://{host}/clip.mp4",
        r"^simplecache::http://127\.0\.0\.1:\d+/clip\.mp4 broke off while it was fetched \(",
        around=http(half),
    ),
    Mistake(
        "elsewhere-camera",
        "a file elsewhere and a stream, for two processes",
        "fervid zip://clip.mp4::clips.zip http://127.0.0.1/x.mp4 -o r --jobs 2",
        2,
        r"^--jobs takes files, and http://127\.0\.0\.1/x\.mp4 is none; leave out one of them",
        THINGS,
    ),
)
