"""What --resume leaves as it is: the files whose outputs are complete and of this configuration."""

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from fervid import __version__, probe
from fervid.config import RunConfig
from fervid.errors import ConfigError
from fervid.manifest import Manifest, stamp
from fervid.outputs import TABLE, Target

# What changes no result: how a stream is reached, where outputs go, how work is shared out.
READING_ONLY = ("credentials", "open_timeout_s", "read_timeout_s", "rtsp_transport", "tls_verify")
IGNORED: dict[str, tuple[str, ...]] = {
    "read": READING_ONLY,
    "output": ("out", "overwrite", "resume", "queue_mb"),
    "filter": (),
    "model": ("model",),  # its hash is compared
    "faces": (),
    "explain": (),
    "labels": (),
}


@dataclass(frozen=True, slots=True)
class Found:
    """What an earlier run has left.

    Attributes:
        done: the figures of the files that are complete, by source.
        changed: files that were complete and have changed since.
    """

    done: dict[str, dict[str, Any]]
    changed: tuple[str, ...]


def look_back(
    config: RunConfig, targets: Sequence[Target], manifest: Manifest, digest: str
) -> Found:
    """Find out which files of a run need no work any more.

    Args:
        config: of the run.
        targets: of all its sources.
        manifest: of the results' folder.
        digest: the hash of the model's file.

    Raises:
        ConfigError: some are complete and were made in another way than this run's.
    """
    done, changed = {}, []
    made = _made_by(config, digest)
    for target in targets:
        entry = manifest.entry(target.source)
        summary = None if entry is None or entry.state != "done" else _complete(target)
        if entry is None or summary is None:
            continue
        if (entry.size, entry.mtime_ns) != stamp(target.source):
            changed.append(target.label)
            continue
        _refuse_other(target, summary, made)
        done[target.source] = summary
    return Found(done, tuple(changed))


def whole_part(config: RunConfig, part: Target, digest: str) -> bool:
    """Whether a chunk was analysed in a run before, and all of it is there.

    Args:
        config: of the run.
        part: a chunk of a file that has not changed.
        digest: the hash of the model's file.

    Raises:
        ConfigError: it was made in another way than this run's.
    """
    journal = part.sinks[0][1]
    try:
        summary = json.loads(part.summary.read_text(encoding="utf-8")) if part.summary else {}
        with journal.open("rb") if journal else nullcontext(()) as lines:
            ends = [line.endswith(b"\n") for line in lines]
        whole = all(ends) and summary["error"] is None and summary["frames"] == len(ends) - 1
    except (KeyError, OSError, TypeError, ValueError):
        return False
    if whole:
        _refuse_other(part, summary, _made_by(config, digest))
    return whole


def _made_by(config: RunConfig, digest: str) -> dict[str, Any]:
    """What the summaries of a run say of how it was made."""
    made = {"fervid": __version__, "model_sha256": digest, "config": config.as_dict()}
    kept: dict[str, Any] = json.loads(json.dumps(made))  # with lists for tuples, as it is read
    return kept


def _complete(target: Target) -> dict[str, Any] | None:
    """The figures of a source whose outputs are all there and complete."""
    from fervid.sinks.tables import table_header

    if target.folder is None or target.summary is None:
        return None
    if table_header(target.folder / TABLE) is None or not all(map(probe.exists, target.files())):
        return None
    try:
        summary = json.loads(target.summary.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(summary, dict) and summary.get("error") is None
    return summary if whole else None


def _refuse_other(target: Target, summary: Mapping[str, Any], made: Mapping[str, Any]) -> None:
    """Stop before results of two models or configurations would be mixed in one table.

    Raises:
        ConfigError: a file was made in another way; the message names the first difference.
    """
    difference = _difference(summary, made)
    if difference:
        raise ConfigError(
            f"{target.folder} was made with {difference}; go on in the same way, or begin again "
            "with --overwrite instead of --resume.",
            "resume",
        )


def _difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """In which way results were made otherwise, in words; "" if they were not."""
    if was.get("fervid") != now["fervid"]:
        return f"fervid {was.get('fervid')}, and this is {now['fervid']}"
    if was.get("model_sha256") != now["model_sha256"]:
        return f"another model ({was.get('model')})"
    old, new = was.get("config", {}), now["config"]
    for section, ignored in IGNORED.items():
        before = old.get(section, {})
        for key, value in new[section].items():
            if key not in ignored and before.get(key) != value:
                return f"{key} = {_shown(before.get(key))}, and now it is {_shown(value)}"
    if old.get("per_source") != new["per_source"]:
        return "other [[source]] settings"
    return ""


def _shown(value: object) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False).strip('"')
