"""Kill and restore an RTSP server under a run, and take the time until results come again.

    python -m tests.bench.reconnect [--cycles 20] [--seconds 600] [--seed 0]

writes docs/results/reconnect.json and .md. The server is GStreamer's (tests/rtsp_server.py); of
four cycles one stalls it (SIGSTOP) and three kill it (SIGKILL) and start it again on its port.
"""

import argparse
import json
import platform
import random
import statistics
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import fervid
from tests.bench.broken_server import Server
from tests.places import ROOT

LIMIT_S = 5.0  # from the server's return to the first result
GIVE_UP_S = 60.0  # after which a cycle counts as not recovered
RESULTS = ROOT / "docs" / "results"


class Done(fervid.FervidError):
    """The bench is over."""


class Watcher:
    """A sink that knows when results came, of which connection, and what happened to it."""

    wants_pixels = False

    def __init__(self):
        self.changed = threading.Condition()
        self.last = (-1, -1.0)  # connection and moment of the newest result
        self.first = {}  # moment of the first result of each connection
        self.frames, self.events, self.over = 0, [], False

    def write(self, frame, result, drawn):
        """Take the moment."""
        with self.changed:
            now = time.monotonic()
            self.frames += 1
            self.first.setdefault(frame.connection, now)
            self.last = frame.connection, now
            self.changed.notify_all()
            if self.over:
                raise Done("over")

    def note(self, event):
        """Keep an event."""
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def close(self):
        """Nothing is open."""

    def wait_for(self, condition, limit_s):
        """Wait until something is true of this; returns whether it became so."""
        with self.changed:
            return self.changed.wait_for(condition, limit_s)


def cycle(server, watcher, how, up_s, down_s):
    """One cycle; returns its figures."""
    time.sleep(up_s)
    connection, _ = watcher.last
    server.down(how)
    noticed = watcher.wait_for(lambda: watcher.events[-1:] and offline(watcher), 60)
    time.sleep(down_s)
    server.up(how)
    returned = time.monotonic()
    back = watcher.wait_for(lambda: watcher.last[0] > connection, GIVE_UP_S)
    moments = [m for c, m in watcher.first.items() if c > connection]
    return {
        "how": how,
        "down_s": round(down_s, 2),
        "noticed": bool(noticed),
        "recovered": back,
        "first_result_s": round(min(moments) - returned, 3) if back else None,
        "attempts": watcher.events[-1].attempts if back else None,
    }


def offline(watcher):
    """Whether the last event is a loss."""
    return watcher.events[-1].kind == "offline"


def measure(cycles, seconds, seed):
    """Run all cycles over about so many seconds; returns the record."""
    rng, watcher, server = random.Random(seed), Watcher(), Server()
    uri = f"rtsp://127.0.0.1:{server.port}/cam"
    failure = []

    def run():
        try:
            fervid.analyse(uri, sinks=[watcher])
        except Done:
            pass
        except fervid.FervidError as error:
            failure.append(str(error))

    thread = threading.Thread(target=run)
    began = time.monotonic()
    thread.start()
    watcher.wait_for(lambda: watcher.frames > 0, 120)
    done = []
    for number in range(cycles):
        share = seconds / cycles
        down_s = rng.uniform(0.1, 0.5) * share
        how = "stop" if number % 4 == 3 else "kill"
        done.append(cycle(server, watcher, how, 0.35 * share, down_s))
        sys.stdout.write(f"{number + 1} {done[-1]}\n")
        sys.stdout.flush()
    took_s = time.monotonic() - began
    watcher.over = True
    thread.join(30)
    server.close()
    times = [c["first_result_s"] for c in done if c["recovered"]]
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "fervid": fervid.__version__,
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "cycles": cycles,
        "recovered": sum(c["recovered"] for c in done),
        "took_s": round(took_s, 1),
        "results": watcher.frames,
        "first_result_s": {
            "median": round(statistics.median(times), 2) if times else None,
            "largest": round(max(times), 2) if times else None,
        },
        "error": failure[0] if failure else None,
        "each": done,
    }


def report(record):
    """The record for a person."""
    first = record["first_result_s"]
    within = sum((c["first_result_s"] or GIVE_UP_S) <= LIMIT_S for c in record["each"])
    rows = [
        f"| {n} | {c['how']} | {c['down_s']:.1f} | {c['attempts']} | {c['first_result_s']} |"
        for n, c in enumerate(record["each"], start=1)
    ]
    return "\n".join(
        [
            "# A stream that is killed and restored",
            "",
            f"`python -m tests.bench.reconnect --cycles {record['cycles']} --seconds "
            f"{record['seconds']:.0f}`, {record['date']}, "
            f"{record['machine']}; GStreamer's RTSP server on loopback, the whole analysis.",
            "",
            f"{record['recovered']} of {record['cycles']} losses recovered in "
            f"{record['took_s']:.0f} s, {within} with the first result within {LIMIT_S:.0f} s of "
            f"the server's return (median {first['median']} s, largest {first['largest']} s).",
            "",
            "| | how | s away after it was noticed | attempts | s from return to first result |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def main():
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    record = measure(given.cycles, given.seconds, given.seed)
    record["seconds"], record["seed"] = given.seconds, given.seed
    (given.out / "reconnect.json").write_text(json.dumps(record, indent=1) + "\n")
    (given.out / "reconnect.md").write_text(report(record))
    sys.stdout.write(report(record))


if __name__ == "__main__":
    main()
