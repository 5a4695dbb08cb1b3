"""Faces in frames, as figures for JSON and as tables."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from train.in_frame import HEIGHT, WIDTH, Cell
from train.robustness_tables import TITLES
from train.tables import Table, percent


def in_frame_figures(cells: Sequence[Cell], split: str) -> dict[str, Any]:
    """For JSON."""
    size = [WIDTH, HEIGHT]
    return {"split": split, "frame": size, "cells": [asdict(cell) for cell in cells]}


def in_frame_tables(part: Mapping[str, Any]) -> list[Table]:
    """Found, accuracy over all and over found faces: settings down, sizes across."""
    cells = {(c["setting"], c["face_px"]): c for c in part["cells"]}
    settings = list(dict.fromkeys(setting for setting, _ in cells))
    sizes = list(dict.fromkeys(px for _, px in cells))
    shares, kinds = (
        tuple((setting, *(text(cells[setting, px]) for px in sizes)) for setting in settings)
        for text in (_shares, _duo)
    )
    head = ("in the frame", *(f"{px} px" for px in sizes))
    count, name = part["cells"][0]["faces"], TITLES[part["split"]]
    return [
        Table(
            f"Faces in {WIDTH}x{HEIGHT} frames: found % / accuracy % / accuracy of found % / the "
            "same as thumbnails %",
            head,
            shares,
            f"{count} {name} faces a cell; one that is not found counts as wrong in the second "
            "figure. px: side of FER2013's picture, pasted; its tight framing makes it "
            "harder to detect than a head in a video. The last figure: the faces that were found, "
            "without frame and detector, under the same noise (H.264: clean).",
        ),
        Table("Noise kind right % / other boxes per 100 frames", head, kinds, "h264 N: crf N."),
    ]


def _shares(cell: Mapping[str, Any]) -> str:
    names = ("found", "accuracy", "accuracy_found", "accuracy_thumbnail")
    return " / ".join(percent(cell[name]) for name in names)


def _duo(cell: Mapping[str, Any]) -> str:
    return f"{percent(cell['kind_right'])} / {percent(cell['extra_boxes'])}"
