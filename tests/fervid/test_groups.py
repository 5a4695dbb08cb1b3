"""Which sources of a run are analysed at the same time."""

import pytest

from fervid.outputs import Target
from fervid.run import groups


@pytest.mark.parametrize(
    ("sources", "sizes"),
    [
        (["a.mp4", "b.mp4", "-"], [1, 1, 1]),
        (["a.mp4", "rtsp://h/s"], [2]),
        (["a.mp4", "camera:0"], [2]),
        (["0", "1"], [2]),
        (["/dev/video0", "-"], [2]),
        ([], []),
    ],
)
def test_all_at_once_as_soon_as_one_cannot_wait(sources, sizes):
    assert [len(group) for group in groups([Target(s) for s in sources])] == sizes
