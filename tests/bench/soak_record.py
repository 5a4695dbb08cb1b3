"""The record of a soak, and what is measured for it."""

import json
import os
import time
from pathlib import Path

import av

MB = 1e6


class Record:
    """The lines of soak.jsonl; each is on the disk when `add` returns."""

    def __init__(self, path):
        self._file = path.open("x", encoding="utf-8")
        self.began_s = time.monotonic()

    def add(self, kind, **fields):
        """Append a line with the seconds since the beginning."""
        line = {"kind": kind, "at_s": round(time.monotonic() - self.began_s, 2), **fields}
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return line

    def close(self):
        """Close it."""
        self._file.close()


def anonymous_mb(status):
    """MB that no file is behind, from the text of /proc/PID/status; None where it is not told."""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(fields["RssAnon"].split()[0]) * 1024 / MB if "RssAnon" in fields else None


def measured(process):
    """Memory (MB), threads, descriptors and CPU seconds of a process."""
    with process.oneshot():
        spent = process.cpu_times()
        return {
            "rss_mb": round(process.memory_info().rss / MB, 3),
            "anonymous_mb": anonymous_mb(Path(f"/proc/{process.pid}/status").read_text()),
            "threads": process.num_threads(),
            "descriptors": process.num_fds(),
            "cpu_s": round(spent.user + spent.system, 2),
        }


def written(folder):
    """Frames in the summary and pictures in the video that fervid has finished, None without."""
    found = {"summary": None, "video": None}
    for path in folder.glob("*/summary.json"):
        found["summary"] = json.loads(path.read_text())["frames"]
        with av.open(str(path.with_name("annotated.mp4"))) as video:
            found["video"] = sum(packet.size > 0 for packet in video.demux(video=0))
    return found
