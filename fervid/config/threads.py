"""The section that shares the processor's cores out: the one place for every number of threads."""

import math
from dataclasses import dataclass
from typing import Annotated

from fervid.config.section import Section, within
from fervid.config.segments import duration, duration_option
from fervid.errors import ConfigError

MOST = 1024
SHORTEST_CHUNK_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadConfig(Section):
    """How the cores are shared out; reading, analysing and writing have a thread each.

    The defaults are for two cores (docs/decisions.md); 0 leaves a number to the library.

    Attributes:
        threads: Threads of the network; 0 leaves the number to the library.
        spin: Let them wait actively, which is quicker where cores are idle.
        filter_threads: Threads of OpenCV, for filters and drawing; 0 is one a core.
        decode_threads: Threads that decode a video; 0 is the library's choice.
        encode_threads: Threads that encode a video; 0 is the library's choice.
        jobs: Files analysed at once, in processes; 0: one for two cores.
        chunk: Length of the parts of long files for --jobs or --ray, like 10m.
        ray: Address of a Ray cluster that analyses the files: host:port or auto.
    """

    threads: int = within(0, 0, MOST)
    spin: bool = False
    filter_threads: int = within(1, 0, MOST)
    decode_threads: int = within(1, 0, MOST)
    encode_threads: int = within(1, 0, MOST)
    jobs: int = within(1, 0, MOST)
    chunk: Annotated[str | None, duration_option("chunk")] = None
    ray: str | None = None

    def __post_init__(self) -> None:
        Section.__post_init__(self)  # a slotted dataclass has no zero-argument super()
        if self.chunk is not None and self.chunk_s < SHORTEST_CHUNK_S:
            raise ConfigError(
                f"--chunk must be at least {SHORTEST_CHUNK_S:g}s, not {self.chunk}; each begins "
                "some 10 s early.",
                "chunk",
            )
        if self.ray is not None and not self.ray.strip():
            raise ConfigError("--ray is empty; give host:port, or auto for this machine's.", "ray")
        if self.ray is not None and self.jobs != 1:
            raise ConfigError(
                "--jobs shares the files out among processes and --ray among machines; drop one "
                "of them.",
                "ray",
            )

    @property
    def chunk_s(self) -> float:
        """The length of a chunk in seconds; infinite where no file is split."""
        return math.inf if self.chunk is None else duration(self.chunk, "chunk")
