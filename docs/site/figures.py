"""Write the tables of docs/trust.md from the measurements in docs/results.

    python docs/site/figures.py

A table lies between `<!-- NAME -->` and `<!-- end -->`; a test says when one is out of date.
"""

import json
import re
from pathlib import Path

DOCS = Path(__file__).parents[1]
RESULTS, PAGE = DOCS / "results", DOCS / "trust.md"
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PLACE = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def measured(name):
    """PrivateTest's part of a file of results."""
    content = json.loads((RESULTS / f"{name}-fervid-int8-private.json").read_text())
    return content["splits"]["private"]


def percent(share):
    return f"{100 * share:.1f}"


def table(head, rows):
    """A Markdown table whose columns but the first hold numbers."""
    lines = [head, ("---", *["---:"] * (len(head) - 1)), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def conditions(rows):
    """Accuracy by condition, with its interval."""
    head = ("condition", "right, %", "95 % interval")
    spans = (" - ".join(map(percent, row["accuracy_95"])) for row in rows)
    both = zip(rows, spans, strict=True)
    return table(head, ((row["name"], percent(row["accuracy"]), span) for row, span in both))


def by_class():
    """Of each class how many are found, and how often it is right when it is said."""
    confusion = measured("evaluate")["confusion"]
    said = [sum(row[k] for row in confusion) for k in range(len(CLASSES))]
    rows = []
    for k, name in enumerate(CLASSES):
        right, there = confusion[k][k], sum(confusion[k])
        rows.append((name, str(there), percent(right / there), percent(right / said[k])))
    head = ("class", "faces", "of its faces called so, %", "right when it is said, %")
    return table(head, rows)


def by_quarter():
    """Accuracy by quarters of brightness, contrast and sharpness."""
    head = ("", "lowest quarter", "second", "third", "highest quarter")
    quarters = measured("evaluate")["quarters"]
    rows = (
        (name, *(percent(part["accuracy"]) for part in parts)) for name, parts in quarters.items()
    )
    return table(head, rows)


def of_doubts():
    """What `uncertain` holds back, and what it is worth."""
    content = json.loads((RESULTS / "evaluate-fervid-int8-private.json").read_text())
    pooled = next(row for row in content["selective"] if row["condition"] == "pooled")
    kept, all_of_them = (round(100 * pooled[k]) for k in ("accuracy_at_coverage", "accuracy"))
    return (
        "`uncertain` marks part of it: where a fifth of the answers on clean and noisy pictures\n"
        f"is held back, {kept} % of the others are right instead of {all_of_them}.\n"
    )


TABLES = {
    "classes": by_class,
    "noise": lambda: conditions(measured("evaluate")["estimated"]["settings"]),
    "faults": lambda: conditions(measured("faults")["settings"][1:]),
    "quarters": by_quarter,
    "doubts": of_doubts,
}


def filled(text):
    """The page's text with its tables made anew."""
    return PLACE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[3]}", text)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
