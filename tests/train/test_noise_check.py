"""What the noise estimator is checked by: realised levels, counts, bars, sections, files."""

import json

import cv2
import numpy as np
import pytest
from rich.console import Console

from fervid import corruptions
from fervid.errors import ConfigError, DataError
from fervid.noise import estimate_noise
from fervid.records import Noise
from tests.places import DATA, needs_data
from train import noise_check, noise_material, noise_sigma
from train.noise_bars import Bar, bars, bars_table, margin, verdict
from train.noise_check import CheckOptions
from train.noise_faults import AS_ADDED, CONDITIONS, FAULTS, MIXED, NO_NOISE, SINGLE, spoiled
from train.noise_levels import clipped_power, realised_level
from train.noise_material import Material, material
from train.noise_tally import WIDE, condition_figures, material_figures, setting_figures
from train.robustness import NOISY, SETTINGS, Setting, corrupt

BY_NAME = {fault.name: fault for fault in FAULTS}


def says(kind, level=0.0, severity=0.0):
    """A `Noise` of one kind."""
    levels = np.zeros(3, np.float32)
    if kind != "clean":
        levels[("gaussian", "salt_pepper", "speckle").index(kind)] = level
    return Noise(kind, levels, severity, np.zeros(3, np.float32))


def flat(grey, side=64):
    return np.full((side, side), grey, np.uint8)


@pytest.fixture(scope="module")
def faces():
    """Eight soft pictures of 48 px with light and dark parts."""
    rng = np.random.default_rng(0)
    small = rng.uniform(30, 225, (8, 5, 5)).astype(np.float32)
    large = [cv2.resize(s, (48, 48), interpolation=cv2.INTER_CUBIC) for s in small]
    return np.stack(large).clip(0, 255).astype(np.uint8)


# --- realised levels -----------------------------------------------------------------------------


def test_without_clipping_the_realised_sigma_is_the_rms():
    noisy = flat(128)
    noisy[::2], noisy[1::2] = 128 + 20, 128 - 20
    sigma = 20 / 255
    assert realised_level(flat(128), noisy, "gaussian") == pytest.approx(sigma, rel=1e-3)
    # Speckle of variance v has the RMS sqrt(v) x on a flat picture x.
    assert realised_level(flat(128), noisy, "speckle") == pytest.approx(20 / 128, rel=1e-3)


def test_on_black_half_the_noise_is_clipped_away():
    """E[max(0, sigma z)^2] = sigma^2 / 2, so an RMS of r there means sigma = r sqrt(2)."""
    noisy = flat(0)
    noisy[::2] = 40
    rms = 40 / 255 / 2**0.5
    assert realised_level(flat(0), noisy, "gaussian") == pytest.approx(rms * 2**0.5, rel=1e-3)
    assert realised_level(flat(0), flat(0), "speckle") == 0


def test_the_power_of_clipped_noise_is_that_of_many_draws():
    z = np.random.default_rng(0).standard_normal(200_000)
    for sd, x in ((0.3, 0.1), (0.1, 0.5), (0.8, 0.9)):
        drawn = np.mean((np.clip(x + sd * z, 0, 1) - x) ** 2)
        assert clipped_power(np.array(sd), np.array(x)) == pytest.approx(drawn, rel=0.02)
    assert clipped_power(np.array(0.0), np.array(0.4)) == 0


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.3, 0.6])
def test_realised_gaussian_and_speckle_are_near_what_was_asked_for(faces, sigma):
    clean = np.vstack(list(faces))
    rng = np.random.default_rng(0)
    noisy = corruptions.gaussian(clean, sigma, rng)
    assert realised_level(clean, noisy, "gaussian") == pytest.approx(sigma, rel=0.02)
    noisy = corruptions.speckle(clean, sigma**2, rng)
    assert realised_level(clean, noisy, "speckle") == pytest.approx(sigma, rel=0.02)


def test_the_realised_density_is_counted():
    """8 of 100 pixels on grey; on black only salt can show, on white only pepper."""
    clean, noisy = flat(90, 10), flat(90, 10)
    noisy.ravel()[:3], noisy.ravel()[3:8] = 0, 255
    assert realised_level(clean, noisy, "salt_pepper") == 0.08
    clean[:5] = noisy[:5] = 0
    noisy[0, :2] = 255  # on 50 black and 50 grey pixels: 2 hits of 50 + 100 chances
    assert realised_level(clean, noisy, "salt_pepper") == pytest.approx(2 * 2 / 150)


