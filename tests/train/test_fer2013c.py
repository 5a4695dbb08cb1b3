"""FER2013-C: its pictures, its formulas, its files, around a fake network."""

import hashlib
import json

import cv2
import numpy as np
import pytest
import skimage.data
from rich.console import Console

from fervid import corruptions
from fervid.errors import ConfigError, DataError
from fervid.records import Noise
from tests.backends import FakeBackend
from train import evaluate as evaluation
from train import fer2013c_run as bench
from train import robustness
from train.data import CLASSES
from train.fer2013c import FAULTS, SEVERITIES, corrupt
from train.fer2013c_report import (
    Errors,
    benchmark_tables,
    corruption_error,
    read_errors,
    relative_error,
    summarise,
)
from train.options import BenchmarkMeasure, BenchmarkOptions
from train.robustness import NOISY, Plan, prepare, prepare_pictures, true_noise
from train.robustness import corrupt as spoil

RANDOM = {
    *("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"),
    *("glass_blur", "motion_blur", "elastic"),
}
# RMS distance to the original at severity 3, in grey levels, the mean of eight draws: pictures that
# change are another benchmark, and need another VERSION.
DISTANCE = {
    "gaussian_noise": 24.4,
    "shot_noise": 21.0,
    "impulse_noise": 29.5,
    "speckle_noise": 24.7,
    "defocus_blur": 11.2,
    "glass_blur": 21.0,
    "motion_blur": 13.5,
    "zoom_blur": 25.4,
    "gaussian_blur": 11.9,
    "brightness": 54.2,
    "darkness": 108.6,
    "contrast": 50.6,
    "elastic": 15.6,
    "pixelate": 12.9,
    "jpeg": 7.7,
}


@pytest.fixture(scope="module")
def face():
    part = skimage.data.astronaut()[60:200, 154:294, 1]
    return cv2.resize(part, (48, 48), interpolation=cv2.INTER_AREA)


