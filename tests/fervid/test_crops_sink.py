"""Crops on disk: what the network saw, and when one is due."""

import cv2
import numpy as np
import pytest

from fervid.backends import open_backend
from fervid.capture import open_source
from fervid.config import RunConfig
from fervid.crops import crop_faces
from fervid.errors import SinkError
from fervid.filters import get_filter
from fervid.pipeline import Pipeline
from fervid.sinks.crops import CropsSink, saved_crops
from tests.places import DEFAULT_MODEL, SAMPLE
from tests.results import face, header, put, result, write


def names(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_crop_at_each_new_label_and_once_a_second(tmp_path):
    labels = ["happy"] * 10 + ["angry"] * 50
    write(CropsSink(tmp_path / "c", header()), [result(n, face(k)) for n, k in enumerate(labels)])
    assert names(tmp_path / "c") == [f"track_000/frame_{n:06d}.png" for n in (0, 10, 35)]


def test_each_face_has_its_own_folder_and_picture(tmp_path):
    write(CropsSink(tmp_path / "c", header()), [result(7, face(track=3), face(track=200))])
    for track in (3, 200):
        picture = cv2.imread(
            str(tmp_path / "c" / f"track_{track:03d}" / "frame_000007.png"), cv2.IMREAD_UNCHANGED
        )
        assert picture.shape == (8, 8)
        assert (picture == track).all()


def test_memory_stays_bounded(tmp_path):
    sink = CropsSink(tmp_path / "c", header())
    for n in range(300):
        put(sink, result(n, face(track=n)))
    assert len(sink._written) <= 26


def test_crops_of_an_earlier_run_go_and_other_files_stay(tmp_path):
    write(CropsSink(tmp_path / "c", header()), [result(5, face())])
    (tmp_path / "c" / "notes.png").write_text("mine")
    (tmp_path / "c" / "track_000" / "frame_me.png").write_text("mine")
    write(CropsSink(tmp_path / "c", header()), [result(9, face())])
    kept = ["notes.png", "track_000/frame_000009.png", "track_000/frame_me.png"]
    assert names(tmp_path / "c") == kept
    assert [p.name for p in saved_crops(tmp_path / "c")] == ["frame_000009.png"]


def test_a_file_in_the_folders_place_is_an_error(tmp_path):
    (tmp_path / "c").touch()
    with pytest.raises(SinkError, match="File exists"):
        CropsSink(tmp_path / "c", header())
    (tmp_path / "d").mkdir()
    sink = CropsSink(tmp_path / "d", header())
    (tmp_path / "d" / "track_000").touch()
    with pytest.raises(SinkError, match=r"frame_000000\.png cannot be written"):
        put(sink, result(0, face()))


def test_the_picture_is_what_the_network_saw(tmp_path):
    backend = open_backend(DEFAULT_MODEL, "cpu", 1)
    config = RunConfig((str(SAMPLE),))
    with open_source(str(SAMPLE)) as source, Pipeline(config, backend) as pipeline:
        frame = next(iter(source))
        found = pipeline.process(frame)
    sink = CropsSink(tmp_path / "c", header())
    sink.write(frame, found, None)
    (path,) = saved_crops(tmp_path / "c")
    filter_fn = get_filter(found.filter_name, "tuned")
    arguments = (frame.bgr, found.faces.boxes, backend.card, filter_fn, found.noise.severity)
    images, crops = crop_faces(*arguments)
    written = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(written, crops[0])
    seen = images[0, 0] * backend.card.std + backend.card.mean
    assert np.allclose(written / 255, seen, atol=1e-5)
    backend.close()
