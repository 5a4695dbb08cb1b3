"""The measures of heatmap quality around fake models whose right map is known."""

import json

import numpy as np
import pytest

from fervid.card import ModelCard
from fervid.records import CAM_NAMES, ModelOutput
from train import cam_quality
from train.cam_quality import RANKINGS, explain_crops, follow, rankings, respond, work
from train.cam_quality_report import Measured, cam_quality_figures, choose_map
from train.cam_quality_tables import cam_quality_tables
from train.cam_sanity import ALL, STAGES, UNRELATED, Likeness
from train.metrics import rounded
from train.robustness import Prepared

N, PX, CELLS, STEPS = 12, 48, 6, 6
RIGHT, INVERTED, CONSTANT, ONE_CLASS = CAM_NAMES


def told(what, steps):
    pass


class TexturedBackend:
    """Texture anywhere makes the first class likely; a crop has it in a corner of its own.

    Maps: where the texture is, where it is not, a constant, and one that knows the first class
    only. Those of another class are upside down, but for the inverted one, which knows no class.
    """

    def __init__(self):
        self.card = ModelCard("fake", ("texture", "none", "third"), PX)

    def run(self, images, eta, target):
        n, step = len(images), PX // CELLS
        steep = np.zeros((n, PX, PX), np.float32)
        steep[:, :, 1:] = np.abs(np.diff(images[:, 0], axis=2))
        # Cell i lies on pixel 8 i, so it is of the 8 pixels about it.
        around = np.roll(steep, step // 2, (1, 2)).reshape(n, CELLS, step, CELLS, step).mean((2, 4))
        logits = np.zeros((n, 3), np.float32)
        logits[:, 0] = 12 * steep.mean((1, 2)) - 1
        logits[:, 2] = -1
        of_texture = (np.where(target < 0, logits.argmax(1), target) == 0)[:, None, None]
        cams = np.ones((n, 4, CELLS, CELLS), np.float32)
        cams[:, 0] = np.where(of_texture, around, around[:, ::-1])
        cams[:, 1] = around.max((1, 2), keepdims=True) - around
        cams[:, 3] = np.where(of_texture, around, 0)
        maps = np.repeat(logits[:, :, None, None], CELLS, 2).repeat(CELLS, 3)
        return ModelOutput(logits, maps, cams)

    def close(self):
        pass


@pytest.fixture(scope="module")
def prepared():
    rng = np.random.default_rng(0)
    crops = np.full((N, PX, PX), 128, np.uint8)
    for k in range(N):
        y, x = (4, 28)[k % 2], (4, 28)[k // 2 % 2]
        crops[k, y : y + 16, x : x + 16] = rng.integers(0, 256, (16, 16))
    return Prepared(crops, np.zeros(N, np.float32), ("clean",) * N)


def measure(prepared, seed=0, tell=told):
    backend = TexturedBackend()
    output = explain_crops(backend, prepared, tell)
    curves = follow(backend, prepared, output, tell, seed, STEPS)
    return Measured(curves, respond(backend, prepared, output, tell))


@pytest.fixture(scope="module")
def measured(prepared):
    return measure(prepared)


@pytest.fixture(scope="module")
def figures(measured):
    return cam_quality_figures(measured, np.random.default_rng(0))


# --- rankings ------------------------------------------------------------------------------------


def places_of(cams):
    rng = np.random.default_rng(1)
    return {name: p.reshape(-1, PX, PX) for name, p in rankings(cams, PX, rng)}


def test_the_hottest_pixel_is_where_the_cell_looked():
    """Not in the middle of the cell's share of the crop: half a cell up and left of it."""
    cams = np.zeros((1, 4, CELLS, CELLS), np.float32)
    cams[:, :, 2, 3] = 7
    places = places_of(cams)[RIGHT][0]
    assert np.argwhere(places == 0).tolist() == [[16, 24]]


def test_each_pixel_has_a_place_of_its_own():
    cams = np.random.default_rng(0).random((2, 4, CELLS, CELLS), np.float32).round(1)
    places = places_of(cams)
    assert tuple(places) == RANKINGS
    for name, found in places.items():
        np.testing.assert_array_equal(
            np.sort(found.reshape(2, -1)), [np.arange(PX * PX)] * 2, err_msg=name
        )


def test_the_scale_of_a_map_does_not_matter():
    cams = np.random.default_rng(0).random((2, 4, CELLS, CELLS), np.float32)
    np.testing.assert_array_equal(places_of(cams)[RIGHT], places_of(50 * cams + 3)[RIGHT])


def test_where_maps_are_equal_the_random_map_decides():
    places = places_of(np.ones((2, 4, CELLS, CELLS), np.float32))
    for name in (*CAM_NAMES, "mean_face gradcam"):
        np.testing.assert_array_equal(places[name], places["random"])
    assert np.any(places["random"][0] != places["random"][1])


def test_the_mean_face_is_the_mean_of_scaled_maps_and_the_blob_is_centred():
    cams = np.zeros((3, 4, CELLS, CELLS), np.float32)
    cams[0, :, 1, 1] = 1000  # outweighs the others only if maps are not scaled
    cams[1:, :, 4, 2] = 1
    places = places_of(cams)
    for found in places["mean_face gradcam"]:
        assert np.argwhere(found == 0).tolist() == [[32, 16]]
    blob = places["blob"][0]
    assert blob[23:25, 23:25].max() == 3
    assert blob[0, 0] >= PX * PX - 4


def test_enlarging_keeps_the_order_at_the_ends():
    """Cubic interpolation overshoots; a clip would make the neighbours of a peak equal to it."""
    unit = np.zeros((1, CELLS, CELLS), np.float32)
    unit[0, 2:4, 2:4] = 1
    over = cam_quality.enlarged(unit, PX)
    assert 0 < over.min() < 0.25 < 0.75 < over.max() < 1


# --- deletion and insertion ----------------------------------------------------------------------


def test_curves_begin_and_end_with_the_whole_and_the_blurred_crop(measured):
    curves = measured.curves
    np.testing.assert_allclose(curves.shares, np.arange(STEPS + 1) / STEPS)
    whole, blurred = (curves.deletion["random"][:, at] for at in (0, -1))
    assert (whole > blurred + 0.3).all()
    for name in RANKINGS:
        assert curves.deletion[name].shape == curves.insertion[name].shape == (N, STEPS + 1)
        np.testing.assert_array_equal(curves.deletion[name][:, 0], whole)
        np.testing.assert_array_equal(curves.insertion[name][:, -1], whole)
        np.testing.assert_array_equal(curves.deletion[name][:, -1], blurred)
        np.testing.assert_array_equal(curves.insertion[name][:, 0], blurred)


def test_an_area_by_hand():
    curve = np.array([[1.0, 0.5, 0.0]], np.float32)
    curves = cam_quality.Curves(np.array([0, 0.5, 1]), {"a": curve}, {"a": 1 - curve / 2})
    assert curves.areas("deletion")["a"] == pytest.approx([0.5])
    assert curves.areas("insertion")["a"] == pytest.approx([0.75])


def test_the_right_map_beats_all_controls(figures):
    assert figures["better_than_all"][RIGHT]
    for control in ("mean_face", "blob", "random"):
        found = figures["against"][RIGHT][control]
        assert found["deletion"]["difference_95"][1] < 0
        assert found["insertion"]["difference_95"][0] > 0
    own, blob = figures["rankings"][RIGHT], figures["rankings"]["blob"]
    assert figures["against"][RIGHT]["blob"]["deletion"]["difference"] == pytest.approx(
        own["deletion"]["area"] - blob["deletion"]["area"]
    )


def test_an_inverted_map_loses(figures):
    assert not figures["better_than_all"][INVERTED]
    for control in ("blob", "random"):
        found = figures["against"][INVERTED][control]
        assert found["deletion"]["difference_95"][0] > 0
        assert found["insertion"]["difference_95"][1] < 0


def test_a_constant_map_is_the_random_one(figures):
    assert not figures["better_than_all"][CONSTANT]
    found = figures["against"][CONSTANT]["random"]
    assert found["deletion"] == {"difference": 0, "difference_95": [0, 0]}
    assert found["insertion"] == {"difference": 0, "difference_95": [0, 0]}


def test_only_the_random_map_depends_on_the_seed(prepared, measured):
    same, other = measure(prepared).curves, measure(prepared, seed=1).curves
    for name in RANKINGS:
        np.testing.assert_array_equal(measured.curves.deletion[name], same.deletion[name])
        np.testing.assert_array_equal(measured.curves.insertion[name], same.insertion[name])
    assert np.any(measured.curves.deletion["random"] != other.deletion["random"])
    np.testing.assert_allclose(
        measured.curves.areas("deletion")[RIGHT], other.areas("deletion")[RIGHT], atol=0.1
    )


def test_progress_is_told_to_the_end(prepared):
    steps, what = [], []
    measure(prepared, tell=lambda name, n: (what.append(name), steps.append(n)))
    assert sum(steps) == work(N, STEPS)
    assert {f"deletion and insertion, {name}" for name in RANKINGS} <= set(what)


def test_the_eta_of_a_crop_stays_while_its_pixels_go(prepared):
    backend, seen = TexturedBackend(), []
    run = backend.run
    backend.run = lambda images, eta, target: (
        seen.append((eta, target)),
        run(images, eta, target),
    )[1]
    eta = np.arange(N, dtype=np.float32) / 100
    noisy = Prepared(prepared.crops, eta, prepared.kinds)
    follow(backend, noisy, explain_crops(backend, noisy, told), told, 0, 2)
    assert len(seen) == 2 + 2 * len(RANKINGS)
    for given, target in seen[1:]:
        np.testing.assert_array_equal(given, eta)
        np.testing.assert_array_equal(target, 0)


# --- response ------------------------------------------------------------------------------------


def test_response_to_the_class(figures):
    found = figures["response"]
    assert found[RIGHT]["ssim"] > 0.2
    assert found[RIGHT]["both_alive"] == 1
    assert found[INVERTED] == {"both_alive": 1, "ssim": 0, "cosine": pytest.approx(0, abs=1e-6)}


def test_a_dead_map_does_not_count_as_a_response(figures):
    dead = {"both_alive": 0, "ssim": None, "cosine": None}
    assert figures["response"][CONSTANT] == dead
    assert figures["response"][ONE_CLASS] == dead


# --- the report ----------------------------------------------------------------------------------


def alike(rank):
    ones = np.ones(N, np.bool_)
    return {
        name: Likeness(np.full(N, rank), np.full(N, rank, np.float32), ones) for name in CAM_NAMES
    }


def with_network(measured, last, unrelated=0.3):
    """Figures with a rank correlation when all weights are random."""
    stages = {stage: alike(0.5) for stage in STAGES} | {ALL: alike(last)}
    faithful = {
        name: {"infidelity": np.full(N, 0.5), "sensitivity_max": np.full(N, 0.1)}
        for name in CAM_NAMES
    } | {"nothing": {"infidelity": np.full(N, 2.0)}}
    randomised = stages | {UNRELATED: alike(unrelated)}
    found = Measured(measured.curves, measured.response, randomised, faithful)
    return cam_quality_figures(found, np.random.default_rng(0))


@pytest.mark.parametrize(("last", "survives"), [(0.9, True), (0.3, True), (0.1, False)])
def test_a_map_survives_that_is_no_less_like_itself_than_other_images(measured, last, survives):
    found = with_network(measured, last)["randomised"]["maps"][RIGHT]
    assert found["survives"] is survives
    assert found["stages"][ALL]["rank"] == pytest.approx(last)


def test_the_map_is_chosen_among_those_that_pass(measured, figures):
    drifts = {RIGHT: 0.3, INVERTED: 0.1, CONSTANT: 0.0, ONE_CLASS: 0.2}
    passing = with_network(measured, 0.1)
    assert choose_map(passing, drifts) == ONE_CLASS
    assert choose_map(passing, drifts | {ONE_CLASS: 0.4}) == RIGHT
    assert choose_map(with_network(measured, 0.9), drifts) is None
    with pytest.raises(ValueError, match="weight randomisation"):
        choose_map(figures, drifts)


def test_tables_say_what_was_found(measured, figures):
    text = {t.title: t for t in cam_quality_tables(with_network(measured, 0.9))}
    areas, against, response, random = text.values()
    assert len(areas.rows) == len(RANKINGS)
    assert len(against.rows) == 12
    assert against.rows[0][-1] == "yes"
    assert response.rows[0][3:] == ("25.0", "0.100")
    assert random.rows[0][-1] == "yes"
    for table in text.values():
        assert {len(row) for row in table.rows} == {len(table.head)}
    without = cam_quality_tables(figures)
    assert len(without) == 3
    assert without[2].rows[0][3] == "not available from ONNX"
    json.dumps(rounded(figures), allow_nan=False)
