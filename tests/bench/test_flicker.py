import math

import numpy as np
import pytest

from fervid.config import ExplainConfig
from fervid.records import Frame
from tests.backends import FakeBackend
from tests.bench.flicker import RATE, Known, record
from tests.bench.flicker_metrics import Maps, flicker, lag_s, settled, shown
from tests.bench.flicker_report import markdown


def hill(x, y, size=6):
    yy, xx = np.mgrid[0:size, 0:size]
    return np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / 4).astype(np.float32)


def still_then_another(noise=0.0, seconds=2.0, seed=0):
    """One face's map, then another's, with fresh noise in each."""
    n = round(seconds * RATE)
    rng = np.random.default_rng(seed)
    clean = np.stack([hill(1, 1)] * n + [hill(4, 4)] * n)
    cams = clean * (1 + noise * rng.standard_normal(clean.shape).astype(np.float32))
    return Maps(cams.clip(0), np.arange(2 * n) / RATE, np.zeros(2 * n, np.int64), n)


def test_maps_are_recorded_where_the_face_is_known_to_be():
    grey = np.full((120, 160, 3), 118, np.uint8)
    frames = [Frame(i, i / RATE, grey) for i in range(3)]
    maps = record(FakeBackend(), frames, Known(np.array([40, 30, 90, 80], np.float32)))
    assert maps.cams.shape[0] == 3
    assert maps.times_s.tolist() == [0, 1 / RATE, 2 / RATE]
    assert maps.ids.tolist() == [0, 0, 0]


def test_the_settled_parts_are_the_last_second_of_each_stretch():
    first, second = settled(still_then_another())
    assert (first.start, first.stop) == (29, 60)
    assert (second.start, second.stop) == (89, 120)


def test_a_still_map_does_not_flicker_and_a_noisy_one_does():
    still, noisy = still_then_another(), still_then_another(0.3)
    assert flicker(shown(still, 0, 48), settled(still)) == pytest.approx(0, abs=1e-6)
    raw = flicker(shown(noisy, 0, 48), settled(noisy))
    smooth = flicker(shown(noisy, 0.2, 48), settled(noisy))
    assert raw > 0.02
    assert smooth < raw / 5


def test_without_smoothing_the_lag_is_one_frame():
    maps = still_then_another()
    assert lag_s(shown(maps, 0, 48), maps) == pytest.approx(1 / RATE)


def test_the_lag_is_when_the_new_face_outweighs_the_old():
    """Two maps of one height: at half a weight each, after tau ln 2, up to a frame."""
    maps, tau_s = still_then_another(), 0.3
    found = lag_s(shown(maps, tau_s, 48), maps)
    assert found == pytest.approx(tau_s * math.log(2), abs=1.5 / RATE)


def test_a_map_that_comes_back_to_the_old_face_has_not_followed():
    maps = still_then_another()
    heat = shown(maps, 0, 48)
    heat[70] = heat[0]  # a moment in which the old map is shown again
    assert lag_s(heat, maps) == pytest.approx(12 / RATE)


def test_every_third_frame_keeps_the_cut():
    maps = still_then_another().every(3)
    assert (len(maps.cams), maps.cut) == (40, 20)
    assert lag_s(shown(maps, 0, 48), maps) == pytest.approx(3 / RATE)


def test_the_default_is_still_and_follows():
    """The bars, on maps as noisy as the worst ones that were measured (docs/results/flicker.md)."""
    maps = still_then_another(0.25)
    heat = shown(maps, ExplainConfig().heatmap_smooth_s, 48)
    assert flicker(heat, settled(maps)) < 0.02
    assert lag_s(heat, maps) <= 0.25


def test_the_report_has_a_line_for_each_time_constant():
    rows = [
        {
            "face_px": 80,
            "fps": 30.0,
            "heatmap_smooth_s": smooth_s,
            "flicker": 0.0123,
            "flicker_worst": 0.02,
            "lag_s": 0.1,
            "lag_worst_s": 0.2,
            "tracker_saw_the_cut": 0.25,
        }
        for smooth_s in (0.0, 0.2)
    ]
    real = [{"clip": "a.mp4", "heatmap_smooth_s": s, "flicker": 0.5} for s in (0.0, 0.2)]
    out = {"model": "m", "sigma": 0.1, "pairs": 1, "stretch_s": 2.0}
    text = markdown({**out, "generated": rows, "real": real})
    assert "| 0.2 | 0.012 (0.020) / 0.10 (0.20) s |" in text
    assert "| a.mp4 | 0.500 | 0.500 |" in text
    assert "the tracker gave 25% one" in text
