"""Filter and crop: what the network sees of a frame's faces, and how much noise it is told of."""

import numpy as np
from numpy.typing import NDArray

from fervid.card import ModelCard
from fervid.config import FilterChoice
from fervid.crops import crop_faces, longer_sides, residual_noise
from fervid.filters import (
    FilterName,
    FilterSet,
    choose_filter,
    filter_reason,
    filter_table,
    get_filter,
)
from fervid.records import F32, Faces, FilterReason, Noise


class Cropper:
    """Chooses the filter of each frame, and filters and crops its faces.

    Args:
        card: of the model that the crops are for.
        filter_set: where the filters are from.
    """

    def __init__(self, card: ModelCard, filter_set: FilterSet) -> None:
        self._card, self._set = card, filter_set
        self._table = filter_table(card.filters, filter_set)

    def filter_name(self, told: FilterChoice, noise: Noise, faces: Faces) -> FilterName:
        """The filter for a frame: as told, or by the card's table."""
        if told != "auto":
            return told
        name = choose_filter(noise, self._table)
        large = longer_sides(faces.boxes) * self._card.crop_scale > self._card.input_px
        return "none" if name == "deblock" and len(faces) and large.all() else name

    def reason(self, name: FilterName, told: FilterChoice, noise: Noise) -> FilterReason:
        """Why a frame has this filter, for a person."""
        return filter_reason(name, noise, told != "auto", self._table)

    def crop(
        self, bgr: NDArray[np.uint8], faces: Faces, noise: Noise, name: FilterName
    ) -> tuple[F32, NDArray[np.uint8], F32]:
        """Filter and crop the faces of a frame, uint8 (H, W, 3).

        Returns:
            The network's input, float32 (N, 3, S, S), the crops before normalisation, uint8
            (N, S, S), and the noise left in each, float32 (N,).
        """
        images, crops = crop_faces(
            bgr, faces.boxes, self._card, get_filter(name, self._set), noise.severity
        )
        eta = [
            residual_noise(noise, name, float(n), self._card, self._set)
            for n in longer_sides(faces.boxes)
        ]
        return images, crops, np.minimum(np.array(eta, np.float32), self._card.eta_max)
