import pytest
from hypothesis import given
from hypothesis import strategies as st

from fervid.config import ExplainConfig, FilterConfig, RunConfig
from fervid.controls import CAM_ORDER, FILTER_ORDER, HELP, Controls, View, press, target_of
from fervid.errors import ConfigError

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
START = Controls.of(RunConfig(("x",)), CLASSES)
KEYS = "q\x1b hfcse?01234567"


def pressed(keys, start=START, classes=CLASSES):
    for key in keys:
        start = press(start, ord(key), classes)
    return start


def test_the_switches_start_as_configured():
    config = RunConfig(
        ("x",),
        filter=FilterConfig(filter="median"),
        explain=ExplainConfig(cam="gradcam", heatmap=False),
    )
    assert Controls.of(config, CLASSES) == Controls(View("median", "gradcam"), heatmap=False)


@pytest.mark.parametrize("key", ["q", "Q", "\x1b"])
def test_keys_that_quit(key):
    assert pressed(key).quit


def test_escape_closes_the_help_first():
    assert not pressed("?\x1b").quit
    assert not pressed("?\x1b").help
    assert pressed("?\x1b\x1b").quit


@pytest.mark.parametrize(("key", "name"), [(" ", "paused"), ("h", "heatmap"), ("?", "help")])
def test_switches_go_there_and_back(key, name):
    assert getattr(pressed(key), name) is not getattr(START, name)
    assert getattr(pressed(key * 2), name) is getattr(START, name)


def test_filters_and_maps_are_taken_in_turn():
    assert [pressed("f" * n).view.filter for n in range(7)] == [*FILTER_ORDER, "auto"]
    assert FILTER_ORDER == ("auto", "none", "gaussian", "median", "bilateral", "deblock")
    seen = [pressed("c" * n).view.cam for n in range(5)]
    assert set(seen) == set(CAM_ORDER)
    assert seen[0] == seen[4] == "adaptive"


def test_classes_are_chosen_by_number_and_given_up_by_0():
    assert [pressed(str(n)).view.target for n in range(1, 8)] == list(range(7))
    assert pressed("4").message == "map of happy"
    assert pressed("40").view.target == -1


def test_a_number_beyond_the_classes_does_nothing():
    assert pressed("8") == pressed("9") == START
    assert pressed("3", classes=CLASSES[:2]) == START


@given(st.integers(-1, 2**24))
def test_other_keys_do_nothing(key):
    if key < 0 or key > 127 or chr(key).lower() not in KEYS:
        assert press(START, key, CLASSES) is START


@given(st.text(KEYS, max_size=30))
def test_any_keys_leave_switches_that_can_be_carried_out(keys):
    end = pressed(keys)
    assert end.view.filter in FILTER_ORDER
    assert end.view.cam in CAM_ORDER
    assert -1 <= end.view.target < len(CLASSES)
    assert end.paused is (keys.count(" ") % 2 == 1)
    assert end.heatmap is (keys.count("h") % 2 == 0)


def test_the_help_names_every_key():
    named = " ".join(key for key, _ in HELP)
    for word in ("q", "Esc", "space", "h", "f", "c", "1 - 7", "0", "s", "e", "?"):
        assert word in named


@pytest.mark.parametrize(("name", "target"), [(None, -1), ("happy", 3), ("Neutral", 6)])
def test_the_class_to_explain_starts_as_configured(name, target):
    config = RunConfig(("x",), explain=ExplainConfig(explain=name))
    assert Controls.of(config, CLASSES).view.target == target


@pytest.mark.parametrize(
    ("name", "way"), [("hapy", "did you mean happy?"), ("xyz", "it knows angry, disgust, fear,")]
)
def test_a_class_that_the_model_does_not_know(name, way):
    with pytest.raises(ConfigError, match=f"^--explain {name} is no class of the model; ") as said:
        target_of(name, CLASSES)
    assert way in str(said.value)
    assert said.value.key == "explain"
