"""How many processes share the files of a run, and which runs cannot be shared out or gone on."""

import os
from collections.abc import Sequence

from fervid.config import RunConfig, ThreadConfig, without_credentials
from fervid.config.source import is_device
from fervid.errors import ConfigError

CORES_A_JOB = 2  # that one process keeps busy (docs/decisions.md, Speed)


def cores() -> int:
    """The processor's cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def n_jobs(config: ThreadConfig, n_files: int) -> int:
    """How many processes analyse so many files."""
    return min(config.jobs or max(1, cores() // CORES_A_JOB), max(n_files, 1))


def threads_a_job(jobs: int) -> int:
    """Threads of the network of each process, where the configuration leaves the number open."""
    return max(1, cores() // jobs)


def refuse_unfit(
    config: RunConfig, sources: Sequence[str], *, own_sinks: bool = False, own_network: bool = False
) -> None:
    """Stop where files are to be shared out, or gone on with, and something cannot be.

    Args:
        config: of the run.
        sources: every single one.
        own_sinks: a program's own outputs are among the parts of the run.
        own_network: its own network is.

    Raises:
        ConfigError: so it is.
    """
    key = _asked(config)
    if config.segments.segment is not None and config.output.out is None:
        raise ConfigError("--segment needs a folder; add --out DIR.", "segment")
    if config.segments.segment is not None and key is not None:
        raise ConfigError(
            f"--segment cuts what one process writes from its start; drop --segment or --{key}.",
            "segment",
        )
    _refuse_chunks(config)
    if key is None:
        return
    _refuse_watched(config, key)
    if config.output.out is None:
        raise ConfigError(f"--{key} needs a folder for the outputs; add --out DIR.", key)
    for source in filter(is_device, sources):
        raise ConfigError(
            f"--{key} takes files, and {without_credentials(source)} is none; leave out one of "
            "them.",
            key,
        )
    if config.window.window:
        raise ConfigError(f"--{key} shows no window; drop --window or --{key}.", key)
    if config.serving.serve is not None and key != "resume":
        raise ConfigError(f"--{key} serves no live page; drop --serve or --{key}.", key)
    if config.uses_stdout or config.output.files():
        raise ConfigError(
            f"--{key} writes a folder for each file, and all.parquet; leave out single files and "
            "standard output.",
            key,
        )
    if own_sinks or (own_network and key != "resume"):
        what = "sinks" if own_sinks else "backend"
        raise ConfigError(
            f"{key} takes no {what} of your own, which one process has for all files; leave out "
            "one of them.",
            key,
        )


def _refuse_chunks(config: RunConfig) -> None:
    """Stop where long files are to be split, and nobody shares them out, or pictures are wanted.

    Raises:
        ConfigError: so it is.
    """
    if config.cores.chunk is None:
        return
    if config.cores.ray is None and config.cores.jobs == 1:
        raise ConfigError(
            "--chunk splits long files for several processes; add --jobs N or --ray ADDRESS.",
            "chunk",
        )
    if config.output.images:
        raise ConfigError("--chunk makes no annotated video; add --no-images.", "chunk")
    if config.output.subtitles:
        raise ConfigError("--chunk writes no subtitles; drop --subtitles or --chunk.", "chunk")


def _refuse_watched(config: RunConfig, key: str) -> None:
    """Stop where somebody shall be told of all files while they are analysed elsewhere, or before.

    Raises:
        ConfigError: so it is.
    """
    if key == "resume" and config.watch.events is not None:
        raise ConfigError(
            "--resume leaves out the files that are done, and --events would lack them; drop one "
            "of them.",
            key,
        )
    if key != "resume" and config.watch.asked is not None:
        raise ConfigError(
            f"--{key} shares the files out, and --{config.watch.asked} watches one process; drop "
            "one of them.",
            key,
        )


def _asked(config: RunConfig) -> str | None:
    """The option that asks for more than one file after the other from the start."""
    if config.cores.ray is not None:
        return "ray"
    if config.cores.jobs != 1:
        return "jobs"
    return "resume" if config.output.resume else None
