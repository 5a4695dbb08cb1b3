"""--list-cameras: what is printed of the cameras that are there."""

import cv2
import pytest

from fervid.cameras import describe_cameras, find_cameras
from fervid.cli import main


class Port:
    """Behaves like cv2.VideoCapture on ports of which some have a camera."""

    def __init__(self, *there):
        self._there = there
        self.released = []

    def __call__(self, index):
        self._index = index
        return self

    def isOpened(self):  # noqa: N802 - OpenCV's name
        return self._index in self._there

    def get(self, prop, /):
        sizes = {cv2.CAP_PROP_FRAME_WIDTH: 1280.0, cv2.CAP_PROP_FRAME_HEIGHT: 720.0}
        return sizes.get(prop, 30.0) if self._index != 4 else 0.0

    def release(self):
        self.released.append(self._index)


def sysfs(folder, names):
    for index, name in names.items():
        device = folder / f"video{index}"
        device.mkdir()
        if name:
            (device / "name").write_text(name + "\n")
    (folder / "v4l-subdev0").mkdir()
    return folder


def test_cameras_have_number_name_and_size(tmp_path):
    port = Port(0, 4, 10)
    listed = sysfs(tmp_path, {10: "Capture card", 0: "Integrated Camera", 1: "metadata", 4: ""})
    assert describe_cameras(port, listed).splitlines() == [
        "0  Integrated Camera  (1280 x 720, 30 frames a second)",
        "4  no name known  (size unknown)",
        "10  Capture card  (1280 x 720, 30 frames a second)",
    ]
    assert port.released == [0, 1, 4, 10]


def test_without_a_list_of_the_system_numbers_are_tried(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    assert [(c.index, c.name) for c in find_cameras(Port(1))] == [(1, "")]


@pytest.mark.parametrize("exists", [True, False])
def test_none_is_said_with_the_way_out(tmp_path, exists):
    folder = tmp_path / "sys"
    if exists:
        folder.mkdir()
    assert describe_cameras(Port(), folder) == "There is no camera; plug one in."


def test_cameras_in_use_or_forbidden(tmp_path, monkeypatch):
    listed = sysfs(tmp_path, {2: "Webcam"})
    assert "close the programs that use it" in describe_cameras(Port(), listed, tmp_path / "dev")
    monkeypatch.setattr("os.access", lambda *_: False)  # the tests may run as root
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "video2").touch()
    said = describe_cameras(Port(), listed, tmp_path / "dev")
    assert "video2 is there, and you may not read it; join the group video" in said


def test_the_flag_prints_them_to_standard_output_and_does_nothing_else(capfd):
    assert main(["--list-cameras"]) == 0
    out, err = capfd.readouterr()
    assert out.strip()
    assert err == ""
