"""--roi and --mirror: the part is the frame."""

import json

import numpy as np
import pytest

from fervid.capture import open_source
from fervid.cli import main
from fervid.config import ReadConfig
from fervid.errors import ConfigError
from tests import clips
from tests.fakes import FakeCapture
from tests.places import SAMPLE


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A picture that says where each of its pixels is, without loss."""
    y, x = np.mgrid[:48, :64]
    shown = np.dstack([x, y, x + y]).astype(np.uint8) * 2
    folder = tmp_path_factory.mktemp("clips")
    return clips.clip(folder / "a.mkv", "ffv1", pixels="bgr0", pictures=[shown] * 3)


def read(path, **settings):
    with open_source(str(path), ReadConfig(**settings)) as source:
        return source.info, [frame.bgr for frame in source]


@pytest.mark.parametrize("roi", [(0, 0, 64, 48), (10, 20, 30, 28), (48, 32, 16, 16)])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_part_and_its_mirror_image(path, roi, mirror):
    x, y, width, height = roi
    info, frames = read(path, roi=roi, mirror=mirror)
    part = read(path)[1][0][y : y + height, x : x + width]
    assert (frames[0] == (part[:, ::-1] if mirror else part)).all()
    assert frames[0].flags.c_contiguous
    assert (info.width, info.height, info.roi, info.mirrored) == (width, height, roi, mirror)


def test_a_mirror_alone(path):
    info, frames = read(path, mirror=True)
    assert (frames[0] == read(path)[1][0][:, ::-1]).all()
    assert (info.width, info.height, info.roi) == (64, 48, None)


@pytest.mark.parametrize(
    ("roi", "words"),
    [
        ((40, 0, 32, 32), r"--roi 40,0,32,32 reaches beyond the picture of a\.mkv, .* 64 x 48 px"),
        ((0, 40, 16, 16), "reaches beyond"),
        ((0, 0, 15, 48), "too small to measure its noise; w and h must be at least 16 px"),
    ],
)
def test_parts_that_cannot_be(path, roi, words):
    with pytest.raises(ConfigError, match=words) as caught:
        read(path, roi=roi)
    assert caught.value.key == "roi"


def test_a_camera_is_given_back_when_the_part_does_not_fit():
    capture = FakeCapture([clips.picture(0)] * 2)
    with pytest.raises(ConfigError, match="of camera 0"):
        open_source("0", ReadConfig(roi=(0, 0, 640, 480)), capture_factory=capture)
    assert capture.released == 1


def faces(tmp_path, name, *options):
    """The header's source and the first frame's boxes of a run over the sample."""
    out = tmp_path / f"{name}.jsonl"
    assert main([str(SAMPLE), "--end", "0.2", "--jsonl", str(out), "-q", *options]) == 0
    header, *frames = [json.loads(line) for line in out.read_text().splitlines()]
    boxes = [[face[key] for key in ("x0", "y0", "x1", "y1")] for face in frames[0]["faces"]]
    return header["source"], np.array(boxes)


def test_boxes_count_from_the_corner_that_the_header_names(tmp_path):
    _, whole = faces(tmp_path, "whole")
    source, part = faces(tmp_path, "part", "--roi", "60,10,400,250")
    assert len(whole) == len(part) == 1
    x, y, width, _ = source["roi"]
    assert np.add(part, [x, y, x, y]) == pytest.approx(whole, abs=12)
    source, flipped = faces(tmp_path, "flipped", "--roi", "60,10,400,250", "--mirror")
    assert source["mirrored"]
    x0, y0, x1, y1 = flipped[0]
    back = [x + width - x1, y + y0, x + width - x0, y + y1]
    assert back == pytest.approx(whole[0], abs=12)
