"""The evaluation around a fake network: its noise, its paths, its figures, its files."""

import json
from dataclasses import asdict

import cv2
import numpy as np
import pytest
from rich.console import Console

from fervid import corruptions
from fervid.crops import prepare_thumbnail
from fervid.errors import CardError, ConfigError, DataError, ModelLoadError
from fervid.filters import get_filter
from fervid.records import Noise
from tests.backends import FakeBackend
from train import evaluate as evaluation
from train import in_frame, in_frame_report, robustness, thumbnails
from train.data import CLASSES
from train.options import EvaluateOptions
from train.robustness import CLEAN, NOISY, SETTINGS, Plan, corrupt, prepare, true_noise

HAPPY, SAD = CLASSES.index("happy"), CLASSES.index("sad")


def told(what, steps):
    pass


@pytest.fixture(scope="module")
def faces():
    """Sixteen soft pictures: bright ones labelled happy, dark ones sad."""
    rng = np.random.default_rng(0)
    small = rng.uniform(-25, 25, (16, 6, 6)).astype(np.float32)
    light = np.where(np.arange(16) % 2 == 0, 180, 75)[:, None, None]
    images = np.stack([cv2.resize(s, (48, 48), interpolation=cv2.INTER_CUBIC) for s in small])
    labels = np.where(np.arange(16) % 2 == 0, HAPPY, SAD).astype(np.int64)
    return (images + light).clip(0, 255).astype(np.uint8), labels


@pytest.fixture
def fer2013(faces):
    """Both test splits are the faces; four of them are in the training split too."""
    return {"train": (faces[0][:4], faces[1][:4]), "public": faces, "private": faces}


@pytest.fixture
def backend():
    return FakeBackend()


# --- noise ---------------------------------------------------------------------------------------


def test_the_settings_are_the_papers_and_their_numbers_never_change():
    assert [(s.number, s.name) for s in SETTINGS] == [
        (0, "clean"),
        (1, "gaussian 0.1"),
        (2, "gaussian 0.2"),
        (3, "gaussian 0.3"),
        (4, "salt_pepper 0.02"),
        (5, "salt_pepper 0.05"),
        (6, "salt_pepper 0.08"),
        (7, "speckle 0.04"),
        (8, "speckle 0.06"),
        (9, "speckle 0.08"),
    ]


def test_noise_depends_on_seed_setting_and_image_alone(faces):
    image, setting = faces[0][0], NOISY[1]
    want = corruptions.gaussian(image, 0.2, np.random.default_rng((7, 2, 5)))
    np.testing.assert_array_equal(corrupt(image, setting, 7, 5), want)
    assert np.any(corrupt(image, setting, 8, 5) != want)
    assert np.any(corrupt(image, setting, 7, 6) != want)
    np.testing.assert_array_equal(corrupt(image, CLEAN, 7, 5), image)


def test_an_image_has_the_same_noise_whoever_is_measured_with_it(faces, backend):
    plan = Plan(backend.card)
    every = prepare(faces[0], np.arange(16), NOISY[2], plan)
    some = prepare(faces[0], np.array([3, 11]), NOISY[2], plan)
    np.testing.assert_array_equal(every.crops[[3, 11]], some.crops)
    np.testing.assert_array_equal(every.eta[[3, 11]], some.eta)


def test_true_noise_is_on_the_scale_of_the_estimate(faces):
    image = faces[0][0]
    for setting, place, level in (
        (NOISY[1], 0, 0.2),
        (NOISY[4], 1, 0.05),
        (NOISY[7], 2, 0.06**0.5),
    ):
        noisy = corrupt(image, setting, 0, 0)
        noise = true_noise(image, noisy, setting)
        assert noise.kind == setting.kind
        assert noise.levels[place] == pytest.approx(level)
        assert noise.severity == pytest.approx(
            np.sqrt(np.mean((noisy / 255 - image / 255) ** 2)), rel=1e-4
        )
    assert true_noise(image, image, CLEAN).kind == "clean"


# --- paths ---------------------------------------------------------------------------------------


