"""A backend of your own: the network sees each face and its mirror image, and they are averaged.

python samples/custom_backend.py clip.mp4
"""

import sys
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

import fervid


class Mirrored:
    """Runs another backend twice, the second time on faces flipped left to right."""

    def __init__(self, inner: fervid.Backend) -> None:
        self._inner, self.card = inner, inner.card

    def run(
        self, images: NDArray[np.float32], eta: NDArray[np.float32], target: NDArray[np.int64]
    ) -> fervid.ModelOutput:
        both = images, np.ascontiguousarray(images[..., ::-1])
        logits = np.mean([self._inner.run(x, eta, target).logits for x in both], 0)
        best = np.where(target < 0, logits.argmax(1), target)  # heatmaps of one class
        a, b = (self._inner.run(x, eta, best) for x in both)
        maps, cams = a.maps + b.maps[..., ::-1], a.cams + b.cams[..., ::-1]
        return fervid.ModelOutput(logits, np.float32(0.5) * maps, np.float32(0.5) * cams)

    def close(self) -> None:
        self._inner.close()


def main(clip: str) -> None:
    with closing(fervid.open_backend()) as network:
        (plain,) = fervid.analyse(clip, backend=network)
        (both,) = fervid.analyse(clip, backend=Mirrored(network))
    print(f"{clip}: {plain['labels']}\nwith mirror images: {both['labels']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
