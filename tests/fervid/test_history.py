"""What the dashboard remembers of the last frames."""

from fervid.history import FRAMES, STEP, History
from tests.results import face, result


def observed(n, *faces):
    history = History()
    for index in range(n):
        history.observe(result(index, *faces))
    return history


def test_it_reaches_back_so_many_frames():
    history = observed(FRAMES + 50, face(track=3))
    assert len(history.severities) == FRAMES
    rows = history.of(3)
    assert {len(row) for row in rows} == {FRAMES // STEP}
    assert len(rows) == len(result(0, face()).classes)


def test_seconds_are_those_of_the_frames_it_has():
    first, last = result(50).time_s, result(FRAMES + 49).time_s
    assert observed(FRAMES + 50).seconds == last - first
    assert History().seconds == 0


def test_of_several_frames_the_last_one_counts():
    history = History()
    for index, label in enumerate(["happy"] * (STEP - 1) + ["angry"]):
        history.observe(result(index, face(label)))
    classes = result(0, face()).classes
    (angry,), (happy,) = (
        history.of(0)[classes.index("angry")],
        history.of(0)[classes.index("happy")],
    )
    assert angry > happy


def test_faces_that_are_not_followed_or_long_gone_have_none():
    history = observed(8, face(track=-1), face(track=2))
    assert history.of(-1) == ()
    assert history.of(2) != ()
    for index in range(8, FRAMES + 8 + 2 * STEP):
        history.observe(result(index, face(track=5)))
    assert history.of(2) == ()
    assert history.of(5) != ()
