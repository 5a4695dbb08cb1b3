"""Print a table of all summary.json below a folder.

python samples/summaries.py results/
"""

import json
import sys
from pathlib import Path


def most(shares, n=4):
    """The n largest of {name: share}, as text."""
    return ", ".join(f"{name} {share:.0%}" for name, share in list(shares.items())[:n]) or "-"


def main(folder):
    print("| clip | frames | with faces | tracks | noise | filter | labels | uncertain | fps |")
    print("| --- | ---: | ---: | ---: | --- | --- | --- | ---: | ---: |")
    for path in sorted(Path(folder).rglob("summary.json")):
        s = json.loads(path.read_text(encoding="utf-8"))
        cells = (
            *(Path(s["source"]).name, s["frames"], s["frames_with_faces"], s["tracks"]),
            *(most(s["noise"]), most(s["filters"]), most(s["labels"])),
            *(f"{s['uncertain']['share']:.0%}", f"{s['fps']:.0f}"),
        )
        print("| " + " | ".join(map(str, cells)) + " |")


if __name__ == "__main__":
    main(sys.argv[1])
