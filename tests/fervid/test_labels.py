"""Calibration and doubt."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from fervid import corruptions
from fervid.card import ModelCard
from fervid.config import LabelConfig
from fervid.filters import PAPER_CHOICE, gaussian_by_level, get_filter
from fervid.labels import LIT, blur, calibrate, darkness, doubts
from fervid.records import Faces
from tests.places import DATA, needs_data
from train.data import load_fer2013

CARD = ModelCard(name="t", classes=("a", "b", "c"), input_px=48, uncertain_below=0.5)


def faces(width):
    box = np.array([[10, 10, 10 + width, 10 + width]], np.float32)
    return Faces(
        box, np.ones(1, np.float32), np.zeros((1, 2, 2), np.float32), np.zeros(1, np.int64)
    )


def sharp(mean=140):
    noise = np.random.default_rng(0).normal(mean, 30, (1, 12, 12)).clip(0, 255)
    return np.kron(noise, np.ones((1, 4, 4))).astype(np.uint8)


@settings(max_examples=30)
@given(st.lists(st.floats(-20, 20), min_size=3, max_size=3), st.floats(0, 0.4))
def test_probabilities_sum_to_1_and_keep_their_order(logits, eta):
    card = CARD.replace(temperature=(0.2, 2.0, 0.5))
    z = np.array([logits], np.float32)
    p = calibrate(z, np.array([eta], np.float32), sharp(), card)
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert p[0][z.argmax()] == p.max()


def test_temperature_by_hand():
    card = CARD.replace(temperature=(np.log(2), 0.0, 0.0))
    p = calibrate(np.array([[2.0, 0, 0]], np.float32), np.zeros(1, np.float32), sharp(), card)
    e = np.exp([1.0, 0, 0])
    assert p[0] == pytest.approx(e / e.sum(), abs=1e-6)


def test_noise_makes_a_calibrated_network_less_sure():
    card = CARD.replace(temperature=(0.0, 2.0, 0.0))
    z = np.array([[2.0, 0, 0]] * 2, np.float32)
    p = calibrate(z, np.array([0, 0.3], np.float32), np.repeat(sharp(), 2, 0), card)
    assert p[1].max() < p[0].max()


def test_no_faces_is_a_normal_value():
    none = np.zeros((0, 48, 48), np.uint8)
    p = calibrate(np.zeros((0, 3), np.float32), np.zeros(0, np.float32), none, CARD)
    assert p.shape == (0, 3)
    assert doubts(p, Faces.empty(), none, LabelConfig(), CARD) == ()


def test_each_doubt_alone():
    sure, unsure = np.array([[0.9, 0.05, 0.05]]), np.array([[0.4, 0.3, 0.3]])
    blurred = np.repeat(np.repeat(np.linspace(90, 200, 48)[None, None], 48, 1), 1, 0)
    config = LabelConfig()

    def why(p, width=100, crop=None):
        return doubts(p, faces(width), sharp() if crop is None else crop, config, CARD)[0]

    assert why(sure) == ()
    assert why(unsure) == ("confidence",)
    assert why(sure, width=20) == ("small",)
    assert why(sure, crop=blurred.astype(np.uint8)) == ("blurred",)
    assert why(sure, crop=(sharp() * 0.1).astype(np.uint8)) == ("dark",)


def test_the_command_lines_limit_replaces_the_cards():
    p = np.array([[0.6, 0.2, 0.2]])
    assert doubts(p, faces(100), sharp(), LabelConfig(), CARD)[0] == ()
    strict = LabelConfig(confident_from=0.7)
    assert doubts(p, faces(100), sharp(), strict, CARD)[0] == ("confidence",)


def test_an_enlarged_face_is_blurred_and_a_filtered_one_is_not():
    """Pixels that were never there make doubt; noise that a filter has been at does not."""
    face = cv2.resize(data.astronaut()[60:200, 154:294, 1], (48, 48), interpolation=cv2.INTER_AREA)
    noisy = corruptions.gaussian(face, 0.2, np.random.default_rng(0))
    filtered = gaussian_by_level(noisy, 0.2)
    limit = LabelConfig().blurred_from
    values = blur(
        np.stack([face, _enlarged(face, 14), cv2.GaussianBlur(face, (0, 0), 2), filtered])
    )
    assert list(values >= limit) == [False, True, True, False]


@needs_data
def test_shares_of_real_faces_that_are_called_blurred():
    """Prints what docs/decisions.md says: pytest -s -k called_blurred."""
    faces = load_fer2013(DATA / "fer2013.zip")["public"][0][::6]
    limit, found = LabelConfig().blurred_from, {}
    for px in (48, 20, 16, 14):
        found[f"{px} px"] = [_enlarged(face, px) for face in faces]
    for sigma in (1, 1.5):
        found[f"blur {sigma}"] = [cv2.GaussianBlur(face, (0, 0), sigma) for face in faces]
    for number, (kind, levels) in enumerate(corruptions.PAPER_LEVELS.items()):
        rng, name = np.random.default_rng(number), PAPER_CHOICE[kind]
        noisy = [corruptions.CORRUPTIONS[kind](face, levels[-1], rng) for face in faces]
        found[kind] = [get_filter(name)(face, 0.2) for face in noisy]
    shares = {name: float((blur(np.stack(x)) >= limit).mean()) for name, x in found.items()}
    print({n: f"{share:.1%}" for n, share in shares.items()})  # noqa: T201  for the decisions
    assert max(shares[name] for name in ("48 px", *corruptions.PAPER_LEVELS)) < 0.01
    assert min(shares["14 px"], shares["blur 1.5"]) > 0.95
    assert shares["20 px"] < 0.05 < shares["16 px"]


def _enlarged(face, px):
    """A face that had only px x px pixels once."""
    small = cv2.resize(face, (px, px), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (48, 48), interpolation=cv2.INTER_CUBIC)


def test_darkness_by_hand():
    crops = np.stack([np.full((4, 4), v, np.uint8) for v in (0, round(LIT * 255 / 2), 255)])
    assert darkness(crops) == pytest.approx([1, 0.5, 0], abs=0.01)