def test_the_estimated_path_uses_the_estimate_and_the_oracle_the_truth(faces, backend, monkeypatch):
    """An estimator that always says "salt_pepper" must decide on one path and not on the other."""
    seen = []
    wrong = Noise("salt_pepper", np.array([0, 0.05, 0], np.float32), 0.12, np.zeros(3, np.float32))

    def estimate(image):
        seen.append(image)
        return wrong

    monkeypatch.setattr(robustness, "estimate_noise", estimate)
    at, card = np.arange(3), backend.card
    estimated = prepare(faces[0], at, NOISY[0], Plan(card))
    assert estimated.kinds == ("salt_pepper",) * 3
    noisy = [corrupt(faces[0][i], NOISY[0], 0, i) for i in at]
    np.testing.assert_array_equal(seen, noisy)
    median = get_filter("median")
    want = [prepare_thumbnail(image, card, median, 0.12) for image in noisy]
    np.testing.assert_array_equal(estimated.crops, want)

    seen.clear()
    oracle = prepare(faces[0], at, NOISY[0], Plan(card, oracle=True))
    assert not seen
    assert oracle.kinds == ("gaussian",) * 3
    assert np.any(oracle.crops != estimated.crops)


def test_filter_table_and_set_reach_the_crop(faces, backend):
    at, card = np.arange(2), backend.card
    noisy = [corrupt(faces[0][i], NOISY[2], 0, i) for i in at]
    none = dict.fromkeys(("clean", "gaussian", "salt_pepper", "speckle"), "none")
    raw = prepare(faces[0], at, NOISY[2], Plan(card, choice=none, oracle=True))
    np.testing.assert_array_equal(raw.crops, noisy)
    table3 = prepare(faces[0], at, NOISY[2], Plan(card, filter_set="paper-table3", oracle=True))
    np.testing.assert_array_equal(
        table3.crops, [cv2.GaussianBlur(image, (5, 5), 1.0) for image in noisy]
    )
    assert (table3.eta < raw.eta).all()


def test_eta_is_near_the_noise_that_is_left_and_never_above_the_cards(faces, backend):
    at = np.arange(16)
    none = dict.fromkeys(("clean", "gaussian", "salt_pepper", "speckle"), "none")
    found = prepare(faces[0], at, NOISY[0], Plan(backend.card, choice=none, oracle=True))
    left = np.sqrt(np.mean((found.crops / 255 - faces[0] / 255) ** 2, (1, 2)))
    assert found.eta.mean() == pytest.approx(left.mean(), rel=0.1)
    card = backend.card.replace(eta_max=0.02)
    assert prepare(faces[0], at, NOISY[0], Plan(card, oracle=True)).eta.max() == np.float32(0.02)


def test_both_maps_are_of_the_class_predicted_on_the_clean_image(faces, backend):
    outcomes = robustness.measure(backend, faces[0], np.arange(16), Plan(backend.card), told)
    assert [outcome.setting for outcome in outcomes] == list(SETTINGS)
    targets = [call[2] for call in backend.seen]
    np.testing.assert_array_equal(targets[0], -1)
    for target in targets[1:]:
        np.testing.assert_array_equal(target, outcomes[0].predicted)


def test_settings_start_with_clean(faces, backend):
    with pytest.raises(ValueError, match="clean first"):
        robustness.measure(backend, faces[0], np.arange(2), Plan(backend.card), told, NOISY)


# --- figures -------------------------------------------------------------------------------------


def figures_of(backend, fer2013, chosen):
    probe, steps = thumbnails.Probe(None, 5), []
    found = thumbnails.measure_thumbnails(
        backend, fer2013, chosen, Plan(backend.card), probe, lambda _, n: steps.append(n)
    )
    assert sum(steps) == thumbnails.work(chosen, probe)
    return found


