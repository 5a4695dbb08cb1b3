"""A long-lived child that analyses the files it is told: `python -m tests.fuzz.child FOLDER`.

Standard input brings a line of JSON for each file (`path`, `write`), standard output a line of JSON
with the verdict. Whatever kills this process was the file's doing; the parent sees it.
"""

import contextlib
import json
import os
import resource
import shutil
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import fervid
from tests.backends import FakeBackend

MB = 2**20
CRASHED, REFUSED, OK = "exception", "refused", "ok"
LONGEST = 600  # characters of a refusal, whose name may have 255


def judge(path: str, out: Path | None) -> dict[str, Any]:
    """Analyse a file as `fervid PATH -o OUT` does.

    Returns:
        The verdict, what was said, the frames that came and those that were damaged.
    """
    try:
        (summary,) = fervid.analyse(path, out=out, backend=FakeBackend())
    except fervid.FervidError as error:
        return _refusal(str(error))
    except BaseException:  # noqa: BLE001  it is what is looked for
        return {"verdict": CRASHED, "said": traceback.format_exc(limit=-4)}
    return {"verdict": OK, "said": "", "frames": summary["frames"], "damaged": summary["damaged"]}


def _refusal(said: str) -> dict[str, Any]:
    """A refusal counts as one if it is a sentence."""
    good = said[-1:] in (".", "?") and len(said) <= LONGEST and "Traceback" not in said
    return {"verdict": REFUSED if good else "no sentence", "said": said}


def _forget_peak() -> None:
    """Let the kernel count the peak of memory anew."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """The peak of resident memory since it was last forgotten."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Answer until the input ends."""
    out = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    tell({"verdict": "ready"})
    for line in sys.stdin:
        order = json.loads(line)
        _forget_peak()
        began, spent = time.monotonic(), time.process_time()
        found = judge(order["path"], out if order["write"] else None)
        found |= {"wall_s": time.monotonic() - began, "cpu_s": time.process_time() - spent}
        tell(found | {"peak_mb": peak_mb()})
        shutil.rmtree(out, ignore_errors=True)


if __name__ == "__main__":
    main()
