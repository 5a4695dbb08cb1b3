"""The package `fer` over a clip, in an environment of its own; started by tests/bench/peers.py.

For every line on standard input it analyses the clip once, as the package's README does with
OpenCV's frames, and answers a line of JSON. It imports nothing of fervid.
"""

import json
import os
import sys
import time


def main(clip):
    answers = os.fdopen(os.dup(1), "w")  # what libraries print must not come between
    os.dup2(2, 1)
    try:
        import cv2
        import fer
        from fer.fer import FER  # the README's `from fer import FER` is gone in 25.10.3
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers, flush=True)
        return
    detector = FER()
    print(json.dumps({"version": fer.__version__}), file=answers, flush=True)
    for _ in sys.stdin:
        capture = cv2.VideoCapture(clip)
        first_s, frames, faces = None, 0, 0
        while True:
            there, bgr = capture.read()
            if not there:
                break
            faces += len(detector.detect_emotions(bgr))
            frames += 1
            first_s = time.perf_counter() if first_s is None else first_s
        capture.release()
        spent = time.perf_counter() - (first_s or 0.0)
        made = {"fps": (frames - 1) / spent if frames > 1 else 0.0, "faces": faces / max(frames, 1)}
        print(json.dumps(made), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
