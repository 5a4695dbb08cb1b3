"""Assembly: long files as tasks - their chunks, and what joins those when all are there.

The chunks' results lie in the folder `chunks` of the file's own until they are joined. With
--resume those that are complete are left as they are.
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from fervid.chunks import Chunk, cut
from fervid.clips import INTERRUPTED, failed_row
from fervid.config import RunConfig
from fervid.durable import PARTS, discard
from fervid.errors import FervidError
from fervid.outputs import Target
from fervid.progress import Progress
from fervid.resume import whole_part
from fervid.task import Outcome
from fervid.workers import Finish


class Assembly:
    """Keeps in mind which chunks of which file are there.

    Args:
        config: of the run.
        digest: the hash of the model's file.
        finish: gets what became of a file.
        progress: counts chunks too.
    """

    def __init__(self, config: RunConfig, digest: str, finish: Finish, progress: Progress) -> None:
        self._config, self._digest = config, digest
        self._finish, self._progress = finish, progress
        self._files: dict[str, Target] = {}
        self._missing: dict[str, set[int]] = {}
        self._ended: set[str] = set()

    def tasks(self, files: Iterable[Target], unchanged: Collection[str]) -> list[Target]:
        """What has to be done for files: they themselves, or their chunks, or joining these.

        Args:
            files: that are not complete.
            unchanged: those that are as they were in the run before, which --resume goes on with.

        Raises:
            ConfigError: chunks of the run before were made in another way.
            SinkError: chunks that are of no use cannot be removed.
        """
        return [task for file in files for task in self._split(file, file.source in unchanged)]

    def _split(self, file: Target, unchanged: bool) -> list[Target]:
        if not unchanged:
            discard(file)
        try:
            chunks = cut(self._config, file.source)
        except FervidError:
            return [file]  # whoever analyses it tells why it cannot be read
        if not chunks or file.folder is None:
            return [file]
        parts = tuple(_part(file, file.folder / PARTS, c, self._config) for c in chunks)
        whole = Target(file.source, file.sinks, folder=file.folder, parts=parts)
        left = [p for p in parts if not whole_part(self._config, p, self._digest)]
        self._files[file.source] = whole
        self._missing[file.source] = {p.chunk.number for p in left if p.chunk is not None}
        self._progress.split(file.source, len(parts), len(left))
        return left or [whole]

    def take(self, task: Target, outcome: Outcome) -> Sequence[Target]:
        """Take what became of a task; returns what can be done now.

        Raises:
            SinkError: the manifest cannot be written, or chunks that were joined not be removed.
        """
        file = self._files.get(task.source)
        if file is None or task.chunk is None:
            self._finish(task, outcome)
            if file is not None and outcome.complete:
                discard(file)
            return ()
        missing = self._missing[task.source]
        missing.discard(task.chunk.number)
        if outcome.complete:
            self._progress.part(task.source)
        elif task.source not in self._ended:
            self._ended.add(task.source)
            self._finish(file, self._early(file, outcome))
        return () if missing or task.source in self._ended else (file,)

    def _early(self, file: Target, outcome: Outcome) -> Outcome:
        """What becomes of a file of which a chunk is not complete."""
        out = self._config.output.out
        name = file.folder.relative_to(out).as_posix() if out and file.folder else ""
        row = failed_row(name, file.label, outcome.error or INTERRUPTED)
        return Outcome(file.source, row, error=outcome.error, left=outcome.left)


def _part(file: Target, folder: Path, chunk: Chunk, config: RunConfig) -> Target:
    """A chunk as a task; another length makes other names."""
    journal = folder / f"{chunk.number:04d}-{config.cores.chunk_s:g}s.part"
    return Target(file.source, (("jsonl", journal),), folder=folder, chunk=chunk)
