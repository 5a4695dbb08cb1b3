"""Nothing of a source that is over waits for Python to look for circles, which it may never do."""

import contextlib
import gc
import sys
import threading
import time
import weakref
from concurrent.futures import Future

import numpy as np
import pytest

from fervid.capture import open_source
from fervid.config import ReadConfig
from fervid.deadline import call_in_time, call_unless_stopped
from fervid.errors import SourceReadError
from fervid.upright import orientation
from tests import servers


class Large:
    """What takes memory."""


@pytest.fixture(autouse=True)
def no_search_for_circles():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def gone(reference):
    """Whether nobody has it any more, once the threads of calls have ended."""
    for thread in threading.enumerate():
        if thread.name == "fervid-call":
            thread.join(10)
    until = time.monotonic() + 10
    while reference() is not None and time.monotonic() < until:
        time.sleep(0.01)
    return reference() is None


@pytest.mark.parametrize(
    "call",
    [
        lambda work: call_in_time(work, 10, lambda _: None),
        lambda work: call_unless_stopped(work, Future(), lambda _: None),
    ],
)
def test_a_call_that_failed_keeps_nothing_of_its_caller_nor_of_itself(call):
    kept = []

    def work():
        inner = Large()
        kept.append(weakref.ref(inner))
        raise SourceReadError("no")

    def caller():
        outer = Large()
        kept.append(weakref.ref(outer))
        call(work)

    with contextlib.suppress(SourceReadError):
        caller()
    assert [gone(reference) for reference in kept] == [True, True]


def test_a_stream_that_broke_off_is_released():
    read = ReadConfig(open_timeout_s=5, read_timeout_s=5, reconnect="none")
    with servers.http_server(servers.mjpeg(10, rate=100)) as host:
        source = open_source(f"http://{host}/", read)
        kept = weakref.ref(source._source if hasattr(source, "_source") else source)
        with pytest.raises(SourceReadError) as caught:
            for _ in source:
                pass
        source.close()
        del source, caught
        assert gone(kept)


def test_the_first_picture_is_not_kept_by_its_side_data():
    import av

    picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
    before = sys.getrefcount(picture)
    orientation(picture)
    assert sys.getrefcount(picture) == before
