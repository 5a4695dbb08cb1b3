import pytest

from fervid.tracks import FaceTracker
from tests.bench.tracking_clips import read_clip
from tests.bench.tracking_metrics import score
from tests.places import DATA, needs_data


def tracked(name):
    """What the ids of a clip are worth."""
    clip, tracker = read_clip(DATA / "clips" / name), FaceTracker()
    frames = zip(clip.faces, clip.times_s, clip.pictures, clip.people, strict=True)
    rows = [
        list(zip(people, tracker.update(found, time_s, bgr).track_ids.tolist(), strict=True))
        for found, time_s, bgr, people in frames
    ]
    return score(rows, clip.seconds)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["hands_again.mkv", "hands_bird.mkv", "hands_milk.mkv", "emotion_change_occlusion.mp4"]
)
def test_hands_over_the_face_leave_one_id(name):
    made = tracked(name)
    assert (made.people, made.ids, made.switches, made.fragments) == (1, 1, 0, 0)


@needs_data
@pytest.mark.slow
def test_nobody_in_a_video_call_gets_the_id_of_another():
    """Three people, whose pictures the call moves about: new ids, but no wrong ones."""
    made = tracked("video_call.mp4")
    assert (made.people, made.switches) == (3, 0)
    assert made.ids <= 6