@pytest.fixture
def fer2013(face):
    """Bright pictures labelled happy and dark ones sad, as the fake network would say."""
    images = np.stack([face // 8 + light for light in (190, 40, 180, 50)])
    labels = np.array([CLASSES.index(name) for name in ("happy", "sad") * 2])
    return {"train": (images, labels), "public": (images, labels), "private": (images, labels)}


def distance(face, name, severity):
    made = [corrupt(face, name, severity, 0, i).astype(float) for i in range(8)]
    return np.mean([np.sqrt(np.mean((x - face) ** 2)) for x in made])


def point(name, severity, size=33):
    """What a corruption makes of one white pixel in the middle."""
    image = np.zeros((size, size), np.uint8)
    image[size // 2, size // 2] = 255
    return FAULTS[name](image, severity, np.random.default_rng(0)).astype(int)


# --- pictures ------------------------------------------------------------------------------------


def test_numbers_never_change():
    assert [(fault.number, name) for name, fault in FAULTS.items()] == list(
        enumerate(
            (
                *("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"),
                *("defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur"),
                *("brightness", "darkness", "contrast", "elastic", "pixelate", "jpeg"),
            ),
            start=1,
        )
    )


@pytest.mark.parametrize("name", FAULTS)
def test_more_severe_is_further_from_the_original(name, face):
    before = face.copy()
    made = corrupt(face, name, 1, 0, 0)
    assert (made.shape, made.dtype) == (face.shape, np.uint8)
    np.testing.assert_array_equal(face, before)
    distances = [distance(face, name, severity) for severity in SEVERITIES]
    assert distances[0] > 2
    assert np.all(np.diff(distances) > 0.1), distances
    assert distances[2] == pytest.approx(DISTANCE[name], rel=0.04)


@pytest.mark.parametrize("name", FAULTS)
def test_draws_depend_on_seed_corruption_severity_and_image_alone(name, face):
    first = corrupt(face, name, 2, 7, 5)
    rng = np.random.default_rng((7, FAULTS[name].number, 2, 5))
    np.testing.assert_array_equal(first, FAULTS[name](face, 2, rng))
    for other in (corrupt(face, name, 2, 8, 5), corrupt(face, name, 2, 7, 6)):
        assert np.any(other != first) == (name in RANDOM)


def test_shape_is_free_and_anything_but_grey_bytes_is_refused():
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 256, (20, 30)).astype(np.uint8)
    for fault in FAULTS.values():
        assert fault(wide, 5, rng).shape == (20, 30)
    with pytest.raises(ValueError, match="severity: expected 1 to 5, got 0"):
        FAULTS["jpeg"](wide, 0, rng)
    with pytest.raises(ValueError, match=r"uint8 \(H, W\), got float64"):
        FAULTS["jpeg"](wide / 255, 1, rng)
    with pytest.raises(ValueError, match=r"got uint8 \(20, 30, 3\)"):
        FAULTS["jpeg"](np.dstack([wide] * 3), 1, rng)


def test_defocus_spreads_a_point_over_its_disk():
    radius = FAULTS["defocus_blur"].levels[4]
    spread = point("defocus_blur", 5)
    assert spread.max() == pytest.approx(255 / (np.pi * radius**2), abs=1)
    y, x = np.nonzero(spread)
    assert np.hypot(y - 16, x - 16).max() <= radius + 0.75
    assert spread.sum() == pytest.approx(255, abs=12)  # rounded pixel by pixel


def test_motion_spreads_a_point_along_a_line_of_its_length():
    length = FAULTS["motion_blur"].levels[4]
    y, x = np.nonzero(point("motion_blur", 5))
    light = point("motion_blur", 5)[y, x].astype(float)
    spread = np.linalg.eigvalsh(np.cov(np.stack([y, x]), aweights=light))
    assert spread[1] == pytest.approx(length**2 / 12, rel=0.2)
    assert spread[0] < 0.5  # a pixel's own width


def test_noise_is_as_strong_as_its_level_says():
    grey = np.full((200, 200), 128, np.uint8)
    rng = np.random.default_rng(0)
    shot = FAULTS["shot_noise"](grey, 4, rng)
    assert shot.mean() == pytest.approx(128, abs=1)
    assert (shot / 255).var() == pytest.approx(128 / 255 / 45, rel=0.05)
    speckle = FAULTS["speckle_noise"](grey, 2, rng)
    assert (speckle / 128).std() == pytest.approx(0.15, rel=0.05)


def test_light_and_blocks(face):
    rng = np.random.default_rng(0)
    squeezed = FAULTS["contrast"](face, 3, rng)
    assert squeezed.mean() == pytest.approx(face.mean(), abs=0.5)
    assert squeezed.std() == pytest.approx(0.28 * face.std(), rel=0.02)
    brighter = FAULTS["brightness"](np.zeros_like(face), 4, rng)
    assert np.all(brighter == round(0.3 * 255))
    assert len(np.unique(FAULTS["pixelate"](face, 5, rng), axis=0)) == round(48 * 0.57)


def test_what_the_shipped_model_was_trained_on_is_flagged():
    trained = {name for name, fault in FAULTS.items() if fault.trained}
    assert trained == {
        *("gaussian_noise", "impulse_noise", "speckle_noise", "motion_blur"),
        *("brightness", "darkness", "pixelate", "jpeg"),
    }
    known = {*corruptions.CORRUPTIONS, "light", ""}
    assert {fault.kin for fault in FAULTS.values()} <= known


# --- formulas ------------------------------------------------------------------------------------

PICTURES = {"version": 1, "split": "private", "images": 4, "seed": 0}


def errors_of(clean, row, **others):
    return Errors(PICTURES, clean, dict.fromkeys(FAULTS, row) | others, "ref.onnx")


OURS = errors_of(0.1, (0.2, 0.3, 0.4, 0.5, 0.6), jpeg=(0.1, 0.1, 0.2, 0.2, 0.4))
REFERENCE = errors_of(0.3, (0.4,) * 5, jpeg=(0.3, 0.3, 0.4, 0.5, 0.5), contrast=(0.8,) * 5)


def test_corruption_errors_by_hand():
    # sums: 2.0 / 2.0; 1.0 / 2.0; 2.0 / 4.0
    assert corruption_error(OURS, REFERENCE, "elastic") == pytest.approx(1)
    assert corruption_error(OURS, REFERENCE, "jpeg") == pytest.approx(0.5)
    assert corruption_error(OURS, REFERENCE, "contrast") == pytest.approx(0.5)
    # (2.0 - 5 * .1) / (2.0 - 5 * .3); (1.0 - .5) / (2.0 - 1.5); (2.0 - .5) / (4.0 - 1.5)
    assert relative_error(OURS, REFERENCE, "elastic") == pytest.approx(3)
    assert relative_error(OURS, REFERENCE, "jpeg") == pytest.approx(1)
    assert relative_error(OURS, REFERENCE, "contrast") == pytest.approx(0.6)


def test_means_of_all_trained_and_held_out_families_by_hand():
    families = summarise(OURS, REFERENCE)["families"]
    # 15 corruptions; jpeg is one of the 8 trained, contrast one of the 7 held out.
    assert [part["corruptions"] for part in families.values()] == [15, 8, 7]
    assert families["all"]["mean_error"] == pytest.approx((14 * 0.4 + 0.2) / 15)
    assert families["all"]["mce"] == pytest.approx((13 + 0.5 + 0.5) / 15)
    assert families["trained"]["mce"] == pytest.approx((7 + 0.5) / 8)
    assert families["held out"]["mce"] == pytest.approx((6 + 0.5) / 7)
    assert families["trained"]["relative_mce"] == pytest.approx((7 * 3 + 1) / 8)
    assert families["held out"]["relative_mce"] == pytest.approx((6 * 3 + 0.6) / 7)
    own = summarise(REFERENCE, REFERENCE)["families"]["all"]
    assert (own["mce"], own["relative_mce"]) == (pytest.approx(1), pytest.approx(1))


def test_a_ratio_over_nothing_is_no_number():
    easy = errors_of(0.3, (0.4,) * 5, brightness=(0.3,) * 5)
    summary = summarise(OURS, easy)
    assert summary["corruptions"]["brightness"]["relative_ce"] is None
    assert summary["corruptions"]["brightness"]["ce"] == pytest.approx(2 / 1.5)
    assert summary["families"]["trained"]["relative_mce"] is None
    assert summary["families"]["held out"]["relative_mce"] == pytest.approx(3)
    assert corruption_error(OURS, errors_of(0, (0,) * 5), "jpeg") is None


def test_without_a_reference_there_are_mean_errors_and_the_table_says_so():
    summary = summarise(OURS, None)
    assert summary["families"]["all"]["mce"] is None
    means, table = benchmark_tables(OURS, summary, None)
    assert means.rows[0] == ("all", "15", "38.7", "-", "-")
    assert "no mCE" in means.note
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["jpeg"] == ("trained", "10.0", "10.0", "20.0", "20.0", "40.0", "20.0", "-", "-")
    assert rows["elastic"][0] == "held out"


# --- commands ------------------------------------------------------------------------------------


def quiet():
    return Console(record=True, quiet=True)


def test_corrupted_pictures_take_the_path_of_those_that_are_corrupted_on_the_way(fer2013):
    images, at = fer2013["private"][0], np.array([0, 3])
    for oracle in (False, True):
        plan = Plan(FakeBackend().card, seed=4, oracle=oracle)
        noisy = [spoil(images[i], NOISY[1], 4, i) for i in at]
        noise = [true_noise(images[i], x, NOISY[1]) for i, x in zip(at, noisy, strict=True)]
        one = prepare(images, at, NOISY[1], plan)
        two = prepare_pictures(noisy, plan, noise if oracle else None)
        np.testing.assert_array_equal(one.crops, two.crops)
        np.testing.assert_array_equal(one.eta, two.eta)
        assert one.kinds == two.kinds


def test_generate_writes_pictures_that_a_manifest_vouches_for(tmp_path, fer2013, monkeypatch):
    monkeypatch.setattr(bench, "load_fer2013", lambda path: fer2013)
    options = BenchmarkOptions(limit=2, seed=3)
    files = bench.generate(tmp_path, tmp_path / "c", options, quiet())
    assert len(files) == 75 + 4
    assert all(file.is_file() for file in files)
    manifest = json.loads((tmp_path / "c" / "manifest.json").read_text())
    assert manifest["pictures"] == PICTURES | {"images": 2, "seed": 3}
    at = np.load(tmp_path / "c" / "indices.npy")
    labels = np.load(tmp_path / "c" / "labels.npy")
    np.testing.assert_array_equal(labels, fer2013["private"][1][at])
    made = np.load(tmp_path / "c" / "glass_blur-4.npy")
    assert (made.shape, made.dtype) == ((2, 48, 48), np.uint8)
    wanted = corrupt(fer2013["private"][0][at[1]], "glass_blur", 4, 3, int(at[1]))
    np.testing.assert_array_equal(made[1], wanted)
    assert manifest["sha256"]["glass_blur-4.npy"] == hashlib.sha256(made.tobytes()).hexdigest()


def test_generate_says_where_it_cannot_write(tmp_path, fer2013, monkeypatch):
    monkeypatch.setattr(bench, "load_fer2013", lambda path: fer2013)
    (tmp_path / "c").write_text("a file")
    with pytest.raises(DataError, match="cannot be written"):
        bench.generate(tmp_path, tmp_path / "c", BenchmarkOptions(limit=1), quiet())


@pytest.fixture
def command(tmp_path, fer2013, monkeypatch):
    """Runs `measure` with a fake model of a name; returns the files and their texts."""
    backend = FakeBackend()
    monkeypatch.setattr(evaluation, "open_backend", lambda path: backend)
    monkeypatch.setattr(bench, "load_fer2013", lambda path: fer2013)
    monkeypatch.setattr(bench, "REFERENCE", tmp_path / "reference.json")
    monkeypatch.setattr(bench, "CHUNK", 3)
    # Quicker; that the estimate is in the path is tested above.
    monkeypatch.setattr(robustness, "estimate_noise", lambda picture: Noise.clean())

    def run(name="fake", **options):
        model = tmp_path / f"{name}.onnx"
        model.write_bytes(name.encode())
        chosen = BenchmarkMeasure(out=tmp_path / "results", **options)
        files = bench.measure(model, tmp_path, chosen, quiet(), quiet())
        return files, json.loads(files[0].read_text()), files[1].read_text()

    return run


def test_a_model_is_measured_and_is_its_own_reference(command, tmp_path):
    files, figures, text = command()
    assert [file.name for file in files] == ["fer2013c-fake.json", "fer2013c-fake.md"]
    assert figures["pictures"] == PICTURES
    # The fake network calls what is bright happy: half of the faces, until the light goes.
    assert figures["clean"] == 0
    assert figures["errors"]["contrast"] == [0] * 5
    assert figures["errors"]["darkness"][-1] == figures["errors"]["brightness"][-1] == 0.5
    assert figures["families"]["all"]["mce"] is None
    assert "no mCE" in text

    files[0].rename(tmp_path / "reference.json")
    _, figures, text = command("other", limit=None)
    assert figures["reference"].startswith("fake.onnx")
    assert figures["corruptions"]["darkness"]["ce"] == 1
    assert figures["corruptions"]["contrast"]["ce"] is None  # no error there


def test_a_reference_of_other_pictures_is_refused_or_left_out(command, tmp_path):
    files, _, _ = command(limit=1)
    assert files[0].name == "fer2013c-fake-1.json"
    kept = files[0].rename(tmp_path / "reference.json")
    assert command(limit=2)[1]["reference"] is None
    with pytest.raises(DataError, match=r"images 1, .*not .*images 2"):
        command(limit=2, reference=kept)


def test_a_file_that_is_no_reference(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_errors(tmp_path / "gone.json")
    file = tmp_path / "other.json"
    for text in ("[]", "{", '{"pictures": {}, "clean": 0.1, "errors": {"jpeg": [1]}}'):
        file.write_text(text)
        with pytest.raises(DataError, match="holds no figures"):
            read_errors(file)
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="holds no figures"):
        read_errors(file)
    short = {"pictures": {}, "clean": 0, "errors": {name: [0.1] for name in FAULTS}}
    file.write_text(json.dumps(short | {"model": {"file": "m", "sha256": "0" * 64}}))
    with pytest.raises(DataError, match="five severities"):
        read_errors(file)


def test_a_limit_of_0_is_refused():
    with pytest.raises(ConfigError, match="--limit"):
        BenchmarkOptions(limit=0)
