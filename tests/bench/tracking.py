"""How well ids stay with people: `python -m tests.bench.tracking --data CLIPS [--out DIR]`.

Faces are detected once; each tracker then runs over the same detections, thinned as a slow or a
dropping source would thin them, and with detections lost. Writes tracking.json and tracking.md.
"""

import argparse
import json
import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from fervid.faces import FaceDetector
from tests.bench.tracking_actors import MIXED_CAST, ROOM_CAST, Actor, actors
from tests.bench.tracking_candidates import Make, candidates
from tests.bench.tracking_clips import ASKED_FOR, Sequence, read_clips, thinned
from tests.bench.tracking_metrics import Score, score
from tests.bench.tracking_report import markdown
from tests.bench.tracking_scenes import film, scenes

SCENE_SCORE = 0.35  # faces in the one room are dim: at .5 the detector loses most of one of them
LOST = (0.0, 0.3)  # shares of the detections that are taken away
EVERY = {"every frame": 1, "every 2nd": 2, "every 4th": 4}
LIVE_KEPT = 0.4  # share of the frames that a live source kept, at random times


@dataclass
class Tally:
    """One tracker's scores by part of the test, and its time."""

    scores: dict[str, Score] = field(default_factory=lambda: defaultdict(Score))
    seconds: float = 0.0
    frames: int = 0

    def add(self, made: Score, *parts: str) -> None:
        for part in parts:
            self.scores[part] += made


def variants(sequence: Sequence, seed: int) -> Iterator[tuple[str, float, Sequence]]:
    """The sequence at several frame rates, with and without lost detections."""
    rng = np.random.default_rng(seed)
    n = len(sequence.faces)
    frames = {name: np.arange(0, n, step) for name, step in EVERY.items()}
    frames["live, dropping"] = np.flatnonzero(rng.random(n) < LIVE_KEPT)
    for name, kept in frames.items():
        for lost in LOST:
            if len(kept) > 1:
                yield name, lost, thinned(sequence, kept, lost, rng)


def follow(make: Make, sequence: Sequence, tally: Tally) -> Score:
    """Run a new tracker over the sequence."""
    tracker = make((len(sequence.times_s) - 1) / sequence.seconds)
    start = time.perf_counter()
    ids = [
        tracker(faces, time_s, picture)
        for faces, time_s, picture in zip(
            sequence.faces, sequence.times_s, sequence.pictures, strict=True
        )
    ]
    tally.seconds += time.perf_counter() - start
    tally.frames += len(ids)
    rows = [list(zip(p, i, strict=True)) for p, i in zip(sequence.people, ids, strict=True)]
    return score(rows, sequence.seconds)


def casts(folder: Path) -> dict[str, list[Actor]]:
    """Two of one room, two of different cameras brought into one light."""
    room, mixed = actors(folder, ROOM_CAST, False), actors(folder, MIXED_CAST, True)
    return {
        "one room a": room[:3],
        "one room b": [room[2], room[0], room[1]],
        "mixed a": mixed[:3],
        "mixed b": [mixed[3], mixed[4], mixed[0]],
    }


def measure(folder: Path, makes: dict[str, Make]) -> dict[str, Tally]:
    """All trackers over all clips and scenes."""
    tallies = {name: Tally() for name in makes}
    for seed, clip in enumerate(read_clips(folder)):
        asked = "real: asked for" if clip.name.startswith(ASKED_FOR) else "real: others"
        for rate, lost, sequence in variants(clip, seed):
            plain = rate == "every frame" and not lost
            for name, make in makes.items():
                made = follow(make, sequence, tallies[name])
                parts = [f"clip: {clip.name}", f"{asked}, as filmed"] if plain else []
                tallies[name].add(made, "real", asked, *parts)
    with FaceDetector("short", SCENE_SCORE) as detector:
        for cast_name, cast in casts(folder).items():
            for seed, scene in enumerate(scenes()):
                filmed = film(scene, cast, detector, seed)
                for rate, lost, sequence in variants(filmed, seed):
                    parts = ("generated", f"scene: {scene.group}", f"rate: {rate}")
                    more = (f"lost: {lost:.0%}", f"cast: {cast_name}")
                    for name, make in makes.items():
                        made = follow(make, sequence, tallies[name])
                        tallies[name].add(made, *parts, *more)
    return tallies


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the clips")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    options = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)  # norfair advises at length
    makes, missing = candidates()
    tallies = measure(options.data, makes)
    out = {
        name: {
            "ms_per_frame": 1000 * tally.seconds / tally.frames,
            **{part: asdict(made) | {"idf1": made.idf1} for part, made in tally.scores.items()},
        }
        for name, tally in tallies.items()
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "tracking.json").write_text(json.dumps(out, indent=1) + "\n")
    (options.out / "tracking.md").write_text(markdown(out, missing))


if __name__ == "__main__":
    main()
