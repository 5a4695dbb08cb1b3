"""What a person reads of a run's state: pure functions from numbers and codes to words."""

from fervid.link import Outage
from fervid.records import FilterReason
from fervid.status import FaceView, Snapshot

LEVEL_NAMES = {"gaussian": "sigma", "salt_pepper": "density", "speckle": "sigma"}
DAY_S = 86_400.0
MAPS = {  # kinds of heatmap, and the layers of the network that they are made of
    "gradcam": ("Grad-CAM", "layer4"),
    "adaptive": ("adaptive map", "layer4"),
    "gradcam_fused": ("Grad-CAM", "layer3 + layer4"),
    "adaptive_fused": ("adaptive map", "layer3 + layer4"),
}


def shown(text: str) -> str:
    """Text without characters that a terminal would obey or cannot show."""
    return "".join(c if c.isprintable() else "?" for c in text)


def clock_time(seconds: float) -> str:
    """Seconds as 1:02 or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def offline_words(outage: Outage) -> str:
    """Since when (local time), for how long, why and how often it was tried."""
    since = outage.since.astimezone()
    day = f"{since:%Y-%m-%d} " if outage.seconds >= DAY_S else ""
    return (
        f"offline since {day}{since:%H:%M:%S} ({clock_time(outage.seconds)}, attempts "
        f"{outage.attempts}): {shown(outage.cause)}"
    )


def share_done(snapshot: Snapshot) -> float | None:
    """How much of a file is done, 0-1; None for a live source and where nobody knows."""
    if snapshot.live:
        return None
    if snapshot.n_frames:
        return min(snapshot.frames / snapshot.n_frames, 1.0)
    if snapshot.duration_s:
        return min(snapshot.position_s / snapshot.duration_s, 1.0)
    return None


def left_words(snapshot: Snapshot) -> str:
    """The time left, as ", 1:02 left"; empty where it cannot be told yet."""
    done = share_done(snapshot)
    if not done or snapshot.elapsed_s < 1 or snapshot.state != "running":
        return ""
    return f", {clock_time(snapshot.elapsed_s * (1 - done) / done)} left"


def frames_words(snapshot: Snapshot) -> str:
    """Frames done, of how many where that is known."""
    of = f"/{snapshot.n_frames:,}" if snapshot.n_frames and not snapshot.live else ""
    return f"{snapshot.frames:,}{of}"


def state_word(snapshot: Snapshot) -> str:
    """What the source does, in a word or two."""
    if snapshot.state != "running":
        return snapshot.state
    if snapshot.offline:
        return "offline"
    done = share_done(snapshot)
    if snapshot.live:
        return "live"
    return "reading" if done is None else f"{done:.0%} done"


def drop_words(snapshot: Snapshot) -> str:
    """Frames that were not analysed, by cause; "0" where there are none."""
    causes = (
        (snapshot.dropped, "late"),
        (snapshot.missed, "offline"),
        (snapshot.damaged, "damaged"),
    )
    words = ", ".join(f"{count:,} {cause}" for count, cause in causes if count)
    return words or "0"


def kind_words(kind: str) -> str:
    """A kind of noise, such as "salt-and-pepper"."""
    return kind.replace("_", "-and-")


def noise_words(snapshot: Snapshot) -> str:
    """Kind and level, such as "gaussian sigma 0.120"."""
    name = LEVEL_NAMES.get(snapshot.noise_kind)
    return kind_words(snapshot.noise_kind) + (f" {name} {snapshot.noise_level:.3f}" if name else "")


def filter_words(snapshot: Snapshot) -> str:
    """The filter and why it was chosen."""
    level, blocking = snapshot.noise_level, snapshot.quality[0]
    why = filter_why(snapshot.filter_reason, snapshot.noise_kind, level, blocking)
    return f"{snapshot.filter_name}: {why}"


def filter_why(reason: FilterReason, kind: str, level: float, blocking: float) -> str:
    """Why a frame has its filter.

    Args:
        reason: as `FrameResult.filter_reason` says it.
        kind: of the frame's noise.
        level: of it.
        blocking: of the frame, 0-1.
    """
    noise, name = kind_words(kind), LEVEL_NAMES.get(kind)
    return {
        "told": "chosen by you",
        "noise": f"against {noise} noise, {name} {level:.2f}",
        "blocks": f"against blocks of compression ({blocking:.2f})",
        "clean": "the picture is clean",
        "unhelpful": f"the model does better without one in {noise} noise",
        "large": f"blocks ({blocking:.2f}) do not matter to faces this large",
    }[reason]


def doubt_words(face: FaceView, room: int = 1000) -> str:
    """Why a label is uncertain, as "uncertain: too small (28 px), too dark"; empty if it is not.

    Args:
        face: whose label it is.
        room: columns; in few of them less is said, but every reason.
    """
    if not face.uncertain:
        return ""
    words = {
        "confidence": "low confidence",
        "small": f"too small ({face.width_px:.0f} px)" if face.width_px else "too small",
        "blurred": "too blurred",
        "dark": "too dark",
    }
    brief = ", ".join(face.reasons)
    full = ", ".join(words.get(reason, reason) for reason in face.reasons)
    forms = (f"uncertain: {full}", f"uncertain: {brief}", f"unsure: {brief}")
    return next((form for form in forms if len(form) <= room), brief)


def map_words(cam: str, target: str) -> tuple[str, ...]:
    """Which heatmaps are shown, as "adaptive map, layer4, of the label"; the fullest form first.

    Args:
        cam: kind of map, one of MAPS; empty where it is not known.
        target: class whose maps they are; empty for each face's most probable one.
    """
    name, layers = MAPS.get(cam, ("map", ""))
    of = f"of {target or 'the label'}"
    whole = f"{name}, {layers}, {of}" if layers else f"{name} {of}"
    if not target:
        return whole, f"{name} {of}", "map"
    return f"{whole}, not of the label", f"{name} {of}, not the label", f"map {of}", "map"


def chosen_words(target: str) -> str:
    """The warning where a class was chosen for all maps; empty where none was."""
    if not target:
        return ""
    return (
        f"The class {target} was chosen (--explain, or a key in the window): the maps show where "
        f"each face speaks for {target}, whatever its label is."
    )


def plain_line(snapshot: Snapshot) -> str:
    """A snapshot as one line without control characters, for logs and pipes."""
    done = share_done(snapshot)
    faces = ", ".join(
        f"#{face.track_id} {face.label}{' (uncertain)' if face.uncertain else ''}"
        for face in snapshot.faces[:3]
    )
    more = f", +{len(snapshot.faces) - 3} more" if len(snapshot.faces) > 3 else ""
    parts = (
        f"{shown(snapshot.source)}: frame {frames_words(snapshot)}"
        + (f" {done:.0%}" if done is not None else "")
        + left_words(snapshot),
        *([snapshot.state] if snapshot.state != "running" else []),
        *([offline_words(snapshot.offline)] if snapshot.offline else []),
        f"{snapshot.fps:.1f} fps, dropped {drop_words(snapshot)}",
        f"{noise_words(snapshot)}, filter {snapshot.filter_name}",
        f"faces {len(snapshot.faces)}" + (f" ({faces}{more})" if faces else ""),
        f"{snapshot.memory_mb:,.0f} MB",
    )
    return "; ".join(parts)
