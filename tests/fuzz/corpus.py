"""All files of a run of the fuzzer, one after the other."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.mutants import MUTATIONS, truncated
from tests.fuzz.odd import odd_files
from tests.fuzz.seeds import seeds

# So that a wrong name meets every reader that is chosen by it.
SUFFIXES = (*(".mp4", ".png", ".jpg", ".gif", ".mkv", ".h264", ".avi", ".txt"), ".mp3", "", ".webp")


@dataclass(frozen=True)
class Case:
    """A file, what was done to it, and of which one it was made."""

    path: Path
    kind: str
    seed: str


def corpus(folder: Path, files: int, seed: int) -> Iterator[Case]:
    """Make the files; the odd ones and every truncation first, then at random up to `files`.

    Args:
        folder: where each lies while it is looked at; the receiver may delete it after that.
        files: how many in all, at least.
        seed: of all choices.
    """
    chance, made = random.Random(seed), 0
    whole = {path.name: path.read_bytes() for path in seeds(folder / "seeds")}
    for case in _certain(folder, whole):
        yield case
        made += 1
    names, kinds = sorted(whole), sorted(MUTATIONS)
    while made < files:
        name, kind = names[made % len(names)], chance.choice([*kinds, "wrong name"])
        content = whole[name]
        suffix = Path(name).suffix
        if kind == "wrong name":
            suffix = chance.choice(SUFFIXES)
        else:
            content = MUTATIONS[kind](content, chance)
        yield Case(_written(folder / f"{made:05d}{suffix}", content), kind, name)
        made += 1


def _certain(folder: Path, whole: dict[str, bytes]) -> Iterator[Case]:
    """What every run looks at: the odd files, all whole ones, all truncations."""
    for path, kind in odd_files(folder / "odd"):
        yield Case(path, kind, "")
    for name, content in whole.items():
        yield Case(_written(folder / f"whole-{name}", content), "whole", name)
        for n, (kind, part) in enumerate(truncated(content)):
            path = folder / f"cut-{n}-{name}"
            yield Case(_written(path, part), "truncated", f"{name}, {kind}")


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
