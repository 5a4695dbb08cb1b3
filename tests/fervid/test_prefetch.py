import threading
import traceback

import pytest

from fervid.capture import open_source
from fervid.errors import SourceReadError
from fervid.prefetch import Policy, Prefetch
from tests import clips
from tests.fakes import FakeSource


@pytest.fixture(autouse=True)
def no_thread_is_left(monkeypatch):
    monkeypatch.setattr("fervid.prefetch.JOIN_S", 20.0)  # on a loaded machine
    yield
    assert not [t for t in threading.enumerate() if t.name == "fervid-prefetch"]


def test_a_file_delivers_every_frame_in_order_and_is_closed():
    source = FakeSource(200)
    with Prefetch(source) as frames:
        got = [(frame.index, lost) for frame, lost in frames]
    assert got == [(n, 0) for n in range(200)]
    assert (frames.dropped, source.closed) == (0, 1)


def test_a_file_is_read_no_further_ahead_than_the_depth():
    source = FakeSource(50)
    with Prefetch(source, depth=3) as frames:
        source.wait_until_read(4)  # three are ready, one is held
        assert next(frames)[0].index == 0
        source.wait_until_read(5)
        assert source.read == 5


def test_a_live_source_delivers_the_newest_and_counts_the_rest():
    gate = threading.Semaphore(0)
    source = FakeSource(12, live=True, gate=gate)
    with Prefetch(source) as frames:
        gate.release()
        assert [(f.index, lost) for f, lost in [next(frames)]] == [(0, 0)]
        gate.release(11)
        source.wait_until_read(12)
        rest = [(frame.index, lost) for frame, lost in frames]
    # The thread may be about to hand over the last frame when the first of the rest is taken.
    assert rest in ([(11, 10)], [(10, 9), (11, 0)])
    assert frames.dropped == 12 - 1 - len(rest)


def test_each_frame_is_told_when_it_is_read_and_not_when_it_is_taken():
    source, seen = FakeSource(5), []
    with Prefetch(source, seen=seen.append) as frames:
        source.wait_until_read(5)
        assert len(seen) >= 4  # four are ready, and the fifth may just have been read
        got = [frame.time_s for frame, _ in frames]
    assert seen == got


def test_the_policy_can_be_chosen():
    with Prefetch(FakeSource(30, live=True), Policy.WAIT) as frames:
        assert len(list(frames)) == 30


@pytest.mark.parametrize("live", [False, True])
def test_an_error_of_the_source_arrives_after_its_frames_with_its_traceback(live):
    source = FakeSource(3, live=live, error=SourceReadError("The disk is gone.", "fake"))
    got = []
    with Prefetch(source) as frames, pytest.raises(SourceReadError) as caught:
        got.extend(frame.index for frame, _ in frames)
    assert got[-1] == 2
    where = [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)]
    assert "_read" in where
    assert source.closed == 1
    with pytest.raises(StopIteration):
        next(frames)


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("taken", [0, 1, 5])
def test_stopping_at_any_moment_ends_the_thread_and_closes_the_source(live, taken):
    source = FakeSource(10_000, live=live)
    with Prefetch(source) as frames:
        for _ in range(taken):
            next(frames)
    assert source.closed == 1
    assert list(frames) == []
    frames.close()


def test_a_consumer_that_raises_does_not_hang():
    source = FakeSource(10_000)

    def consume():
        with Prefetch(source) as frames:
            next(frames)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert source.closed == 1


def test_stopping_from_another_thread_releases_a_waiting_consumer():
    gate = threading.Semaphore(0)
    source = FakeSource(5, gate=gate)
    with Prefetch(source) as frames:
        stopper = threading.Thread(target=lambda: (gate.release(5), frames.close()))
        stopper.start()
        assert len(list(frames)) <= 5
        stopper.join(timeout=10)
        assert not stopper.is_alive()


def test_a_source_that_hangs_is_left_behind_and_said(caplog, monkeypatch):
    monkeypatch.setattr("fervid.prefetch.JOIN_S", 0.05)
    gate = threading.Semaphore(0)
    source = FakeSource(5, gate=gate)
    with Prefetch(source) as frames:
        pass
    assert "does not answer" in caplog.text
    assert source.closed == 0
    gate.release(5)
    frames._thread.join(timeout=10)


def test_closing_before_starting_closes_the_source():
    source = FakeSource(5)
    Prefetch(source).close()
    assert source.closed == 1


def test_a_depth_of_nothing_is_refused():
    with pytest.raises(ValueError, match="depth"):
        Prefetch(FakeSource(1), depth=0)


def test_a_real_file_through_the_thread(tmp_path):
    with Prefetch(open_source(str(clips.clip(tmp_path / "a.mp4")))) as frames:
        assert [clips.number(frame.bgr) for frame, _ in frames] == list(range(12))
