"""Recipes, FER2013 in its three forms, and batches that a resumed run sees again."""

import csv
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import torch
from hypothesis import given
from hypothesis import strategies as st

from fervid import corruptions
from fervid.card import ModelCard
from fervid.crops import crop_faces, prepare_thumbnail
from fervid.errors import ConfigError, DataError
from fervid.filters import get_filter
from train.augment import AugmentConfig, augment
from train.data import CLASSES, leaked, load_fer2013
from train.loader import Pictures, batch_keys, loader
from train.recipe import RECIPES, Recipe, Stage, load_recipe
from train.schedule import learning_rate, stage_steps

STAGE = "[[stage]]\npasses = 1\npx = 16\n"
PREFIXES = {"train": "Training", "public": "PublicTest", "private": "PrivateTest"}

# --- recipes -------------------------------------------------------------------------------------


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize("name", [path.stem for path in RECIPES.glob("*.toml")])
def test_every_recipe_can_be_read(name):
    recipe = load_recipe(name)
    assert recipe.stages
    assert recipe == load_recipe(str(RECIPES / f"{name}.toml"))


def test_a_recipe_holds_what_its_file_says(written):
    recipe = load_recipe(written('name = "x"\nlr = 0.5\n[augment]\nflip = 0.25\n' + STAGE))
    assert (recipe.name, recipe.lr, recipe.augment.flip) == ("x", 0.5, 0.25)
    assert recipe.stages == (Stage(passes=1, px=16),)
    assert repr(recipe.lr) in recipe.to_text()


def test_a_stage_names_only_what_differs_from_the_recipes_augment(written):
    text = 'name = "x"\n[augment]\nflip = 0.25\nnoise = 0.5\n' + STAGE + STAGE
    recipe = load_recipe(written(text + "[stage.augment]\nnoise = 0.1\n"))
    assert recipe.stages[0].augment is None
    own = recipe.at(1).augment
    assert (own.flip, own.noise, recipe.augment.noise) == (0.25, 0.1, 0.5)


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        (
            'name = "x"\n' + STAGE + "[stage.augment]\nrotatoin = 3\n",
            "rotatoin",
            "mean rotation?",
        ),
        ('name = "x"\n' + STAGE + "augment = 3\n", "augment", "must be a table"),
        ('name = "x"\nlabel_smooting = 0.1\n' + STAGE, "label_smooting", "mean label_smoothing?"),
        ('name = "x"\n[augment]\nrotatoin = 3\n' + STAGE, "rotatoin", "mean rotation?"),
        ('name = "x"\n' + STAGE + "last_strid = 1\n", "last_strid", "mean last_stride?"),
        ('name = "x"\nqqqq = 1\n' + STAGE, "qqqq", "known are name, stages"),
        ('name = "x"\n', "stage", "has no [[stage]]"),
        (STAGE, "", "is incomplete"),
        ("name = ", "recipe", "is not valid TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_with_the_nearest_key(written, text, key, said):
    with pytest.raises(ConfigError) as raised:
        load_recipe(written(text))
    assert said in str(raised.value)
    assert raised.value.key == key


def test_an_unknown_recipe_names_the_known_ones():
    with pytest.raises(ConfigError, match=r"known recipes are .*cpu"):
        load_recipe("cup")


# --- FER2013 -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures():
    """Split -> [(number, label, JPEG)], the numbers in no order."""
    rng = np.random.default_rng(0)
    made = {}
    for split, count in (("train", 12), ("public", 5), ("private", 4)):
        rows = []
        for number in rng.permutation(count * 3)[:count]:
            soft = rng.integers(0, 256, (6, 6)).astype(np.uint8)
            image = cv2.resize(soft, (48, 48), interpolation=cv2.INTER_CUBIC)
            coded = cv2.imencode(".jpg", image)[1].tobytes()
            rows.append((int(number), int(rng.integers(7)), coded))
        made[split] = rows
    return made


def member(split, number, label):
    folder = "train" if split == "train" else "test"
    return f"fer2013/{folder}/{CLASSES[label]}/{PREFIXES[split]}_{number}.jpg"


def make_zip(pictures, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fer2013/readme.txt", "not a picture")
        for split, rows in pictures.items():
            for number, label, coded in rows:
                archive.writestr(member(split, number, label), coded)
    return path


def make_folder(pictures, path):
    for split, rows in pictures.items():
        for number, label, coded in rows:
            file = path / member(split, number, label)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(coded)
    return path


def make_csv(pictures, path):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for split, rows in pictures.items():
            for _, label, coded in sorted(rows):
                image = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_GRAYSCALE)
                writer.writerow([label, " ".join(map(str, image.ravel())), PREFIXES[split]])
    return path


def test_zip_folder_and_csv_give_the_same_arrays(pictures, tmp_path):
    forms = [
        load_fer2013(make_zip(pictures, tmp_path / "fer2013.zip")),
        load_fer2013(make_folder(pictures, tmp_path / "folder")),
        load_fer2013(make_csv(pictures, tmp_path / "fer2013.csv")),
    ]
    for split, rows in pictures.items():
        images, labels = forms[0][split]
        assert (images.shape, images.dtype) == ((len(rows), 48, 48), np.uint8)
        assert labels.dtype == np.int64
        np.testing.assert_array_equal(labels, [label for _, label, _ in sorted(rows)])
        for form in forms[1:]:
            np.testing.assert_array_equal(form[split][0], images)
            np.testing.assert_array_equal(form[split][1], labels)


def test_what_is_not_fer2013_is_refused_by_name(pictures, tmp_path):
    with pytest.raises(DataError, match=r"missing\.zip; give --data"):
        load_fer2013(tmp_path / "missing.zip")
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"no zip")
    with pytest.raises(DataError, match="not a readable zip"):
        load_fer2013(broken)
    part = {**pictures, "private": []}
    with pytest.raises(DataError, match="no images of FER2013's private split"):
        load_fer2013(make_zip(part, tmp_path / "part.zip"))
    with pytest.raises(DataError, match="no images of FER2013's train split"):
        load_fer2013(tmp_path)


