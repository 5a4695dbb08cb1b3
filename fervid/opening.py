"""What a lane is made of, opened as its run's configuration says."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from threading import Condition

from fervid import __version__
from fervid.capture import Source
from fervid.chunks import open_part
from fervid.config.addresses import is_fetched
from fervid.console import say
from fervid.controls import Controls
from fervid.outputs import Target
from fervid.painter import Painter
from fervid.pipeline import Pipeline
from fervid.records import SourceInfo
from fervid.remote import remote_stamp
from fervid.session import Session
from fervid.sinks import RunHeader, Sink
from fervid.viewer import Viewer, snapshots_for, window_for

TOLD = 20_000_000  # bytes of a file from which on it is said that it is fetched


def source_of(session: Session, target: Target) -> Source:
    """Open the source of a target; it is said where that takes time because it is fetched.

    Raises:
        LibraryMissing, SourceOpenError: it cannot be opened.
    """
    if is_fetched(target.source) and not session.config.quiet:
        size = remote_stamp(target.source)[0]
        if size >= TOLD:
            say(session.stderr, f"fetching {target.label} ({size / 1e6:,.0f} MB)")
    read = session.config.read_for(target.source)
    logins, threads = session.logins_for(read), session.config.cores.decode_threads
    return open_part(target.source, target.chunk, read, logins=logins, threads=threads)


def header_of(session: Session, target: Target, info: SourceInfo) -> RunHeader:
    """What the outputs of a source say about their origin, under the label that it was given."""
    card = session.backend.card
    label = session.config.settings_for(target.source).label
    return RunHeader(
        replace(info, label=label or info.label),
        card.name,
        session.digest,
        card.classes,
        session.config.as_dict(),
        __version__,
        getattr(session.backend, "device", ""),
    )


def viewer_of(
    session: Session, target: Target, header: RunHeader, painter: Painter, news: Condition
) -> Viewer:
    """The viewer of a source, with a window if it gets one.

    Raises:
        DisplayError: a window was asked for and none can be opened.
    """
    config = session.config
    place = snapshots_for(config, header.source, target.folder)
    return Viewer(
        window_for(config, header.source, news),
        Controls.of(config, header.classes),
        # No method of the lane: a cycle would keep its pictures until the collector comes by.
        replace(place, paint=painter.repaint),
        partial(say, session.stderr),
        quiet=config.quiet,
        clock=session.clock,
    )


def pipeline_of(session: Session, own: Sequence[Sink], *, shown: bool, before: int = 0) -> Pipeline:
    """The pipeline of a source, which makes heatmaps as far as somebody looks at them.

    Args:
        session: of the run.
        own: the source's own outputs.
        shown: whether every frame is shown or written with its heatmap.
        before: frames of the source that other processes analyse, before its chunk.
    """
    every = shown or any(getattr(sink, "wants_maps", True) for sink in session.sinks)
    # Those of the source are asked with each frame: viewers of the live page come and go.
    looked_at = every or partial(_wants_maps, own)
    config = session.config
    if not every and not session.page_maps:  # a report does without the maps between two changes
        config = replace(config, explain=replace(config.explain, map_every=0))
    return Pipeline(config, session.backend, maps=looked_at, before=before)


def _wants_maps(sinks: Sequence[Sink]) -> bool:
    return any(getattr(sink, "wants_maps", False) for sink in sinks)
