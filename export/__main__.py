"""`python -m export onnx | half | quantize | verify`: from weights to the file that fervid runs."""

import sys
from pathlib import Path

from cyclopts import App
from rich.console import Console
from rich.table import Table

from fervid.backends import open_backend
from fervid.errors import ConfigError, FervidError

app = App(
    name="python -m export",
    help="Convert fervid's network and check the result; needs a source checkout.",
    result_action="return_value",
)


@app.command
def onnx(model: Path, out: Path) -> None:
    """Write the float32 ONNX graph: logits, class maps and the four heatmaps.

    Args:
        model: a .safetensors file with a card.
        out: the .onnx file to write.
    """
    from export.graph import check_writable, export_onnx
    from fervid.card import sha256
    from fervid.checkpoint import load_model

    check_writable(out)
    net, card = load_model(model)
    export_onnx(net, card.replace(weights_sha256=sha256(model)), out)
    _say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


@app.command
def half(model: Path, out: Path) -> None:
    """Write the float16 form, for GPUs; int8 is the faster one on a CPU.

    Args:
        model: a float32 .onnx file with a card.
        out: the .onnx file to write.
    """
    from export.graph import check_writable
    from export.half import halve

    check_writable(out)
    halve(model, out)
    _say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


@app.command
def quantize(
    model: Path, out: Path, *, data: Path, images: int | None = None, reduced_range: bool = False
) -> None:
    """Write the int8 form, calibrated on training images.

    Args:
        model: a float32 .onnx file with a card.
        out: the .onnx file to write.
        data: FER2013 (the zip, the unpacked folder or the CSV), or one's own faces,
            FOLDER/CLASS/*.png.
        images: how many calibrate, half of them with noise; 512 or, of fewer, all by default.
        reduced_range: weights of 7 bits, for other programs on processors without VNNI.
    """
    from export.graph import check_writable, read_card
    from export.pictures import calibration
    from export.quantize import quantize as run

    check_writable(out)
    seen, eta, _ = calibration(data, read_card(model), images)
    kept = run(model, out, seen, eta, reduced=reduced_range)
    _say(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {len(kept)} convolutions in float32")


@app.command
def verify(
    model: Path, exported: Path, *, data: Path, limit: int | None = None, threads: int = 0
) -> None:
    """Compare an exported model with torch on PublicTest, and fail if it differs too much.

    Each picture is looked at twice: clean, and with one of the paper's nine noises, filtered.

    Args:
        model: the .safetensors file.
        exported: the .onnx file made from it.
        data: FER2013 (the zip, the unpacked folder or the CSV), or one's own faces,
            FOLDER/CLASS/*.png.
        limit: use only the first so many images of each kind.
        threads: threads of both; 0 leaves the choice to the libraries.
    """
    from export.parity import Kind, Parity, check_comparable, compare, enforce, outputs, time_ms
    from export.pictures import noisy_validation, validation

    reference, other = open_backend(model, "cpu", threads), open_backend(exported, "cpu", threads)
    check_comparable(reference.card, other.card)
    found: dict[Kind, Parity] = {}
    seen, eta, labels = validation(data, reference.card, limit)
    found["clean"] = compare(outputs(reference, seen, eta), outputs(other, seen, eta), labels)
    seen, eta, labels = noisy_validation(data, reference.card, limit)
    found["noisy"] = compare(outputs(reference, seen, eta), outputs(other, seen, eta), labels)
    title = f"{exported.name} against {model.name}, {len(labels)} images"
    table = Table("", *found, title=title)
    for rows in zip(*(parity.rows() for parity in found.values()), strict=True):
        table.add_row(rows[0][0], *(value for _, value in rows))
    for path in (model, exported):
        one, four = time_ms(path, (1, 4), threads)
        table.add_row(f"ms a face, {path.name}, batch 1 / 4", f"{one:.1f} / {four:.1f}")
    Console().print(table)
    for kind, parity in found.items():
        enforce(parity, other.card.precision, kind)


def _say(text: str) -> None:
    Console(stderr=True, highlight=False).print(text, markup=False, soft_wrap=True)


def main() -> int:
    """Run the command line; exit codes as fervid's."""
    try:
        app(sys.argv[1:])
    except ConfigError as error:
        _say(f"export: {error}")
        return 2
    except FervidError as error:
        _say(f"export: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