def test_green_counts_in_colour():
    clean = np.dstack([flat(128)] * 3)
    noisy = clean.copy()
    noisy[..., 0] = 0
    assert realised_level(clean, noisy, "gaussian") == 0
    noisy[..., 1] = 128 + 25
    assert realised_level(clean, noisy, "gaussian") == pytest.approx(25 / 255, rel=1e-3)


# --- counts --------------------------------------------------------------------------------------


def test_errors_and_answers_by_hand():
    """Two pictures of three are answered rightly, 10 % too high and 20 % too low."""
    setting = Setting(1, "gaussian", 0.1)
    pictures = material("flat", [flat(128), flat(100), flat(90)])
    noisy = [corrupt(p, setting, 0, n) for n, p in enumerate(pictures.pictures)]
    true = [realised_level(p, x, "gaussian") for p, x in zip(pictures.pictures, noisy, strict=True)]
    rms = [
        np.sqrt(np.mean((x / 255 - p / 255) ** 2))
        for p, x in zip(pictures.pictures, noisy, strict=True)
    ]
    answers = iter(
        [
            says("gaussian", 1.1 * true[0], 1.3 * rms[0]),
            says("gaussian", 0.8 * true[1], rms[1]),
            says("speckle", 0.3, 0.1),
        ]
    )
    seen = []

    def estimate(image):
        seen.append(image)
        return next(answers)

    row = setting_figures(pictures, setting, 0, estimate)
    np.testing.assert_array_equal(seen, noisy)
    assert row["right"] == pytest.approx(2 / 3)
    assert row["answers"]["speckle"] == pytest.approx(1 / 3)
    assert row["level_error_p50"] == pytest.approx(0.15, abs=1e-4)
    assert row["level_error_p90"] == pytest.approx(0.19, abs=1e-4)
    assert row["severity_error_p50"] == pytest.approx(0.15, abs=1e-4)


def test_the_mean_is_over_the_papers_settings_and_clean_alone(faces):
    """An estimator that always says "gaussian": 3 of 10 settings right, the wide ones left out."""
    found = material_figures(
        material("faces", list(faces[:2])),
        (*SETTINGS, *WIDE),
        0,
        lambda _: says("gaussian", 0.1, 0.1),
    )
    assert (found["right_mean"], found["right_worst"]) == (pytest.approx(0.3), 0)
    assert found["clean_called_noisy"] == 1
    assert found["confusion"]["speckle"] == {
        "clean": 0,
        "gaussian": 1,
        "salt_pepper": 0,
        "speckle": 0,
    }
    assert len(found["settings"]) == len(SETTINGS) + len(WIDE)
    numbers = [setting.number for setting in (*SETTINGS, *WIDE)]
    assert len(set(numbers)) == len(numbers)


def test_a_choice_keeps_each_pictures_noise():
    many = Material("m", [flat(n) for n in range(20)], range(100, 120))
    some = many.some(5, 1)
    assert len(some.pictures) == 5
    assert [int(p[0, 0]) + 100 for p in some.pictures] == list(some.places)
    assert many.some(20, 1) is many


# --- faults --------------------------------------------------------------------------------------


def test_every_condition_keeps_the_size_and_draws_the_same_again(faces):
    for fault, mix in CONDITIONS:
        for picture in (faces[0], np.dstack([faces[0]] * 3)):
            without, noisy = spoiled(picture, fault, mix, 0, 3)
            assert without.shape == noisy.shape == picture.shape
            assert np.array_equal(without, noisy) == (mix is NO_NOISE)
    again = [spoiled(faces[0], BY_NAME["H.264 crf 23"], SINGLE[0], 0, 3)[1] for _ in range(2)]
    np.testing.assert_array_equal(*again)
    other = spoiled(faces[0], BY_NAME["H.264 crf 23"], SINGLE[0], 0, 4)[1]
    assert np.any(other != again[0])
    pairs = [(fault.number, mix.number) for fault, mix in CONDITIONS]
    assert len(set(pairs)) == len(pairs)


def test_noise_is_added_before_the_size_changes(faces):
    """Halved by area noise keeps half its RMS; doubled it spreads over neighbours."""
    noise = {}
    for name in ("half size", "double size"):
        without, noisy = spoiled(flat(128, 96), BY_NAME[name], SINGLE[0], 0, 0)
        noise[name] = (noisy.astype(float) - without) / 255
    assert noise["half size"].std() == pytest.approx(0.1, rel=0.05)  # sigma .2
    spread = noise["double size"]
    touching = np.corrcoef(spread[:, 1:].ravel(), spread[:, :-1].ravel())[0, 1]
    assert touching > 0.5


