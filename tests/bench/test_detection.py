"""The counting of the detection benchmark."""

import numpy as np
import pytest

from fervid.records import Faces, Noise
from tests.bench.detection import Watch
from tests.bench.detection_report import wilson


class Fixed:
    """Finds the same boxes in everything."""

    def __init__(self, *boxes):
        n = len(boxes)
        self.faces = Faces(
            np.array(boxes, np.float32).reshape(n, 4),
            np.ones(n, np.float32),
            np.zeros((n, 2, 2), np.float32),
            np.full(n, -1, np.int64),
        )

    def detect(self, bgr, noise, search):
        return self.faces


PICTURE = np.zeros((100, 200, 3), np.uint8)


def test_a_box_beside_every_true_one_is_a_false_alarm():
    watch = Watch(Fixed((10, 10, 30, 30), (60, 60, 80, 80)), sequence=False)
    watch.look(PICTURE, np.array([(12, 10, 32, 30), (100, 0, 120, 20)], np.float32), Noise.clean())
    watch.look(PICTURE, np.zeros((0, 4), np.float32), Noise.clean())
    count = watch.count
    assert (count.faces, count.found, count.false_alarms) == (2, 1, 3)
    assert (count.firsts, count.laters) == (2, 0)


def test_in_clips_one_box_in_the_area_is_the_face():
    watch = Watch(Fixed((10, 10, 30, 30), (60, 60, 80, 80)), sequence=True)
    watch.look_in(PICTURE, (0, 0, 1, 0.5), Noise.clean())
    watch.look_in(PICTURE, (0.5, 0, 1, 1), Noise.clean())
    watch.look_in(PICTURE, None, Noise.clean())
    count = watch.count
    assert (count.faces, count.found, count.false_alarms) == (2, 1, 1 + 2 + 2)
    assert (count.firsts, count.laters) == (1, 2)


def test_wilsons_interval():
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson(18, 18)[1] == pytest.approx(1)
