"""The results of a file in chunks beside those of one run over all of it."""

import json
from pathlib import Path

import numpy as np

LEAST = 5e-6  # of probabilities, which a journal has to six places


def lines(folder):
    return [json.loads(line) for line in (folder / "faces.jsonl").read_text().splitlines()]


def same(whole, split):
    """Frames, tracks and labels are the same, probabilities to the last place of a journal.

    The name of the source may be another one, where one of them was fetched.
    """
    (about, *wanted), (also, *found) = lines(whole), lines(split)
    place, address = (head["source"].pop("uri") for head in (about, also))
    assert Path(address.partition("::")[0]).name == Path(place).name
    assert {**about, "config": 0} == {**also, "config": 0}
    assert [line["frame"] for line in found] == list(range(300))
    tracks = {face["track"] for line in wanted for face in line["faces"]}
    assert len(tracks) >= 3  # two people, one of whom was away for long
    for line, other in zip(wanted, found, strict=True):
        faces, others = line.pop("faces"), other.pop("faces")
        del line["source"], other["source"]
        assert line == other
        for face, twin in zip(faces, others, strict=True):
            for kind in "ps":
                p, q = (np.array([*f.pop(kind).values()]) for f in (face, twin))
                assert np.abs(p - q).max() < LEAST, line["frame"]
            assert abs(face.pop("confidence") - twin.pop("confidence")) < LEAST
            assert face == twin
    sums, others = (json.loads((f / "summary.json").read_text()) for f in (whole, split))
    assert list(sums) == list(others)
    for name in set(sums) - {"elapsed_s", "fps", "stages_ms", "config", "source"}:
        assert sums[name] == others[name], name
    assert {p.name for p in split.iterdir()} == {p.name for p in whole.iterdir()}
