"""A backend without a network, for tests of everything around it."""

import numpy as np

from fervid.card import ModelCard
from fervid.records import ModelOutput, no_cams


class FakeBackend:
    """Bright crops are happy, dark ones sad; the map of a class is the crop, coarsely.

    Keeps what it was given in `seen`, the (images, eta, target) of each call.
    """

    def __init__(self, px: int = 48) -> None:
        classes = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
        self.card = ModelCard(name="fake", classes=classes, input_px=px)
        self.seen: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.closed = 0

    def run(self, images, eta, target):
        self.seen.append((images, eta, target))
        n, k = len(images), len(self.card.classes)
        step = self.card.input_px // 6
        coarse = images[:, 0].reshape(n, 6, step, 6, step).mean((2, 4))  # (N, 6, 6)
        maps = np.zeros((n, k, 6, 6), np.float32)
        maps[:, self.card.classes.index("happy")] = coarse
        maps[:, self.card.classes.index("sad")] = -coarse
        cams = np.repeat(np.abs(coarse)[:, None], 4, 1)
        return ModelOutput(maps.mean((2, 3)), maps, cams.astype(np.float32))

    def close(self) -> None:
        self.closed += 1


class Sparing(FakeBackend):
    """A backend that can leave maps out, and notes when it did."""

    spares_maps = True

    def __init__(self):
        super().__init__()
        self.made = []

    def run(self, images, eta, target, maps=True):
        self.made.append(maps)
        out = super().run(images, eta, target)
        return out if maps else ModelOutput(out.logits, out.maps, no_cams(len(images)))
