import cv2
import numpy as np
import pytest

from fervid.errors import SinkError
from fervid.records import Frame
from fervid.snapshots import Snapshots, file_name
from tests.fervid.test_draw import result

FRAME = Frame(12, 0.5, np.full((120, 200, 3), 90, np.uint8))
NOTHING = result([])


def test_a_snapshot_is_the_annotated_picture(tmp_path):
    path = Snapshots(tmp_path / "new", "clip.mp4").save(FRAME, NOTHING, True)
    assert path == tmp_path / "new" / "clip-12.png"
    picture = cv2.imread(str(path))
    assert picture.shape == (120, 200, 3)
    assert (picture[:60] == 90).all()
    assert (picture[110:] != 90).any()  # the status line


def test_no_file_is_ever_replaced(tmp_path):
    shots = Snapshots(tmp_path, "clip.mp4")
    (tmp_path / "clip-12.png").write_text("mine")
    names = [shots.save(FRAME, NOTHING, True).name for _ in range(3)]
    assert names == ["clip-12-2.png", "clip-12-3.png", "clip-12-4.png"]
    assert (tmp_path / "clip-12.png").read_text() == "mine"


def test_what_is_saved_may_differ_from_what_is_seen(tmp_path):
    black = Snapshots(tmp_path, "x", paint=lambda frame, result, heatmap: frame.bgr * 0)
    assert not cv2.imread(str(black.save(FRAME, NOTHING, True))).any()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match=r"clip-12\.png cannot be written .* -o"):
        Snapshots(tmp_path / "file", "clip.mp4").save(FRAME, NOTHING, True)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("clip.mp4", "clip"),
        ("camera 0", "camera-0"),
        ("rtsp://host:554/live/1", "host-554-live-1"),
        ("rtsp://10.0.0.5", "10.0.0.5"),
        ("../../etc/passwd", "etc-passwd"),
        ("Gespräch 顔.mkv", "Gespräch-顔"),
        ("a\nb\x1b[31m.mp4", "a-b-31m"),
        ("...", "picture"),
    ],
)
def test_names_are_safe(label, name):
    assert file_name(label) == name


def test_long_names_fit_every_file_system(tmp_path):
    path = Snapshots(tmp_path, "顔" * 300).save(FRAME, NOTHING, True)
    assert path.exists()
    assert len(path.name.encode()) < 144
