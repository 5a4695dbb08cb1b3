"""A model on a folder of labelled faces: folders, both paths, figures, files."""

import json

import cv2
import numpy as np
import pytest
import skimage.data
from rich.console import Console

from fervid import Pipeline
from fervid.config import FaceConfig, RunConfig
from fervid.crops import normalise, prepare_thumbnail
from fervid.errors import ConfigError, DataError
from fervid.filters import get_filter
from fervid.labels import calibrate
from fervid.records import Faces
from tests.backends import FakeBackend
from tests.places import DEFAULT_MODEL
from train import score as scoring
from train.data import CLASSES
from train.evaluate import deployed_plan
from train.labelled import class_of, find_labelled
from train.options import EvaluateOptions, ScoreOptions
from train.score_report import LISTED, Judged, score_figures, score_tables

HAPPY, SAD, FEAR = (CLASSES.index(name) for name in ("happy", "sad", "fear"))


class FakeDetector:
    """Finds the same boxes in every picture that is not black."""

    def __init__(self, *boxes):
        self.boxes = np.array(boxes, np.float32)

    def detect(self, bgr, noise=None, search=None):
        if not bgr.any():
            return Faces.empty()
        n = len(self.boxes)
        eyes, ids = np.zeros((n, 2, 2), np.float32), np.full(n, -1, np.int64)
        return Faces(self.boxes, np.ones(n, np.float32), eyes, ids)

    def close(self):
        pass


def told(what, steps):
    pass


