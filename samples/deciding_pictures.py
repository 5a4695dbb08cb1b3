"""Draw how fervid decides: one face under five kinds of picture, step by step, as docs/deciding.md.

    python samples/deciding_pictures.py samples/noisy_portrait.mp4 docs/deciding.jpg

A row is a moment of the clip: the face as it came, the noise that was measured and the filter that
was chosen, what the network saw, its probabilities, and the heatmap over the face.
"""

import argparse

import cv2
import numpy as np

import fervid

MOMENTS_S = (1.4, 3.4, 6.0, 9.0, 11.8)  # clean, Gaussian, salt-and-pepper, speckle, dark
SIDE, WIDE, MARGIN = 190, 250, 8
INK, PAPER, BAR = (40, 40, 40), (255, 255, 255), (150, 140, 60)
HEADS = ("as it came", "noise and filter", "what the network sees", "probabilities", "heatmap")


def cut(bgr, box):
    """The part of a picture in a box, SIDE px; beyond its border it is repeated."""
    x0, y0, x1, y1 = (round(float(v)) for v in box)
    padded = cv2.copyMakeBorder(bgr, SIDE, SIDE, SIDE, SIDE, cv2.BORDER_REPLICATE)
    part = padded[y0 + SIDE : y1 + SIDE, x0 + SIDE : x1 + SIDE]
    return cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def lines(texts, width):
    """A field with lines of text."""
    field = np.full((SIDE, width, 3), PAPER, np.uint8)
    for n, text in enumerate(texts):
        place = (6, 24 + 22 * n)
        cv2.putText(field, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, INK, 1, cv2.LINE_AA)
    return field


def bars(classes, shares):
    """A field with a bar for each class."""
    field = lines(classes, WIDE)
    for n, share in enumerate(shares):
        y, length = 11 + 22 * n, round(130 * float(share))
        cv2.rectangle(field, (92, y), (92 + length, y + 14), BAR, -1)
        place = (98 + length, y + 12)
        cv2.putText(field, f"{share:.2f}", place, cv2.FONT_HERSHEY_SIMPLEX, 0.4, INK, 1)
    return field


def row(frame, result):
    """One moment, from left to right."""
    noise = result.noise
    kinds = zip(("Gaussian", "salt-pepper", "speckle"), noise.levels, strict=True)
    said = [f"noise: {noise.kind}", *(f"  {name} {level:.3f}" for name, level in kinds)]
    said += [f"filter: {result.filter_name}", f"left, eta: {result.eta[0]:.3f}"]
    seen = cv2.resize(result.crops[0], (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    face = cut(frame.bgr, result.crop_boxes[0])
    heat = cv2.resize(result.heatmaps[0], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    colour = cv2.applyColorMap((255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)
    share = 0.65 * heat[..., None] ** 1.5
    shown = (face * (1 - share) + colour * share).astype(np.uint8)
    fields = (
        face,
        lines(said, WIDE),
        cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR),
        bars(result.classes, result.probabilities[0]),
        shown,
    )
    return beside(fields)


def beside(fields):
    """Fields in a row, with margins."""
    gap = np.full((fields[0].shape[0], MARGIN, 3), PAPER, np.uint8)
    return np.hstack([part for field in fields for part in (gap, field)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip")
    parser.add_argument("out")
    args = parser.parse_args()
    moments = list(MOMENTS_S)
    widths = (SIDE, WIDE, SIDE, WIDE, SIDE)
    heads = [lines([text], w)[:34] for text, w in zip(HEADS, widths, strict=True)]
    rows = [beside(heads)]
    with fervid.Pipeline() as pipeline:
        for frame, result in pipeline.frames(args.clip):
            if moments and frame.time_s >= moments[0] and len(result.faces):
                moments.pop(0)
                rows += [row(frame, result), np.full((MARGIN, rows[0].shape[1], 3), 255, np.uint8)]
    cv2.imwrite(args.out, np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
