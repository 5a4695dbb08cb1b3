"""The server's loop of a clip: it is paced, and its picture freezes to the bit."""

import itertools
import time

import av
import numpy as np
import pytest

from tests import clips
from tests.bench.broken_server import Server, encode_loop


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
        with av.open(server.url, options=options, timeout=5) as stream:
            pictures = (p.to_ndarray().tobytes() for p in stream.decode(video=0))
            seen = list(itertools.islice(pictures, 10))
            began = time.monotonic()
            seen += itertools.islice(pictures, 48)  # beyond the third key frame
            assert 1.4 < time.monotonic() - began < 4
            assert len(set(seen)) == 58
            server.down("freeze")
            frozen = list(itertools.islice(pictures, 25))[-10:]
            assert len(set(frozen)) == 1
            server.up("freeze")
            assert len(set(itertools.islice(pictures, 50))) > 30  # over the loop's end
    finally:
        server.close()