def test_figures_of_a_split(backend, fer2013):
    figures, tables = figures_of(backend, fer2013, {"private": np.arange(16)})
    part = figures["splits"]["private"]
    assert (part["images"], part["leaked"], part["map_px"]) == (16, 4, [6, 6])
    clean = part["estimated"]["settings"][0]
    assert clean["accuracy"] == clean["accuracy_without_leaked"] == 1
    assert clean["dc"]["gradcam"] == {"ssim": 0, "cosine": 0}
    ours = part["estimated"]["kinds"]["gaussian"]
    dc = [row["dc"]["gradcam"]["ssim"] for row in part["estimated"]["settings"][:4]]
    assert dc == sorted(dc)
    assert ours["dc"]["gradcam"]["ssim"] == pytest.approx(np.mean(dc[1:]))
    assert ours["auc_accuracy_consistency"]["gradcam"] < ours["auc_accuracy"]
    assert part["dc_chance"]["gradcam"]["unrelated"]["ssim"] > dc[1]
    assert part["oracle"]["settings"][0]["mcnemar_p"] == 1
    assert figures["calibration"] == []  # 16 images are too few
    text = "\n".join(table.markdown() for table in tables)
    assert "not available from ONNX" in text
    assert "NaN" not in json.dumps(figures)


def test_accuracy_without_leaked_images_leaves_them_out(faces, backend, fer2013):
    wrong = faces[1].copy()
    wrong[:4] = CLASSES.index("fear")
    fer2013["private"] = (faces[0], wrong)
    figures, _ = figures_of(backend, fer2013, {"private": np.arange(16)})
    clean = figures["splits"]["private"]["estimated"]["settings"][0]
    assert clean["accuracy"] == 12 / 16
    assert clean["accuracy_without_leaked"] == 1


@pytest.mark.slow
def test_calibration_is_fitted_on_one_half_and_judged_on_the_other(faces, backend):
    many = np.concatenate([faces[0]] * 2), np.concatenate([faces[1]] * 2)
    data = {"train": (faces[0][:1], faces[1][:1]), "public": many, "private": many}
    figures, tables = figures_of(
        backend, data, {name: np.arange(32) for name in ("public", "private")}
    )
    rows = {(row["pool"], row["whose"]): row for row in figures["calibration"]}
    pools = ("PublicTest, second half", "PrivateTest")
    assert {pool for pool, _ in rows} == {*pools, *(f"{pool}, clean" for pool in pools)}
    half = rows["PublicTest, second half", "fitted"]
    assert half["predictions"] == 16 * len(SETTINGS)
    assert rows["PrivateTest", "fitted"]["nll"] < rows["PrivateTest", "card"]["nll"]
    assert tables[-2].title.startswith("Calibration")


def test_a_choice_is_seeded_and_rising():
    some = thumbnails.choose(100, 10, 3)
    np.testing.assert_array_equal(some, thumbnails.choose(100, 10, 3))
    assert np.any(some != thumbnails.choose(100, 10, 4))
    assert (np.diff(some) > 0).all()
    np.testing.assert_array_equal(thumbnails.choose(5, None, 0), np.arange(5))
    np.testing.assert_array_equal(thumbnails.choose(5, 9, 0), np.arange(5))


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, backend, fer2013, monkeypatch):
    """Runs `evaluate` with a fake model; returns the files and what was printed."""
    model = tmp_path / "fake.onnx"
    model.write_bytes(b"weights")
    monkeypatch.setattr(evaluation, "open_backend", lambda path: backend)
    monkeypatch.setattr(evaluation, "load_fer2013", lambda path: fer2013)

    def run(**options):
        out = Console(record=True, width=200, quiet=True)
        err = Console(record=True, quiet=True)
        chosen = EvaluateOptions(out=tmp_path / "results", **options)
        files = evaluation.evaluate(model, tmp_path, chosen, out, err)
        return files, files[0].read_text(), files[1].read_text()

    return run


def test_results_are_written_the_same_each_time(command, backend):
    files, figures, text = command(split="private")
    assert [file.name for file in files] == [
        "evaluate-fake-private.json",
        "evaluate-fake-private.md",
    ]
    assert json.loads(figures)["splits"]["private"]["images"] == 16
    assert "| gaussian 0.1 |" in text
    assert backend.closed == 1
    assert command(split="private")[1:] == (figures, text)


def test_a_part_does_not_replace_the_whole(command):
    files, _, _ = command(split="public", limit=4, filter="none")
    assert files[0].name == "evaluate-fake-none-tuned-public-4.json"


def test_other_classes_are_refused(command, backend):
    backend.card = backend.card.replace(classes=("cat", "dog"))
    with pytest.raises(CardError, match="cat, dog"):
        command()
    assert backend.closed == 1


