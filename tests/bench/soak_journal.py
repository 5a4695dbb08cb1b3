"""A journal that is read while a run writes it: frames, losses, and their latency."""

import json
import time
from datetime import datetime


def parse(content):
    """Whole lines of a journal as objects, and what is left of the last, unfinished one."""
    *whole, rest = content.split(b"\n")
    return [json.loads(line) for line in whole], rest


class Tail:
    """Follows the journal of a run that has one source.

    The latency of a row: the moment it is seen here, less when fervid had decoded its picture,
    which is the row's `utc`. fervid fixes `utc` by the first row, less what that frame took inside
    the pipeline alone: what it waited elsewhere is missing in all rows alike, so that some are
    below 0. An event has both times of one moment, so each loss tells how much is missing
    (`missing_ms`), and the report adds it. The pace of looking adds up to 10 ms. What the network
    and the decoder take before is not in it.

    Args:
        folder: `--out` of the run.
        clock: seconds, monotonic.
        now: seconds since 1970.
    """

    def __init__(self, folder, clock=time.monotonic, now=time.time):
        self.folder, self._clock, self._file, self._rest = folder, clock, None, b""
        self._epoch_s = now() - clock()  # taken once, so that a clock that is set harms nothing
        self.frames = self.dropped = self.losses = self.returns = 0
        self.offline, self.last_frame_s = False, None
        self._latency_ms, self._events = [], []
        self._rows_start_s = None  # when 0 s was, by the rows

    def look(self):
        """Take what is new."""
        if self._file is None:
            found = next(self.folder.glob("*/faces.jsonl"), None)
            if found is None:
                return
            self._file = found.open("rb", buffering=0)
        if content := self._file.read():
            lines, self._rest = parse(self._rest + content)
            for line in lines:
                self._take(line)

    def taken(self):
        """Latencies of the rows since the last call, in milliseconds, and events since then."""
        latency_ms, events = self._latency_ms, self._events
        self._latency_ms, self._events = [], []
        return latency_ms, events

    def close(self):
        """Close the journal."""
        if self._file is not None:
            self._file.close()

    def _take(self, line):
        seen_s = self._clock()
        if "event" in line:
            self.offline = line["event"] != "online"
            self.losses += line["event"] == "offline"
            self.returns += line["event"] == "online"
            self._events.append(line | {"missing_ms": self._missing_ms(line)})
        elif "faces" in line:
            self.frames, self.dropped = self.frames + 1, self.dropped + line["dropped"]
            self.last_frame_s = seen_s
            decoded_s = moment_s(line)
            self._rows_start_s = decoded_s - line["time_s"]
            self._latency_ms.append(round(1000 * (seen_s + self._epoch_s - decoded_s)))

    def _missing_ms(self, event):
        if event["event"] != "offline" or self._rows_start_s is None:
            return None
        return round(1000 * (self._rows_start_s - (moment_s(event) - event["time_s"])))


def moment_s(line):
    """When a line's moment was, in seconds since 1970."""
    return datetime.fromisoformat(line["utc"]).timestamp()
