"""The results of a file from those of its chunks, as a run over all of it would have written them.

A chunk begins early. Frames that the chunk before has are left out; faces are known again in them,
by where they are, so that a person who is there at the cut keeps one id.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fervid.clips import clip_row
from fervid.looks import overlaps
from fervid.opened import make_folder, remove_earlier
from fervid.outputs import JOURNAL, TABLE, Target, write_summary
from fervid.records import F32
from fervid.replay import replayed_summary
from fervid.report import report_of
from fervid.session import Session
from fervid.sinks.jsonl import read_frames, read_headers
from fervid.sinks.text import TextOutput, sink_error

SAME = 0.5  # IoU from which two boxes of one frame are one face's

Line = dict[str, Any]


def join(session: Session, target: Target) -> bool:
    """Write the outputs of a file whose chunks are complete.

    Each file appears under its name when it is complete, the summary last.

    Returns:
        False: nobody has ended the run meanwhile.

    Raises:
        SinkError: a chunk cannot be read, or an output not be written.
    """
    folder, summary_path, report = target.folder, target.summary, target.report
    if folder is None or summary_path is None or report is None:
        raise ValueError("chunks are joined in a folder")
    make_folder(folder)
    remove_earlier(target.files())
    journals = [path for part in target.parts for _, path in part.sinks if path is not None]
    journal = _written(folder / JOURNAL, journals)
    _make_table(journal, folder / TABLE)
    summary = _summary(journal, [p.summary for p in target.parts if p.summary is not None])
    report_of(journal, report, summary)
    write_summary(summary_path, summary)
    session.summaries.append(summary)
    session.outputs.take(target, clip_row(session.outputs.name(target), summary))
    return False


def _written(journal: Path, parts: Sequence[Path]) -> Path:
    """Write a journal of all chunks."""
    unfinished = journal.with_name(journal.name + ".part")
    output = TextOutput(unfinished)
    try:
        output.write(_text(read_headers(parts[0])[0]))  # which every chunk has: it is the file's
        for line in joined(parts):
            output.write(_text(line))
        output.close()
        return _named(unfinished, journal)
    finally:
        output.close()
        unfinished.unlink(missing_ok=True)


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(line, separators=(",", ":")) + "\n"


def _make_table(journal: Path, table: Path) -> None:
    from fervid.sinks.parquet import parquet_from_journal

    unfinished = table.with_name(table.name + ".part")
    try:
        parquet_from_journal(journal, unfinished)
        _named(unfinished, table)
    finally:
        unfinished.unlink(missing_ok=True)


def _named(unfinished: Path, path: Path) -> Path:
    try:
        return unfinished.replace(path)
    except OSError as error:
        raise sink_error(path, error) from error


def joined(parts: Sequence[Path]) -> Iterator[Line]:
    """Yield the frames of a file from the journals of its chunks, in their order.

    Raises:
        SinkError: one cannot be read.
    """
    begins = [next((line["frame"] for _, line in read_frames(part)), 0) for part in parts]
    identities, before, last = Identities(), dict[int, list[Line]](), -1
    for n, part in enumerate(parts):
        identities.forget()
        shown_again = min(begins[n + 1 :], default=None)
        for _, line in read_frames(part):
            number = line["frame"]
            if number <= last:
                identities.compare(line["faces"], before.get(number, []))
                continue
            last = number
            identities.name(line["faces"])
            if shown_again is not None and number >= shown_again:
                before[number] = line["faces"]
            yield line
        before = {k: v for k, v in before.items() if shown_again is not None and k >= shown_again}


class Identities:
    """Gives the faces of chunk after chunk the ids that they have in the whole file.

    Those are numbers from 0 in the order in which faces come up, as `FaceTracker` gives them.
    """

    def __init__(self) -> None:
        self._known: dict[int, int] = {}  # ids in the file of this chunk's ids
        self._next = 0

    def forget(self) -> None:
        """Another chunk begins, with ids of its own."""
        self._known = {}

    def compare(self, faces: Sequence[Line], known: Sequence[Line]) -> None:
        """Learn who is who from a frame that both this chunk and one before it have.

        The last such frame counts: nearer the cut a chunk remembers more.

        Args:
            faces: as this chunk has them.
            known: as they are in the file.
        """
        shares = overlaps(_boxes(faces), _boxes(known))  # (N, M)
        for _ in range(min(shares.shape)):
            i, j = divmod(int(shares.argmax()), len(known))
            if shares[i, j] < SAME:
                return
            shares[i] = shares[:, j] = 0
            mine, theirs = faces[i]["track"], known[j]["track"]
            self._known = {k: v for k, v in self._known.items() if v != theirs}
            self._known[mine] = theirs

    def name(self, faces: Sequence[Line]) -> None:
        """Change the ids of a frame's faces to those of the file."""
        for face in faces:
            if face["track"] not in self._known:
                self._known[face["track"]] = self._next
                self._next += 1
            face["track"] = self._known[face["track"]]


def _boxes(faces: Sequence[Line]) -> F32:
    """(N, 4): corners in pixels."""
    corners = [[face[name] for name in ("x0", "y0", "x1", "y1")] for face in faces]
    return np.array(corners, np.float32).reshape(-1, 4)


def _summary(journal: Path, parts: Sequence[Path]) -> dict[str, Any]:
    """The figures of the whole file; the time that it took is that of all chunks together."""
    whole = {k: v for k, v in replayed_summary(journal).items() if k != "recovered"}
    each = [json.loads(path.read_text(encoding="utf-8")) for path in parts]
    took_s = sum(part["elapsed_s"] for part in each)
    return whole | {
        "elapsed_s": round(took_s, 3),
        "fps": round(whole["frames"] / took_s, 2) if took_s else 0.0,
        "damaged": sum(part["damaged"] for part in each),
        "error": None,
    }
