"""The page on real clips says what their summaries say."""

from tests.bench.clips import row

SUMMARY = {
    "source": "/somewhere/a.mp4",
    "frames": 40,
    "faces": 50,
    "labels": {"angry": 0.1, "happy": 0.6, "sad": 0.3},
    "uncertain": {"share": 0.25, "reasons": {"confidence": 0.2, "blurred": 0.1}},
    "noise": {"clean": 0.9, "gaussian": 0.1},
}


def test_a_row_holds_the_two_commonest_labels_and_all_reasons():
    assert row(SUMMARY) == (
        "a.mp4",
        "40",
        "1.25",
        "happy 60.0, sad 30.0",
        "25.0",
        "confidence 20.0, blurred 10.0",
        "10.0",
    )


def test_a_clip_without_faces_has_dashes():
    empty = {"faces": 0, "labels": {}, "uncertain": {"share": 0.0, "reasons": {}}}
    assert row(SUMMARY | empty)[2:6] == ("0.00", "-", "-", "-")
