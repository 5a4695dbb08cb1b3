"""Sinks write results; one protocol, one table.

`run.py` opens the sinks it needs, gives every result to each of them, and closes them in the
end, also after an error: what was written so far stays readable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fervid.records import Frame, FrameResult, SourceInfo


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What every output says about its origin: source, model, effective configuration, versions."""

    source: SourceInfo
    model: str
    model_sha256: str
    classes: tuple[str, ...]
    config: Mapping[str, object]
    version: str


class Sink(Protocol):
    """An output of one run over one source.

    A sink opens its file in its constructor (raising SinkError before any work is done).
    `wants_pixels` says whether `write` needs the drawn picture.
    """

    path: Path | None
    wants_pixels: bool

    def write(self, frame: Frame, result: FrameResult, drawn: NDArray[np.uint8] | None) -> None:
        """Take one frame's result; `drawn` is the annotated BGR picture if pixels are wanted.

        Raises:
            SinkError: it could not be written.
        """

    def close(self) -> None:
        """Finish the file; closing twice is harmless."""


SINKS: dict[str, str] = {
    "video": "fervid.sinks.video:VideoSink",
    "jsonl": "fervid.sinks.jsonl:JsonlSink",
    "csv": "fervid.sinks.rows:CsvSink",
    "parquet": "fervid.sinks.parquet:ParquetSink",
}