def test_results_that_cannot_be_written(command, tmp_path):
    (tmp_path / "results").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        command(split="private")


def test_a_limit_of_0_is_refused():
    with pytest.raises(ConfigError, match="--limit"):
        EvaluateOptions(limit=0)


def test_command_line_says_what_is_missing_in_one_sentence(tmp_path, capsys, monkeypatch):
    from train import __main__ as program

    monkeypatch.setattr("sys.argv", ["train", "evaluate", "no.onnx", "--data", str(tmp_path)])
    assert program.main() == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert said == ["train: The model file no.onnx does not exist; check --model."]


# --- in frames -----------------------------------------------------------------------------------


def test_a_frame_holds_the_picture_where_it_says(faces, backend):
    bgr, (x, y) = in_frame.make_frame(faces[0][1], 96, np.random.default_rng(0))
    assert bgr.shape == (480, 640, 3)
    part = bgr[y : y + 96, x : x + 96]
    np.testing.assert_array_equal(
        part[..., 1], cv2.resize(faces[0][1], (96, 96), interpolation=cv2.INTER_CUBIC)
    )
    around = np.delete(bgr.reshape(-1, 3), 0, axis=0)
    assert 90 < around.mean() < 150


def test_the_expected_box_crops_exactly_the_picture(backend):
    from fervid.crops import crop_boxes

    box = in_frame.expected_box(100, 50, 160, backend.card)
    np.testing.assert_allclose(
        crop_boxes(box[None], backend.card), [[100, 50, 260, 210]], atol=1e-3
    )


def test_overlap_by_hand():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]], np.float32)
    np.testing.assert_allclose(in_frame.overlap(boxes, boxes[0]), [1, 1 / 3, 0], atol=1e-6)


def test_h264_harms_more_at_a_higher_crf(faces):
    bgr, _ = in_frame.make_frame(faces[0][0], 160, np.random.default_rng(0))
    light, heavy = (np.mean((in_frame.h264(bgr, crf) - bgr.astype(float)) ** 2) for crf in (18, 40))
    assert 0 < light < heavy < 100


def test_a_face_that_is_not_found_counts_as_wrong():
    flags = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]], np.bool_)
    cell = in_frame._summary(NOISY[0], 96, flags, extra=2)
    assert (cell.found, cell.accuracy, cell.accuracy_found) == (0.5, 0.25, 0.5)
    assert (cell.kind_right, cell.extra_boxes, cell.accuracy_thumbnail) == (0.75, 0.5, 1.0)
    none = in_frame._summary(NOISY[0], 96, np.zeros((4, 4), np.bool_), extra=0)
    assert none.accuracy_found is None
    table = in_frame_report.in_frame_tables(
        {
            "split": "private",
            "cells": [{**asdict(none), "face_px": px} for px in in_frame.SIZES_PX],
        }
    )[0]
    assert table.rows[0] == ("gaussian 0.1", *["0.0 / 0.0 / - / -"] * 4)


@pytest.mark.slow
def test_in_frame_runs_the_whole_pipeline(command, monkeypatch):
    monkeypatch.setattr(in_frame, "FRAME_SETTINGS", (CLEAN, in_frame.H264[1]))
    monkeypatch.setattr(in_frame, "SIZES_PX", (96, 240))
    files, figures, _ = command(in_frame=True, limit=2)
    assert files[0].name == "in-frame-fake-2.json"
    cells = json.loads(figures)["cells"]
    assert [(c["setting"], c["face_px"]) for c in cells] == [
        ("clean", 96),
        ("h264 35", 96),
        ("clean", 240),
        ("h264 35", 240),
    ]
    assert all(cell["accuracy_thumbnail"] is None for cell in cells)
    assert all(cell["found"] == cell["accuracy"] == 0 for cell in cells)  # blobs are no faces


def test_a_torch_model_that_is_another_is_refused(command, backend, tmp_path, monkeypatch):
    beside = tmp_path / "other.safetensors"
    beside.write_bytes(b"other")
    backend.card = backend.card.replace(weights_sha256="0" * 64)
    monkeypatch.setattr(evaluation, "load_model", lambda path: (None, backend.card))
    with pytest.raises(ModelLoadError, match="was not made from"):
        command(torch_model=beside)
