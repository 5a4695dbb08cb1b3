"""Mistakes in what is read: files, folders, names, cameras, times, regions."""

import os

from tests.mistakes.record import Mistake

CLIP = ("clip.mp4",)
TINY = "--model tiny.onnx"
RUN = ("clip.mp4", "tiny.onnx")


def link(name: str, to: str):
    return lambda folder: (folder / name).symlink_to(to)


def named(name: str, what: str, file: str | bytes, says: str, code: int = 1) -> Mistake:
    """A source of an odd name that is not there."""
    return Mistake(name, what, "fervid {name}", code, says, values={"name": os.fsdecode(file)})


FILES = (
    Mistake(
        "file-missing",
        "a file that is not there",
        "fervid clpi.mp4",
        1,
        r"^There is no file clpi\.mp4; did you mean clip\.mp4\?$",
        CLIP,
    ),
    Mistake(
        "file-unlike",
        "a file that is like none there",
        "fervid holiday.mp4",
        1,
        r"^There is no file holiday\.mp4; check its name and folder\.$",
        CLIP,
    ),
    Mistake(
        "folder-missing",
        "a folder that is misspelt",
        "fervid vidoes/clip.mp4",
        1,
        r"did you mean videos/clip\.mp4\?$",
        ("clip.mp4 as videos/clip.mp4",),
    ),
    Mistake(
        "file-empty",
        "an empty file",
        "fervid new.mp4",
        1,
        r"^new\.mp4 is empty; copy or record it again",
        ("empty as new.mp4",),
    ),
    Mistake(
        "file-cut",
        "a file without its index",
        f"fervid cut.mp4 {TINY}",
        1,
        r"^cut\.mp4 is an MP4 or MOV file without its index",
        ("cut.mp4", "tiny.onnx"),
    ),
    Mistake(
        "file-cut-later",
        "a file that lacks its end: the rows up to there are kept",
        "fervid cut-later.mp4 --model tiny.onnx -o results",
        1,
        r"^cut-later\.mp4 was cut off: it promises .* copy it again",
        ("cut-later.mp4", "tiny.onnx"),
        left=tuple(
            f"results/cut-later/{name}"
            for name in (
                *("annotated.mp4", "faces.jsonl", "faces.parquet"),
                *("report.html", "summary.json"),
            )
        ),
    ),
    Mistake(
        "file-text",
        "a letter",
        f"fervid letter.txt {TINY}",
        1,
        r"^letter\.txt is a text and not a video",
        ("letter.txt", "tiny.onnx"),
    ),
    Mistake(
        "file-config",
        "a configuration as source",
        f"fervid mine.toml {TINY}",
        1,
        r"^mine\.toml is no video but a configuration; give it as --config mine\.toml",
        ("letter.txt as mine.toml", "tiny.onnx"),
    ),
    Mistake(
        "file-model",
        "a model as source",
        f"fervid tiny.onnx {TINY}",
        1,
        r"^tiny\.onnx is no video but a model; give it as --model",
        ("tiny.onnx",),
    ),
    Mistake(
        "file-sound",
        "sound without pictures",
        f"fervid sound.m4a {TINY}",
        1,
        r"^sound\.m4a holds no video stream; name a video file",
        ("sound.m4a", "tiny.onnx"),
    ),
    Mistake(
        "file-codec",
        "a video of an unknown codec",
        f"fervid codec.mp4 {TINY}",
        1,
        r"^The video of codec\.mp4 has a codec that is not supported; convert it to H\.264",
        ("codec.mp4", "tiny.onnx"),
    ),
    Mistake(
        "file-small",
        "pictures of 8 pixels",
        f"fervid tiny.mp4 {TINY}",
        1,
        r"^The pictures of tiny\.mp4 are too small \(8 x 8 px\)",
        ("tiny.mp4", "tiny.onnx"),
    ),
    Mistake(
        "image-damaged",
        "a damaged image",
        f"fervid damaged.png {TINY}",
        1,
        r"^damaged\.png is no picture that can be read",
        ("damaged.png", "tiny.onnx"),
    ),
    Mistake(
        "faces-none",
        "a video without a face: no error, and said",
        f"fervid clip.mp4 {TINY}",
        0,
        r"^No face was found in clip\.mp4; a lower --min-score finds doubtful ones\.$",
        RUN,
    ),
    Mistake(
        "source-twice",
        "a source twice",
        "fervid clip.mp4 ./clip.mp4 -o results",
        2,
        r"^The source \./clip\.mp4 is named twice",
        CLIP,
    ),
    Mistake(
        "some-missing",
        "one source of two that is not there: the other is analysed",
        f"fervid clip.mp4 holiday.mp4 {TINY} --csv rows.csv -q",
        1,
        r"^1 of 2 sources failed; the others are done\.$",
        RUN,
        left=("rows.csv",),
        more=(r"^There is no file holiday\.mp4",),
    ),
)

