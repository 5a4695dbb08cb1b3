"""The tables of docs/results/detection.md."""

import math
from typing import Any

Z = 1.96
HEAD = """# Finding faces

Made by `python -m tests.bench.detection --data DATA`. A face is found if a box has IoU .3 with it,
in clips if a box's centre lies where the face is; *false* are all other boxes. 95 % intervals by
Wilson. Single pictures get every look of `auto`; in clips it looks as in `fervid`, frame after
frame, from fresh noise.

What `auto`'s constants were chosen on: other faces (FER2013's training part; these are of its
public test part) and other pictures without faces, but frames of all clips of one person except
hands_bird, hands_eat and hands_help, with the same noises drawn otherwise, and of no_face in noise.
The group photographs, the dogs and the photographs of things were looked at for no constant.
"""


def wilson(k: int, n: int) -> tuple[float, float]:
    """95 % interval of a share.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    p, z2 = k / n, Z * Z
    middle, half = p + z2 / (2 * n), Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return max((middle - half) / (1 + z2 / n), 0.0), min((middle + half) / (1 + z2 / n), 1.0)


def markdown(out: dict[str, dict[str, Any]]) -> str:
    """All tables as text."""
    first = next(iter(out.values()))
    still = [part for part in first if part == "groups" or part.startswith("pasted")]
    free = [part for part in first if part.startswith("no face: ")]
    clips = [part for part in first if part.startswith("one face: ")]
    each = [part for part in first if ": " in part and part not in (*free, *clips)]
    free += [part for part in each if not first[part]["faces"]]
    each = [part for part in each if first[part]["faces"]]
    return "\n".join(
        [
            HEAD,
            "## Pictures: found (interval) / false\n",
            _table(out, still, _found),
            "## Clips of one person: found (interval) / false\n",
            _table(out, clips, _found),
            "## No face: false boxes / frames\n",
            _table(out, free, _false),
            "## Cost of a frame in a clip but the first: ms of CPU time (times short)\n",
            _table(out, [*clips, *(p for p in free if first[p]["laters"])], _later_cost),
            "## Cost of a single picture or a first frame\n",
            _table(out, [*still, *clips], _first_cost),
            "## Each clip: found / false\n",
            _table(out, each, lambda c, _: f"{c['found']} of {c['faces']} / {c['false_alarms']}"),
        ]
    )


def _found(count: dict[str, Any], short: dict[str, Any]) -> str:
    low, high = wilson(count["found"], count["faces"])
    share = 100 * count["found"] / count["faces"]
    interval = f"{100 * low:.1f}-{100 * high:.1f}"
    said = f"{count['found']} of {count['faces']}, {share:.1f} % ({interval})"
    return f"{said} / {count['false_alarms']}"


def _false(count: dict[str, Any], short: dict[str, Any]) -> str:
    return f"{count['false_alarms']} / {count['firsts'] + count['laters']}"


def _later_cost(count: dict[str, Any], short: dict[str, Any]) -> str:
    return _times(*(c["later_ms"] / c["laters"] for c in (count, short)))


def _first_cost(count: dict[str, Any], short: dict[str, Any]) -> str:
    return _times(*(c["first_ms"] / c["firsts"] for c in (count, short)))


def _times(each: float, usual: float) -> str:
    return f"{each:.1f} ({each / usual:.2f})"


def _table(out: dict[str, dict[str, Any]], parts: list[str], say: Any) -> str:
    lines = [["", *out], ["---"] * (len(out) + 1)]
    lines += [
        [part, *(say(counts[part], out["short"][part]) for counts in out.values())]
        for part in parts
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
