"""FER2013 that is damaged is refused in one sentence."""

import zipfile
import zlib

import cv2
import numpy as np
import pytest

from fervid.errors import DataError
from train.data import load_fer2013

NAME = "fer2013/train/angry/Training_1.jpg"
PIXELS = " ".join(["7"] * 48 * 48)


def refused(path):
    with pytest.raises(DataError) as raised:
        load_fer2013(path)
    said = str(raised.value)
    assert str(path.name) in said
    assert "\n" not in said
    return said


@pytest.fixture
def damaged(tmp_path):
    """A zip whose one deflated member has other bytes in its middle."""
    path = tmp_path / "fer2013.zip"
    noise = np.random.default_rng(0).integers(0, 9, (48, 48)).astype(np.uint8)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAME, noise.tobytes())

    def spoil(fill):
        content = bytearray(path.read_bytes())
        begin = content.index(NAME.encode()) + len(NAME)
        content[begin : begin + 300] = bytes([fill]) * 300
        path.write_bytes(content)
        return path

    return spoil


@pytest.mark.parametrize("fill", [0, 0xFF])
def test_a_zip_with_a_damaged_member(damaged, fill):
    path = damaged(fill)
    with zipfile.ZipFile(path) as archive, pytest.raises((zlib.error, zipfile.BadZipFile)):
        archive.read(NAME)
    assert "is not a readable zip file" in refused(path)


def test_an_empty_picture(tmp_path):
    path = tmp_path / "fer2013.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(NAME, b"")
    with pytest.raises(DataError, match=r"Training_1\.jpg is not a 48x48 picture"):
        load_fer2013(path)


def test_a_binary_csv(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(cv2.imencode(".png", np.zeros((48, 48), np.uint8))[1].tobytes())
    assert "is not a readable CSV file" in refused(path)


def test_a_csv_with_an_endless_cell(tmp_path):
    path = tmp_path / "fer2013.csv"
    path.write_text('emotion,pixels,Usage\n0,"' + "7 " * 100_000 + '",Training\n')
    assert "is not a readable CSV file" in refused(path)


def test_a_folder_called_csv(tmp_path):
    (tmp_path / "fer2013.csv").mkdir()
    assert "is not a readable CSV file" in refused(tmp_path / "fer2013.csv")


@pytest.mark.parametrize("label", [-1, 7, 99])
def test_a_label_that_is_none(tmp_path, label):
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n{label},{PIXELS},Training\n")
    assert f"Row 1 of {path} has the label {label}; FER2013's are 0 to 6." == refused(path)


@pytest.mark.parametrize("row", ["0", f"0,{PIXELS}", f"0,{PIXELS.replace('7', '300', 1)},Training"])
def test_a_row_that_is_cut_off_or_too_bright(tmp_path, row):
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n{row}\n")
    assert "Row 1 of" in refused(path)