def picture(path, light, size=(48, 48)):
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(-20, 20, size[0] * size[1]).reshape(size)
    cv2.imwrite(str(path), np.clip(ramp + light, 0, 255).astype(np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Two bright happy faces, a dark sad one, one that is taken for sad, and what is no face."""
    root = tmp_path / "Set"
    picture(root / "Happiness" / "2.png", 200)
    picture(root / "Happiness" / "10.JPG", 190)
    picture(root / "SAD" / "1.png", 50)
    picture(root / "Afraid" / "1.png", 60)
    picture(root / "Contempt" / "1.png", 60)
    (root / "happy" / "nested").mkdir(parents=True)
    (root / "Happiness" / "readme.txt").write_text("no picture")
    (root / ".git").mkdir()
    return root


# --- folders -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("angry", "angry"),
        ("Anger", "angry"),
        ("DISGUSTED", "disgust"),
        ("fearful", "fear"),
        ("afraid", "fear"),
        ("Happiness", "happy"),
        ("sadness ", "sad"),
        ("Surprised", "surprise"),
        ("neutral", "neutral"),
        ("contempt", None),
        ("unknown", None),
        ("3", None),
    ],
)
def test_names_of_classes(name, wanted):
    found = class_of(name, CLASSES)
    assert (None if found is None else CLASSES[found]) == wanted


def test_a_models_own_names_count():
    assert class_of("Joyful", ("calm", "joyful")) == 1
    assert class_of("anger", ("Fear", "Anger")) == 1
    assert class_of("angry", ("Fear", "Anger")) == 1
    assert class_of("sad", ("Fear", "Anger")) is None


def test_a_folder_is_read_in_order_and_nothing_is_left_out_silently(folder):
    found = find_labelled(folder, CLASSES)
    assert [f"{file.parent.name}/{file.name}" for file in found.files] == [
        "Afraid/1.png",
        "Happiness/2.png",
        "Happiness/10.JPG",
        "SAD/1.png",
    ]
    assert found.labels.tolist() == [FEAR, HAPPY, HAPPY, SAD]
    assert found.matched == {
        "Afraid": "fear",
        "Happiness": "happy",
        "happy": "happy",
        "SAD": "sad",
    }
    assert found.skipped == {"Contempt": 1}


def test_folders_that_hold_nothing_to_measure(tmp_path, folder):
    with pytest.raises(DataError, match="There is no folder"):
        find_labelled(tmp_path / "gone", CLASSES)
    with pytest.raises(DataError, match=r"no folder named as one of .*angry.*it has no folders"):
        find_labelled(folder / "SAD", CLASSES)
    with pytest.raises(DataError, match="it has Set"):
        find_labelled(tmp_path, CLASSES)
    (tmp_path / "empty" / "sad").mkdir(parents=True)
    with pytest.raises(DataError, match="hold no pictures"):
        find_labelled(tmp_path / "empty", CLASSES)


# --- paths ---------------------------------------------------------------------------------------


def test_a_crop_takes_the_thumbnails_path():
    backend = FakeBackend()
    plan = deployed_plan(backend.card, EvaluateOptions())
    gray = cv2.resize(skimage.data.astronaut()[60:200, 154:294, 1], (64, 64))
    p, uncertain = scoring.judge_crop(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), backend, plan)
    crop = prepare_thumbnail(gray, backend.card, get_filter("none"), 0)
    images, eta, target = backend.seen[0]
    np.testing.assert_array_equal(images, normalise(crop[None], backend.card))
    assert (eta.tolist(), target.tolist()) == ([0], [-1])
    logits = FakeBackend().run(images, eta, target).logits
    np.testing.assert_array_equal(p, calibrate(logits, eta, crop[None], backend.card)[0])
    assert uncertain == (p.max() < backend.card.uncertain_below)


def test_a_small_crop_is_uncertain_and_one_that_is_not_square_is_refused():
    backend = FakeBackend()
    plan = deployed_plan(backend.card, EvaluateOptions())
    assert scoring.judge_crop(np.full((20, 20, 3), 255, np.uint8), backend, plan)[1]
    with pytest.raises(DataError, match="30 x 20 px"):
        scoring.judge_crop(np.zeros((20, 30, 3), np.uint8), backend, plan)


def test_the_largest_face_of_each_picture_is_judged_by_itself():
    bgr = np.zeros((200, 300, 3), np.uint8)
    bgr[:, 150:] = 230  # the larger face is bright
    small, large = (20, 20, 80, 80), (180, 40, 280, 140)
    config = RunConfig(faces=FaceConfig(max_faces=1))
    with Pipeline(config, FakeBackend(), FakeDetector(small, large)) as pipeline:
        first = scoring.judge_largest(bgr, pipeline)
        assert first[0].argmax() == HAPPY
        flipped = scoring.judge_largest(255 - bgr, pipeline)
        assert flipped[0].argmax() == SAD
        assert scoring.judge_largest(np.zeros_like(bgr), pipeline) is None
        again = scoring.judge_largest(bgr, pipeline)  # nothing is remembered
        np.testing.assert_array_equal(again[0], first[0])


def test_pictures_that_cannot_be_used_are_listed_and_in_no_figure(folder):
    (folder / "SAD" / "2.png").write_bytes(b"no picture")
    picture(folder / "SAD" / "3.png", 60, (48, 40))
    picture(folder / "SAD" / "4.png", 60, (8, 8))
    found, backend = find_labelled(folder, CLASSES), FakeBackend()
    at = np.arange(len(found.files))
    with scoring.judging(backend, ScoreOptions(crops=True)) as judge:
        judged = scoring.judge_pictures(found, at, judge, backend.card, told)
        assert len(judged.labels) == 4
        assert [name for name, _ in judged.unreadable] == ["SAD/2.png", "SAD/3.png", "SAD/4.png"]
        whys = [why for _, why in judged.unreadable]
        for why, word in zip(whys, ("damaged", "40 x 48", "too small"), strict=True):
            assert word in why
            assert str(folder) not in why
        with pytest.raises(DataError, match="Not one of 2 pictures"):
            scoring.judge_pictures(found, at[4:6], judge, backend.card, told)


# --- figures -------------------------------------------------------------------------------------


def judged_by_hand():
    """Happy, happy, sad, sad, fear: right, wrong (sad), right, not found, not found."""
    said = [HAPPY, SAD, SAD, None, None]
    rows = np.zeros((5, 7), np.float32)
    for row, k in zip(rows, said, strict=True):
        if k is not None:
            row[:], row[k] = 0.1 / 6, 0.9
    labels = np.array([HAPPY, HAPPY, SAD, SAD, FEAR])
    found = np.array([k is not None for k in said])
    uncertain = np.array([False, True, False, False, False])
    return Judged(labels, rows, found, uncertain, (("sad/x.png", "damaged"),))


ABOUT = {"folder": "Set", "options": {"crops": False}, "skipped": {"contempt": 18}}


def test_figures_by_hand():
    figures = score_figures(judged_by_hand(), CLASSES, np.random.default_rng(0))
    assert (figures["images"], figures["found"]) == (5, 0.6)
    assert (figures["accuracy"], figures["accuracy_found"]) == (0.4, pytest.approx(2 / 3))
    assert figures["mean_recall"] == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert figures["uncertain"] == pytest.approx(1 / 3)
    assert figures["calibration"] is None  # three faces are too few
    rows = {row["class"]: row for row in figures["per_class"]}
    assert rows["sad"] == {"class": "sad", "images": 2, "found": 0.5, "recall": 0.5}
    assert rows["fear"]["recall"] == 0
    assert rows["angry"]["recall"] is None
    assert figures["confusion"][HAPPY].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    assert figures["confusion"][FEAR].tolist() == [0] * 7 + [1]


def test_calibration_is_of_the_faces_found():
    n = 600
    rows = np.full((n, 7), 0.2 / 6, np.float32)
    rows[:, HAPPY] = 0.8
    labels = np.where(np.arange(n) % 2, HAPPY, SAD)
    found = np.arange(n) < 400
    rows[~found] = 0
    judged = Judged(labels, rows, found, ~found, ())
    figures = score_figures(judged, CLASSES, np.random.default_rng(0))
    assert figures["calibration"]["confidence"] == pytest.approx(0.8)
    assert figures["calibration"]["plain"] == pytest.approx(0.3, abs=0.02)
    assert figures["uncertain"] == 0
    low, high = figures["calibration"]["debiased_95"]
    assert low < 0.3 < high


def test_no_face_at_all_leaves_dashes():
    judged = judged_by_hand()
    none = Judged(judged.labels, judged.probabilities * 0, np.zeros(5, bool), judged.found, ())
    figures = score_figures(none, CLASSES, np.random.default_rng(0))
    assert (figures["accuracy"], figures["accuracy_found"], figures["uncertain"]) == (0, None, None)
    rows = dict(score_tables(ABOUT | {"unreadable": ()} | figures)[0].rows)
    assert rows["accuracy % of faces found"] == "-"


def test_tables_name_what_was_left_out():
    figures = score_figures(judged_by_hand(), CLASSES, np.random.default_rng(0))
    many = [(f"sad/{n}.png", "damaged") for n in range(LISTED + 5)]
    tables = score_tables(ABOUT | {"unreadable": many} | figures)
    text = {table.title: table for table in tables}
    assert text["Folders skipped"].rows == (("contempt", "18"),)
    assert len(text["Pictures that could not be used"].rows) == LISTED
    assert "25 in all" in text["Pictures that could not be used"].note
    matrix = text["Confusion: labelled (down), said (across)"]
    assert matrix.head[-1] == "no face"
    assert matrix.rows[FEAR] == ("fear", *["0"] * 7, "1")


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, folder, monkeypatch):
    """Runs `score` with a fake model; returns the files and their texts."""
    backend = FakeBackend()
    monkeypatch.setattr(scoring, "open_backend", lambda path: backend)
    model = tmp_path / "fake.onnx"
    model.write_bytes(b"weights")

    def run(**options):
        out, err = Console(record=True, quiet=True), Console(record=True, quiet=True)
        chosen = ScoreOptions(out=tmp_path / "results", **options)
        files = scoring.score(folder, model, chosen, out, err)
        return files, json.loads(files[0].read_text()), files[1].read_text()

    run.backend = backend
    return run


def test_crops_of_a_folder(command):
    files, figures, text = command(crops=True)
    assert [file.name for file in files] == ["score-fake-Set-crops.json", "score-fake-Set-crops.md"]
    assert (figures["images"], figures["found"], figures["accuracy"]) == (4, 1, 0.75)
    assert figures["skipped"] == {"Contempt": 1}
    assert "not looked for" in text
    assert "Happiness as happy" in text
    assert command.backend.closed == 1
    assert command(crops=True)[2] == text


def test_faces_are_looked_for_unless_told_otherwise(command, folder, monkeypatch):
    black = np.zeros((48, 48), np.uint8)
    cv2.imwrite(str(folder / "SAD" / "black.png"), black)
    opened = []

    def detector(model, score, least):
        opened.append(model)
        return FakeDetector((8, 8, 40, 40))

    monkeypatch.setattr("fervid.pipeline.FaceDetector", detector)
    files, figures, _ = command()
    assert files[0].name == "score-fake-Set.json"
    assert opened == ["auto"]
    assert (figures["images"], figures["found"], figures["accuracy"]) == (5, 0.8, 0.6)
    assert figures["confusion"][SAD] == [0, 0, 0, 0, 1, 0, 0, 1]


def test_a_part_does_not_replace_the_whole(command):
    files, figures, _ = command(crops=True, limit=2, seed=1)
    assert files[0].name == "score-fake-Set-crops-2-seed1.json"
    assert figures["images"] == 2


def test_another_model_does_not_replace_the_first_ones_results(command, folder, tmp_path):
    first = command(crops=True)[0]
    other = tmp_path / "other.onnx"
    other.write_bytes(b"other weights")
    quiet, options = Console(quiet=True), ScoreOptions(out=tmp_path / "results", crops=True)
    second = scoring.score(folder, other, options, quiet, quiet)
    assert [file.name for file in second] == [
        "score-other-Set-crops.json",
        "score-other-Set-crops.md",
    ]
    assert all(file.exists() for file in first)


def test_a_limit_of_0_is_refused():
    with pytest.raises(ConfigError, match="--limit"):
        ScoreOptions(limit=0)


@pytest.mark.slow
def test_the_model_that_comes_with_fervid_finds_a_smile(tmp_path):
    photo = tmp_path / "faces" / "Happy" / "astronaut.png"
    photo.parent.mkdir(parents=True)
    cv2.imwrite(str(photo), cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR))
    out, err = Console(record=True, quiet=True), Console(record=True, quiet=True)
    options = ScoreOptions(out=tmp_path / "results")
    files = scoring.score(tmp_path / "faces", DEFAULT_MODEL, options, out, err)
    figures = json.loads(files[0].read_text())
    assert (figures["images"], figures["found"], figures["accuracy"]) == (1, 1, 1)
