"""What --resume leaves as it is: the files whose outputs are complete and of this configuration."""

import json
from collections.abc import Mapping, Sequence
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
    made = {"fervid": __version__, "model_sha256": digest, "config": config.as_dict()}
    made = json.loads(json.dumps(made))  # with lists for tuples, as it is read
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