def test_a_picture_of_another_size_is_refused(pictures, tmp_path):
    large = cv2.imencode(".jpg", np.zeros((64, 64), np.uint8))[1].tobytes()
    wrong = {**pictures, "train": [(1, 0, large)]}
    with pytest.raises(DataError, match=r"Training_1\.jpg is not a 48x48 picture"):
        load_fer2013(make_zip(wrong, tmp_path / "x.zip"))


@pytest.mark.parametrize("row", ["0,1 2 3,Training", "0,,Elsewhere", "x,1,Training"])
def test_a_wrong_row_is_named(tmp_path, row):
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n{row}\n")
    with pytest.raises(DataError, match=r"Row 1 of .*fer2013\.csv"):
        load_fer2013(path)


def test_leaked_images_are_those_with_the_same_pixels():
    images = np.random.default_rng(0).integers(0, 256, (6, 48, 48)).astype(np.uint8)
    labels = np.zeros(6, np.int64)
    almost = images[:4].copy()
    almost[1, 0, 0] ^= 1
    found = leaked((almost, labels[:4]), (images[:3], labels[:3]))
    np.testing.assert_array_equal(found, [True, False, True, False])


# --- pictures and batches ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (10, 48, 48)).astype(np.uint8), rng.integers(0, 7, 10)


@pytest.mark.parametrize("px", [32, 48, 96])
def test_a_picture_without_augmentation_is_the_run_times_crop(px):
    """The training path against `crop_faces` on the same face in a frame, pixel by pixel."""
    off = AugmentConfig(flip=0, rotation=0, shift=0, scale=0, light=0, noise=0, faults=0)
    face = cv2.resize(skimage.data.astronaut()[60:200, 154:294, 1], (48, 48))
    picture, clean, eta, _ = augment(face, px, off, np.random.default_rng(0))
    np.testing.assert_array_equal(picture, clean)
    card = ModelCard(
        name="t", classes=("a", "b"), input_px=px, crop_scale=1.0, crop_shift=0.0, mean=0.5
    )
    frame = cv2.cvtColor(cv2.copyMakeBorder(face, *[9] * 4, cv2.BORDER_REFLECT), cv2.COLOR_GRAY2BGR)
    box = np.array([[9, 9, 57, 57]], np.float32)
    _, crops = crop_faces(frame, box, card, get_filter("none"), 0)
    np.testing.assert_array_equal(picture, crops[0])
    assert eta == 0


@pytest.mark.parametrize("native", [48, 64, 71, 160])
def test_noisy_pictures_pass_the_run_times_filters(native, monkeypatch):
    """What `augment` makes of a noisy face is what `prepare_thumbnail` makes of it."""
    seen = []

    def kept(face, level, rng):
        seen.append(corruptions.gaussian(face, level, rng))
        return seen[-1]

    monkeypatch.setitem(corruptions.CORRUPTIONS, "gaussian", kept)
    monkeypatch.setattr("train.augment._draw_noise", lambda *_: ("gaussian", 0.2))
    monkeypatch.setattr("train.augment._draw_filter", lambda *_: ("gaussian", "tuned"))
    config = AugmentConfig(light=0, noise=1, faults=0, native=0)
    face = cv2.resize(skimage.data.astronaut()[60:200, 154:294, 1], (native, native))
    monkeypatch.setattr("train.augment._geometry", lambda *_: face)
    monkeypatch.setattr("train.augment._fault", lambda face, *_: face)
    picture, *_ = augment(np.zeros((48, 48), np.uint8), 48, config, np.random.default_rng(1))
    rms = float(np.sqrt(np.mean((seen[0].astype(np.float32) - face) ** 2))) / 255
    card = ModelCard(name="t", classes=("a", "b"), input_px=48)
    expected = prepare_thumbnail(seen[0], card, get_filter("gaussian"), rms)
    np.testing.assert_array_equal(picture, expected)


