"""Files that are odd by intent: sizes, times, contents, and names made to be misread."""

import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from tests.clips import clip, cut, picture, sound_only, tone
from tests.fuzz.bombs import bombs
from tests.fuzz.seeds import plain

NAMES = (
    *(b"new\nline.mp4", b"\x1b[31mred\x1b[0m.mp4", b"-o.mp4", b"--help.mp4", b"\xff\xfe.mp4"),
    *(
        b"%05d.mp4",
        b"%05d.gif",
        b"%s%n.mp4",
        b"http:x.mp4",
        b"concat:a|b.mp4",
        b" .mp4",
        b"a'\"`.mp4",
    ),
    *(b"$(touch x).mp4", b"a*?[b].mp4", b"l" * 250 + b".mp4", b"a\\b.mp4", b".mp4", b"x.mp4."),
    *(
        "\u202egpj.mp4".encode(),
        b"camera:0.mp4",
        b"0",
        b"file:x.mp4",
        b"pipe:0.mp4",
        b"[bold]x.mp4",
    ),
)
TEXTS = {
    "letter.mp4": "Dear Ann,\n" * 50,
    "letter.txt": "Dear Ann,\n" * 50,
    "page.html": "<!doctype html><html></html>\n" * 50,
    "only.srt": "1\n00:00:01,000 --> 00:00:02,000\nhello\n\n",
    "only.vtt": "WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n",
    "only.ass": "[Script Info]\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,hello\n",
    "net.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    "local.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n/etc/passwd\n#EXT-X-ENDLIST\n",
    "list.mp4": "ffconcat version 1.0\nfile /etc/passwd\nfile http://127.0.0.1:9/a.mp4\n",
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "list.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><BaseURL>http://127.0.0.1:9/</BaseURL></Period></MPD>\n",
}


def odd_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Write them one after the other, and yield each with its kind."""
    folder.mkdir(parents=True)
    whole = clip(folder / "whole.mp4", sound="aac")
    for name, text in TEXTS.items():
        path = folder / name
        path.write_text(text, encoding="utf-8")
        yield path, "no video"
    for content in (b"", b"\0", b"\xff" * 100_000, bytes(100_000)):
        path = folder / f"bytes-{len(content)}-{content[:1].hex()}.mp4"
        path.write_bytes(content)
        yield path, "no video"
    yield sound_only(folder / "sound.mp4"), "sound only"
    yield _wave(folder / "sound.wav"), "sound only"
    yield from _sizes(folder)
    yield from _times(folder)
    yield from _named(folder, whole.read_bytes())
    yield from _places(folder, whole)
    yield from bombs(folder, whole)


def _wave(path: Path) -> Path:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("pcm_s16le", rate=44_100, layout="mono")
        file.mux([*stream.encode(tone(0.3)), *stream.encode(None)])
    return path


def _sizes(folder: Path) -> Iterator[tuple[Path, str]]:
    for size in ((1, 1), (1, 400), (2, 2), (15, 15), (16, 16), (17, 19), (4000, 16)):
        path = folder / f"size-{size[0]}-{size[1]}.avi"
        yield plain(path, "rawvideo", "bgr24", [picture(3, size)] * 5), "odd size"
    yield clip(folder / "odd.mp4", size=(97, 73), pixels="yuv444p"), "odd size"
    large = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)
    large = cv2.resize(large, (7680, 4320), interpolation=cv2.INTER_LINEAR)
    fast = {"preset": "ultrafast"}
    yield clip(folder / "8k.mp4", size=(7680, 4320), pictures=[large] * 3, options=fast), "8K"
    for name in ("8k.png", "8k.jpg"):
        cv2.imwrite(str(folder / name), large)
        yield folder / name, "8K"
    cv2.imwrite(str(folder / "8k-alpha.png"), np.dstack([large, large[:, :, 0]]))
    yield folder / "8k-alpha.png", "8K"
    aspect = Fraction(3, 1)
    yield clip(folder / "flat.mp4", aspect=aspect), "odd size"
    for turn in (45, 90, 180, 270):
        yield clip(folder / f"turned-{turn}.mp4", rotation=turn), "rotated"


def _times(folder: Path) -> Iterator[tuple[Path, str]]:
    yield clip(folder / "one.mp4", frames=1), "one frame"
    yield clip(folder / "one.mkv", frames=1), "one frame"
    short = clip(folder / "short.ts").read_bytes()
    (folder / "back.ts").write_bytes(short * 3)
    yield folder / "back.ts", "times go back"
    film = clip(folder / "film.mpg", "mpeg1video").read_bytes()
    (folder / "back.mpg").write_bytes(film + film)
    yield folder / "back.mpg", "times go back"
    far = [0.0, 0.04, 0.08, 20_000.0, 20_000.04, 1e6]
    yield clip(folder / "far.mkv", times=far, frames=len(far)), "times jump"
    yield clip(folder / "close.mkv", times=[n / 1e4 for n in range(12)]), "times jump"
    yield clip(folder / "late.mkv", times=[3600 + n / 25 for n in range(12)]), "times jump"
    still = bytearray(clip(folder / "rate.avi", "mpeg4").read_bytes())
    for mark, places in ((b"strh", (28, 32)), (b"avih", (8,))):
        at = still.find(mark)
        for place in places:  # scale and rate of the stream, time of a frame
            still[at + place : at + place + 4] = bytes(4)
    (folder / "rate.avi").write_bytes(still)
    yield folder / "rate.avi", "0 fps"
    for rate in (1, 0xFFFFFFFF):
        fast = bytearray(still)
        at = fast.find(b"strh")
        fast[at + 28 : at + 36] = struct.pack("<II", 1, rate)
        (folder / f"rate-{rate}.avi").write_bytes(fast)
        yield folder / f"rate-{rate}.avi", "0 fps"


def _named(folder: Path, content: bytes) -> Iterator[tuple[Path, str]]:
    inner = folder / "names"
    inner.mkdir()
    for name in NAMES:
        path = inner / os.fsdecode(name)
        path.write_bytes(content)
        yield path, "hostile name"


def _places(folder: Path, whole: Path) -> Iterator[tuple[Path, str]]:
    (folder / "folder.mp4").mkdir()
    yield folder / "folder.mp4", "no file"
    loop = folder / "loop.mp4"
    loop.symlink_to(loop)
    yield loop, "no file"
    (folder / "link.mp4").symlink_to(whole)
    yield folder / "link.mp4", "no file"
    yield folder / "missing.mp4", "no file"
    for device in ("/dev/zero", "/dev/urandom", "/dev/null"):
        yield Path(device), "no file"
    for share in (0.3, 0.9):
        path = folder / f"half-{share}.mp4"
        path.write_bytes(whole.read_bytes())
        yield cut(path, share), "truncated"
    many = clip(folder / "many.mkv", pictures=[picture(n % 20) for n in range(60)])
    yield many, "whole"