def test_a_mixture_has_both_noises():
    mixed = spoiled(flat(128, 96), AS_ADDED, MIXED[0], 0, 0)[1]
    impulses = (mixed == 0) | (mixed == 255)
    assert 0.03 < impulses.mean() < 0.07
    assert np.std(mixed[~impulses]) / 255 == pytest.approx(0.1, rel=0.1)


def test_ratios_of_a_condition_by_hand():
    """Half of the impulses and a tenth more sigma than was added are said."""
    noise = Noise("gaussian", np.array([0.11, 0.025, 0], np.float32), 0.08, np.zeros(3, np.float32))
    row = condition_figures(
        material("flat", [flat(128)] * 2), (AS_ADDED, MIXED[0]), 0, lambda _: noise
    )
    assert row["level_ratios"] == pytest.approx({"gaussian": 1.1, "salt_pepper": 0.5}, rel=1e-5)
    assert row["severity_ratio"] == pytest.approx(0.08 / row["left"], rel=0.02)
    speckle = condition_figures(
        material("flat", [flat(128)]),
        (BY_NAME["JPEG 90"], SINGLE[2]),
        0,
        lambda _: says("speckle", 0.06**0.5),
    )
    assert speckle["level_ratios"] == pytest.approx({"speckle": 1.0}, rel=1e-5)


# --- material ------------------------------------------------------------------------------------


def test_a_face_square_is_native_and_inside():
    bgr = np.random.default_rng(0).integers(0, 255, (200, 400, 3), np.uint8)
    square = noise_material.face_square(bgr, np.array([0, 10, 37, 47], np.float32))
    np.testing.assert_array_equal(square, bgr[0:64, 0:64])  # 64 px although the face is 37
    box = np.array([100, 50, 200, 150], np.float32)
    np.testing.assert_array_equal(noise_material.face_square(bgr, box), bgr[50:150, 100:200])
    assert noise_material.face_square(bgr[:50], box) is None
    large = np.zeros((500, 500, 3), np.uint8)
    assert noise_material.face_square(large, np.array([0, 0, 480, 480])).shape == (300, 300, 3)


def test_wide_frames_are_reduced_to_an_even_size():
    assert noise_material.at_most_wide(np.zeros((721, 1281, 3), np.uint8)).shape == (360, 640, 3)
    assert noise_material.at_most_wide(np.zeros((289, 361, 3), np.uint8)).shape == (288, 360, 3)


def test_boxes_that_are_none_are_refused(tmp_path):
    assert noise_material.labelled_squares(tmp_path) == []
    (tmp_path / "boxes.xml").write_text("<dataset><image file='a.jpg'/></dataset>")
    with pytest.raises(DataError, match=r"a\.jpg"):
        noise_material.labelled_squares(tmp_path)
    (tmp_path / "boxes.xml").write_text("no xml")
    with pytest.raises(DataError, match="not a list of face boxes"):
        noise_material.labelled_squares(tmp_path)


# --- bars ----------------------------------------------------------------------------------------


def test_a_bar_is_met_or_missed_by_so_much():
    least, most = Bar("a", 99, 99.7, True), Bar("b", 5, 3, False)
    assert margin(least, 99, 99.5) == pytest.approx(0.5)
    assert margin(most, 5, 5.25) == pytest.approx(-0.25)
    assert margin(most, 5, None) is None
    assert (verdict(0.5), verdict(-0.25), verdict(None)) == ("met by 0.50", "missed by 0.25", "-")