def test_eta_is_the_noise_that_is_in_the_picture(split):
    """On a grey face without filter or geometry the noise is all that differs from grey."""
    grey = np.full((48, 48), 128, np.uint8)
    config = AugmentConfig(
        flip=0, rotation=0, shift=0, scale=0, light=0, noise=1, native=0, filtered=0, faults=0
    )
    for seed in range(30):
        rng = np.random.default_rng(seed)
        picture, _, eta, _ = augment(grey, 48, config, rng)
        left = np.sqrt(np.mean((picture.astype(float) - 128) ** 2)) / 255
        if left != pytest.approx(eta, rel=1e-3):  # one in ten has a fault before the noise
            assert eta > 0
            continue
        assert 0 < eta < 0.4


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_batches_after_a_resume_are_those_without(split):
    pictures = Pictures(split, 16, AugmentConfig(), seed=3)
    whole = list(loader(pictures, 4, range(8), (0, 1), 0))
    rest = list(loader(pictures, 4, range(3, 8), (0, 1), 0))
    assert len(whole) == 8
    assert len(rest) == 5
    assert all(equal(a, b) for a, b in zip(whole[3:], rest, strict=True))
    assert not equal(whole[3], whole[4])
    other = Pictures(split, 16, AugmentConfig(), seed=4)
    assert not equal(whole[0], next(iter(loader(other, 4, range(1), (0, 1), 0))))
    shape = (4, 16, 16)
    assert (whole[0][0].shape, whole[0][0].dtype) == (shape, torch.uint8)
    assert (whole[0].conditions.dtype, whole[0].labels.dtype) == (torch.float32, torch.int64)


@pytest.mark.slow
def test_a_worker_process_makes_the_same_batches(split):
    pictures = Pictures(split, 16, AugmentConfig(), seed=3)
    here = list(loader(pictures, 4, range(4), (0, 1), 0))
    there = list(loader(pictures, 4, range(4), (0, 1), 1))
    assert all(equal(a, b) for a, b in zip(here, there, strict=True))


@given(st.integers(3, 20), st.integers(1, 7), st.integers(0, 5))
def test_every_pass_sees_every_image_once(n, batch, seed):
    keys = [key for part in batch_keys(n, batch, seed, range(2 * n)) for key in part]
    for number in (0, 1):
        assert sorted(image for p, image in keys if p == number) == list(range(n))
    assert keys == sorted(keys, key=lambda key: key[0])


@given(st.integers(3, 20), st.integers(1, 4), st.integers(2, 3))
def test_processes_share_what_one_would_see(n, batch, processes):
    alone = batch_keys(n, batch * processes, 0, range(6))
    shares = [batch_keys(n, batch, 0, range(6), (rank, processes)) for rank in range(processes)]
    for whole, *parts in zip(alone, *shares, strict=True):
        assert whole == [key for part in parts for key in part]


# --- the curve -----------------------------------------------------------------------------------


def test_learning_rate_rises_in_a_line_and_falls_as_a_cosine():
    recipe = Recipe("x", (Stage(1, 16),), lr=0.8, warmup=0.1)
    curve = [learning_rate(recipe, 0.8, step, 100) for step in range(100)]
    np.testing.assert_allclose(curve[:10], 0.08 * np.arange(1, 11))
    assert curve[10] == 0.8
    assert curve[55] == pytest.approx(0.4)
    assert (np.diff(curve[10:]) < 0).all()
    assert curve[-1] == pytest.approx(0.8 * 0.5 * (1 - np.cos(np.pi / 90)))


def test_constant_learning_rate_and_a_run_of_one_step():
    recipe = Recipe("x", (Stage(1, 16),), lr=0.8, warmup=0.0, schedule="constant")
    assert {learning_rate(recipe, 0.8, step, 10) for step in range(10)} == {0.8}
    cosine = Recipe("x", (Stage(1, 16),), lr=0.8)
    assert learning_rate(cosine, 0.8, 0, 1) == 0.8


def test_steps_of_stages_count_all_processes():
    recipe = Recipe("x", (Stage(2, 16), Stage(0.5, 16), Stage(0.001, 16)), batch=10)
    assert stage_steps(recipe, 100) == [20, 5, 1]
    assert stage_steps(recipe, 100, 2) == [10, 2, 1]


def test_no_absolute_path_is_in_the_recipes():
    assert not [p for p in RECIPES.glob("*.toml") if str(Path.home()) in p.read_text()]