FOLDERS = (
    Mistake(
        "folder-empty",
        "an empty folder",
        "fervid videos",
        1,
        r"^The folder videos is empty; name a folder with videos",
        ("videos/",),
    ),
    Mistake(
        "folder-no-video",
        "a folder without videos",
        "fervid texts",
        1,
        r"^The folder texts holds no video or image",
        ("letter.txt as texts/letter.txt",),
    ),
    Mistake("folder-root", "the whole disk", "fervid /", 1, r"^The folder / is a whole disk"),
    Mistake(
        "folder-for-out",
        "a folder for the results without -o",
        "fervid results/",
        1,
        r"^There is no folder results; to write results into it, put -o before it",
    ),
    Mistake(
        "glob-none",
        "a pattern that fits nothing",
        "fervid '*.avi'",
        1,
        r"^No file fits \*\.avi; check the folder and the pattern",
        CLIP,
    ),
    Mistake(
        "glob-suffix",
        "a misspelt suffix in a pattern",
        "fervid '*.mp5'",
        1,
        r"^No file fits \*\.mp5; did you mean \*\.mp4\?$",
        CLIP,
    ),
    Mistake(
        "sequence-none",
        "numbered images that are not there",
        "fervid %04d.png",
        1,
        r"^No image fits %04d\.png; check the folder and how many digits",
    ),
    Mistake(
        "link-dangling",
        "a link that leads nowhere",
        "fervid new.mp4",
        1,
        r"^new\.mp4 is a link to gone\.mp4, which is not there",
        (),
        link("new.mp4", "gone.mp4"),
    ),
    Mistake(
        "link-circle",
        "a link that leads to itself",
        "fervid loop.mp4",
        1,
        r"^loop\.mp4 cannot be read \(Too many levels of symbolic links\)",
        (),
        link("loop.mp4", "loop.mp4"),
    ),
    Mistake(
        "camera-none",
        "a camera that is not there",
        f"fervid --camera 97 {TINY}",
        1,
        r"^There is no camera 97; plug it in",
        ("tiny.onnx",),
    ),
)

NAMES = (
    named("name-empty", "an empty name", "", r"^The name of the video is empty"),
    named("name-blank", "a name of blanks", "   ", r"^The name of the video is empty"),
    named(
        "name-line",
        "a name of two lines, the second made up",
        "a\nfervid: all is well.mp4",
        r"^There is no file a fervid: all is well\.mp4; check",
    ),
    named(
        "name-escape",
        "a name that a terminal would obey",
        "\x1b[31mred.mp4",
        r"^No file fits \\x1b\[31mred\.mp4; check",
    ),
    named(
        "name-bytes",
        "a name that is no text",
        b"\xff\xfe.mp4",
        r"^There is no file \\xff\\xfe\.mp4; check",
    ),
    named(
        "name-long",
        "a name of 300 letters",
        300 * "x",
        r"^x{300} cannot be read \(File name too long\)",
    ),
    named(
        "path-long",
        "a path of 5,000 letters",
        2500 * "x/" + "x",
        r"cannot be read \(File name too long\)",
    ),
)

PARTS = (
    Mistake(
        "start-late",
        "a start beyond the end",
        f"fervid clip.mp4 {TINY} --start 100",
        1,
        r"^clip\.mp4 ends at 0\.48 s, before --start 100 s; give an earlier time",
        RUN,
    ),
    Mistake(
        "roi-outside",
        "a region outside the picture",
        f"fervid clip.mp4 {TINY} --roi 0,0,999,999",
        2,
        r"^--roi 0,0,999,999 reaches beyond the picture of clip\.mp4, which is 160 x 120",
        RUN,
    ),
    Mistake(
        "roi-small",
        "a region that is too small",
        f"fervid clip.mp4 {TINY} --roi 0,0,8,8",
        2,
        r"^--roi 0,0,8,8 is too small",
        RUN,
    ),
)