def test_bars_come_from_the_figures():
    def part(worst, error):
        rows = [{"setting": s.name, "kind": s.kind, "level_error_p50": error} for s in SETTINGS[1:]]
        rows.append({"setting": "gaussian 0.6", "kind": "gaussian", "level_error_p50": 0.5})
        return {
            "right_mean": 0.995,
            "right_worst": worst,
            "clean_called_noisy": 0.002,
            "settings": rows,
        }

    figures = {
        "faces": {"private": part(0.97, 0.04), "public": part(1, 0)},
        "frames": part(1.0, 0.01),
        "clips": [{"frames": 300, "smoothed": 1}, {"frames": 700, "smoothed": 1}],
        "time": [{"width": 640, "height": 360, "ours": {"p50_ms": 0.4}}],
    }
    rows = {row["bar"]: row for row in bars(figures)}
    every = rows["kind right, 48 px: every setting"]
    assert every["measured"] == pytest.approx(97)
    assert every["must_margin"] == pytest.approx(-1)
    assert rows["level error, gaussian sigma, 48 px: worst median"]["measured"] == pytest.approx(4)
    assert rows["level error, speckle sigma, frames: worst median"]["aim_margin"] == pytest.approx(
        1
    )
    smoothed = rows["frames of clean clips called noisy, smoothed"]
    assert (smoothed["measured"], smoothed["must_margin"]) == pytest.approx((0.2, -0.1))
    assert rows["time at 640x360, median"]["must_margin"] == pytest.approx(0.6)
    assert rows["kind right, crops: mean"]["measured"] is None
    text = bars_table(list(rows.values())).markdown()
    assert (
        "| kind right, 48 px: every setting | >= 98 % | >= 99.2 % | 97.00 | missed by 1.00 |"
        in text
    )
    assert "| kind right, crops: mean | >= 99 % | >= 99.9 % | - | - | - |" in text


# --- beside estimate_sigma, and time -------------------------------------------------------------


def test_both_estimates_are_held_against_the_same_sigma():
    rows = noise_sigma.sigma_rows(
        material("flat", [flat(128)] * 3),
        0,
        lambda image: says("gaussian", 1.02 * float(np.std(image / 255))),
        lambda image: 0.5 * float(np.std(image / 255)),
    )
    assert [row["sigma"] for row in rows] == [0.05, 0.1, 0.15, 0.2, 0.3]
    assert rows[1]["ours"]["error_p50"] == pytest.approx(0.02, abs=0.002)
    assert rows[1]["published"]["ratio_p50"] == pytest.approx(0.5, abs=0.002)
    assert rows[1]["published"]["error_p50"] == pytest.approx(0.5, abs=0.002)


def test_the_published_estimate_is_skimages():
    pytest.importorskip("pywt", reason="PyWavelets is not installed")
    noisy = corrupt(flat(128, 256), NOISY[0], 0, 0)
    assert noise_sigma.published_sigma()(noisy) == pytest.approx(0.1, rel=0.03)


def test_without_pywavelets_nothing_is_published(monkeypatch):
    monkeypatch.setattr(noise_sigma, "find_spec", lambda name: None)
    assert noise_sigma.published_sigma() is None


def test_times_are_those_of_the_calls_without_the_first_ones(monkeypatch):
    """A clock that goes on by 2 ms in ours, 6 ms in the other, 100 ms in the warm-up."""
    now, calls, threads = [0.0], [], []
    monkeypatch.setattr(noise_sigma, "TIMED", ((32, 16, 3),))
    monkeypatch.setattr(noise_sigma.cv2, "setNumThreads", threads.append)

    def work(name, ms):
        def call(image):
            calls.append((name, image.shape))
            now[0] += 0.1 if len(calls) <= 2 * noise_sigma.WARM_UP else ms / 1000

        return call

    rows = noise_sigma.time_rows(flat(9, 48), 4, work("ours", 2), work("other", 6), lambda: now[0])
    assert rows[0]["ours"] == pytest.approx({"p50_ms": 2, "p95_ms": 2})
    assert rows[0]["ratio"] == pytest.approx(3)
    assert calls[:2] == [("ours", (16, 32, 3)), ("other", (16, 32, 3))]
    assert threads[0] == 1
    assert len(threads) == 2
    alone = noise_sigma.time_rows(flat(9, 48), 1, work("ours", 2), None, lambda: now[0])
    assert "published" not in alone[0]


# --- real noise and clips ------------------------------------------------------------------------


def test_real_noise_is_measured_and_amplified():
    mean = np.dstack([flat(100)] * 3)
    shot = mean.copy()
    shot[::2] += 5
    shot[1::2] -= 5
    says_so = iter([says("clean"), says("clean"), says("gaussian", 0.08, 10 / 255)])
    rows = noise_check.real_noise_figures([(shot, mean)], lambda _: next(says_so))
    assert [row["sigma_p50"] for row in rows] == pytest.approx([0, 5 / 255, 20 / 255])
    assert [row["severity_ratio"] for row in rows] == [None, 0, pytest.approx(0.5)]
    assert rows[2]["answers"]["gaussian"] == 1


