"""The server's loop of a clip: it is paced, and its picture freezes to the bit."""

import itertools
import time

import av
import numpy as np
import pytest

from tests import clips
from tests.bench.broken_server import Server, encode_loop


def standing(pictures, n=10, most=500):
    """The picture that comes n times, one after the other, among so many at most."""
    same, last = 0, None
    for picture in itertools.islice(pictures, most):
        same, last = (same + 1 if picture == last else 1), picture
        if same == n:
            return last
    raise AssertionError(f"{most} pictures, and none stood still")


@pytest.mark.slow
def test_the_loop_is_paced_freezes_to_the_bit_and_goes_on(tmp_path):
    size = (64, 48)
    noise = np.random.default_rng(0).integers(0, 256, (70, size[1], size[0], 3), np.uint8)
    clip = clips.clip(tmp_path / "noise.mp4", pictures=list(noise))
    folder = tmp_path / "loop"
    folder.mkdir()
    assert encode_loop(clip, folder, fps=25, size=size) == 70
    assert len(list(folder.glob("*.key"))) == 3
    server = Server(folder, 25)
    try:
        options = {"rtsp_transport": "tcp", "fpsprobesize": "0"}
        began = time.monotonic()
        with av.open(server.url, options=options, timeout=20) as stream:
            frames = stream.decode(video=0)
            seen = list(itertools.islice(frames, 58))  # beyond the third key frame
            assert time.monotonic() - began > 57 / 25  # never early; a loaded machine may be late
            times = [frame.time for frame in seen if frame.time is not None]
            assert len(times) > 40
            assert np.median(np.diff(times)) == pytest.approx(1 / 25, abs=0.02)
            assert len({frame.to_ndarray().tobytes() for frame in seen}) == 58
            pictures = (frame.to_ndarray().tobytes() for frame in frames)
            server.down("freeze")
            frozen = standing(pictures)
            server.up("freeze")
            moving = itertools.dropwhile(lambda picture: picture == frozen, pictures)
            assert len(set(itertools.islice(moving, 50))) > 30  # over the loop's end
    finally:
        server.close()
