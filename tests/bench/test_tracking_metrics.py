import pytest

from tests.bench.tracking_metrics import score


def test_one_id_a_person_is_perfect():
    made = score([[("a", 0), ("b", 1)]] * 10, 1.0)
    assert (made.switches, made.fragments, made.idf1) == (0, 0, 1.0)


def test_a_new_id_for_a_known_person_is_a_fragment():
    made = score([[("a", 0)]] * 6 + [[("a", 1)]] * 4, 1.0)
    assert (made.switches, made.fragments) == (0, 1)
    assert made.idf1 == pytest.approx(0.6)  # 6 of 10 rows under the id that stands for a


def test_two_who_swap_ids_switch_twice():
    made = score([[("a", 0), ("b", 1)]] * 5 + [[("a", 1), ("b", 0)]] * 5, 1.0)
    assert (made.switches, made.fragments) == (2, 0)
    assert made.idf1 == pytest.approx(0.5)


def test_a_newcomer_who_takes_an_id_is_a_switch():
    made = score([[("a", 0)]] * 5 + [[("b", 0)]] * 5, 1.0)
    assert (made.switches, made.fragments) == (1, 0)
    assert made.idf1 == pytest.approx(0.5)


def test_what_is_no_face_counts_only_when_a_person_takes_its_id():
    assert score([[("a", 0), (None, 1)]] * 5, 1.0).switches == 0
    assert score([[(None, 1)], [("a", 1)]], 1.0).switches == 1


def test_rows_without_an_id_are_missed():
    made = score([[("a", 0)]] * 5 + [[("a", -1)]] * 5, 1.0)
    assert (made.id_tp, made.id_fp, made.id_fn) == (5, 0, 5)


def test_counts_add_up_to_rates():
    made = score([[("a", 0)], [("a", 1)]], 15.0)
    assert (made + made).per_minute((made + made).fragments) == pytest.approx(4)


def test_agrees_with_motmetrics():
    """The same counts from the library, where it is installed; its switches include fragments."""
    mm = pytest.importorskip("motmetrics")
    frames = [[("a", 0), ("b", 1)]] * 5 + [[("a", 2), ("b", 0)]] * 3 + [[("a", 2), ("b", 3)]] * 4
    whole = mm.MOTAccumulator(auto_id=True)
    for rows in frames:
        people, ids = zip(*rows, strict=True)
        apart = [[0.0 if i == j else float("nan") for j in range(2)] for i in range(2)]
        whole.update([ord(p) for p in people], list(ids), apart)
    theirs = mm.metrics.create().compute(whole, metrics=["num_switches", "idf1"])
    ours = score(frames, 1.0)
    assert ours.switches + ours.fragments == theirs["num_switches"].item()
    assert ours.idf1 == pytest.approx(theirs["idf1"].item())