def test_frames_of_a_clip_raw_and_smoothed(monkeypatch, tmp_path):
    """One noisy frame of thirty is noisy raw and smoothed away; frames 0 and 24 are kept."""
    monkeypatch.setattr(
        noise_check, "clip_frames", lambda path, limit: iter(np.uint8([[n]]) for n in range(30))
    )
    noisy, clean = says("speckle", 0.2, 0.1), says("clean")
    row, few = noise_check.clip_figures(
        tmp_path / "a.mp4", None, lambda frame: noisy if frame[0, 0] == 10 else clean
    )
    assert row == {"clip": "a.mp4", "frames": 30, "raw": 1, "smoothed": 0, "severity_p50": 0}
    assert [int(f[0, 0]) for f in few] == [0, 24]


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, faces, monkeypatch):
    split = faces, np.zeros(len(faces), np.int64)
    monkeypatch.setattr(
        noise_check,
        "load_fer2013",
        lambda path: dict.fromkeys(("train", "public", "private"), split),
    )
    monkeypatch.setattr(noise_check, "CONDITIONS", ((FAULTS[7], SINGLE[0]), (AS_ADDED, MIXED[0])))
    monkeypatch.setattr(noise_sigma, "TIMED", ((640, 360, 3),))

    def run(**options):
        chosen = CheckOptions(**({"extra": tmp_path, "out": tmp_path / "results"} | options))
        out = Console(quiet=True)
        files = noise_check.noise_check(tmp_path, chosen, out)
        return files, json.loads(files[0].read_text()), files[1].read_text()

    return run


def test_without_other_material_the_faces_are_checked_and_the_rest_is_said(command, monkeypatch):
    monkeypatch.setattr(noise_check, "published_sigma", lambda: None)
    files, figures, text = command(limit=3)
    assert [file.name for file in files] == ["noise-check-3.json", "noise-check-3.md"]
    assert command(limit=3, seed=2)[0][0].name == "noise-check-3-seed2.json"
    assert set(figures["skipped"]) == {
        "real clips",
        "frames of real clips, at most 640 px wide",
        "face crops of 64-300 px",
        "real camera noise",
        "the comparison with estimate_sigma",
    }
    assert "PyWavelets is not installed" in text
    assert figures["faces"]["private"]["pictures"] == 3
    assert figures["time"][0]["repeats"] == 3
    assert "NaN" not in files[0].read_text()
    assert text.index("## The bars") < text.index("## Confusion matrices")
    assert "| gaussian 0.2 |" in text


def test_pairs_and_a_clip_are_found_and_shown(command, tmp_path, faces, monkeypatch):
    monkeypatch.setattr(noise_check, "published_sigma", lambda: lambda image: 0.1)
    for folder in ("real_noise", "clips"):
        (tmp_path / folder).mkdir()
    large = cv2.resize(faces[0], (96, 96))
    for name in ("a_real.png", "a_mean.png"):
        cv2.imwrite(str(tmp_path / "real_noise" / name), large)
    (tmp_path / "clips" / "a.mp4").write_bytes(b"")
    frame = np.dstack([large] * 3)
    monkeypatch.setattr(noise_check, "clip_frames", lambda path, limit: iter([frame] * 2))
    monkeypatch.setattr(noise_check, "detected_squares", lambda frames: [frames[0][:64, :64]])
    _, figures, text = command(limit=1)
    assert figures["skipped"] == {}
    assert figures["frames"]["pictures"] == figures["crops"]["pictures"] == 1
    assert figures["real_noise"][0]["answers"]["clean"] == 1
    assert {row["material"] for row in figures["sigma"]} == set(figures["conditions"])
    assert "## Beside skimage.restoration.estimate_sigma" in text
    assert "| a.mp4 | 2 |" in text


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="--limit"):
        CheckOptions(extra=tmp_path, limit=0)
    with pytest.raises(DataError, match="--extra"):
        CheckOptions(extra=tmp_path / "none")


# --- real data -----------------------------------------------------------------------------------


@needs_data
@pytest.mark.slow
def test_the_estimator_on_a_real_pair_and_a_clip():
    pairs = noise_material.noise_pairs(DATA / "real_noise")[:2]
    rows = noise_check.real_noise_figures(pairs, estimate_noise)
    assert rows[1]["answers"]["clean"] == 2  # sigma below .03, and blotchy
    assert 0.003 < rows[1]["sigma_p50"] < 0.03
    row, few = noise_check.clip_figures(DATA / "clips" / "single_face.mp4", 3, estimate_noise)
    assert (row["frames"], row["raw"], row["smoothed"]) == (3, 0, 0)
    assert len(noise_material.detected_squares(few)) == 1
    assert len(noise_material.labelled_squares(DATA / "groups")) == 18
