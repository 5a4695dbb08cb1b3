"""fervid beside its peers, on one clip in one run: `python -m tests.bench.peers CLIP`.

    rates    the package `fer`, analysis only, against fervid with everything written (needs
             --fer-python, the interpreter of an environment that has fer)
    maps     captum's Grad-CAM on the same network against the maps in the graph; the int8 graph
             with and without its maps
    norms    the shipped int8 network against a plain, folded one in the same int8

Parts take turns in rounds; ratios are medians over the rounds.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import onnx
from rich.console import Console
from rich.table import Table

from fervid.backends import model_file
from fervid.bench.machine import describe
from fervid.bench.material import Material, Size, prepare
from fervid.bench.measure import bare, recording
from fervid.checkpoint import load_model
from fervid.crops import normalise, prepare_thumbnail
from fervid.errors import FervidError
from fervid.filters import no_filter
from fervid.records import CAM_NAMES, F32
from tests.bench.peers_fer import Fer
from tests.bench.peers_models import (
    captum_call,
    exported,
    in_turns,
    onnx_call,
    plain,
    quantized_like,
    ratio,
    torch_call,
    with_class_maps,
    without_maps,
)

PARTS = ("rates", "maps", "norms")
WEIGHTS = Path(__file__).parents[2] / "fervid" / "models" / "fervid.safetensors"
ETA = 0.1  # of the crops, so that adaptive norms have something to do
REPEATS = 20


def rates(material: Material, fer_python: Path, rounds: int) -> dict[str, object]:
    """Frames a second, in turns."""
    found: dict[str, list[float]] = {"limit": [], "fervid": [], "fervid_written": [], "fer": []}
    faces = {}
    with Fer(fer_python, material.clip) as fer:
        fer.analyse()  # its model is warm then, as ours is
        for _ in range(rounds):
            made = {
                "limit": bare(material, material.backend, material.size.frames).values,
                "fervid": recording(material.clip, material.backend).values,
                "fervid_written": recording(
                    material.clip, material.backend, out=material.new_folder()
                ).values,
                "fer": fer.analyse(),
            }
            for name, values in made.items():
                found[name].append(values["fps"])
                faces[name] = values["faces"]
    return {
        "fps": {name: median(values) for name, values in found.items()},
        "faces": faces,
        "rounds_fps": found,
        "written_over_fer": ratio(found, "fervid_written", "fer"),
        "analysis_over_fer": ratio(found, "fervid", "fer"),
        "written_over_limit": ratio(found, "fervid_written", "limit"),
    }


def crops(material: Material, count: int) -> tuple[F32, F32]:
    """Faces of the clip as the network sees them, and their eta."""
    card = material.backend.card
    heads = [cv2.cvtColor(head, cv2.COLOR_BGR2GRAY) for head in material.heads[:count]]
    seen = [prepare_thumbnail(head, card, no_filter, 0) for head in heads]
    return normalise(np.stack(seen), card), np.full(len(seen), ETA, np.float32)


def maps(material: Material, weights: Path, rounds: int) -> dict[str, object]:
    """How long maps take: ours in the graph, ours in torch, captum's.

    captum's map of layer4 needs no gradient beyond the head; the graph's class maps hold it. Both
    layers' maps stand against all four of ours.
    """
    images, eta = crops(material, 1)
    net, card = load_model(weights)
    with model_file() as path:
        int8 = onnx.load(str(path))
    float32 = exported(net, card)
    calls = {
        "int8, four maps": onnx_call(int8, images, eta),
        "int8, class maps": onnx_call(with_class_maps(int8), images, eta),
        "int8, logits alone": onnx_call(without_maps(int8), images, eta),
        "onnx float32, four maps": onnx_call(float32, images, eta),
        "onnx float32, class maps": onnx_call(with_class_maps(float32), images, eta),
        "torch float32, four maps": torch_call(net, images, eta),
        "captum float32, layer4": captum_call(net, images, eta, [net.layer4[-1]]),
        "captum float32, layer3 and layer4": captum_call(
            net, images, eta, [net.layer3[-1], net.layer4[-1]]
        ),
    }
    own = calls["torch float32, four maps"]()[2][0, CAM_NAMES.index("gradcam")].numpy()
    theirs = calls["captum float32, layer4"]()[0].numpy()
    found = in_turns(calls, rounds, REPEATS, time.perf_counter)
    one, both = "captum float32, layer4", "captum float32, layer3 and layer4"
    return {
        "ms": {name: median(values) for name, values in found.items()},
        "same_map_correlation": float(np.corrcoef(own.ravel(), theirs.ravel())[0, 1]),
        "maps_on_over_off": ratio(found, "int8, four maps", "int8, logits alone"),
        "captum_layer4_over_onnx_float32": ratio(found, one, "onnx float32, class maps"),
        "captum_layer4_over_int8": ratio(found, one, "int8, class maps"),
        "captum_both_over_onnx_float32": ratio(found, both, "onnx float32, four maps"),
        "captum_both_over_torch": ratio(found, both, "torch float32, four maps"),
        "captum_both_over_int8": ratio(found, both, "int8, four maps"),
    }


def norms(material: Material, weights: Path, rounds: int) -> dict[str, object]:
    """How long adaptive norms take: the shipped file against a plain network in the same int8."""
    images, eta = crops(material, 32)
    net, card = load_model(weights)
    with model_file() as path:
        shipped = onnx.load(str(path))
    other = quantized_like(shipped, plain(net), card, images, eta)
    calls = {
        "shipped, with maps": onnx_call(shipped, images[:1], eta[:1]),
        "plain, with maps": onnx_call(other, images[:1], eta[:1]),
        "shipped, logits alone": onnx_call(without_maps(shipped), images[:1], eta[:1]),
        "plain, logits alone": onnx_call(without_maps(other), images[:1], eta[:1]),
    }
    found = in_turns(calls, rounds, REPEATS, time.perf_counter)
    return {
        "ms": {name: median(values) for name, values in found.items()},
        "adaptive_over_plain": ratio(found, "shipped, with maps", "plain, with maps"),
        "adaptive_over_plain_logits": ratio(found, "shipped, logits alone", "plain, logits alone"),
    }


def show(results: dict) -> None:
    """Print all figures."""
    table = Table("part", "figure", "", title=f"{results['clip']}, {results['rounds']} rounds")
    for part in PARTS:
        for name, value in results.get(part, {}).items():
            if isinstance(value, float):
                table.add_row(part, name, f"{value:.3g}")
            elif name in ("ms", "fps"):
                for what, figure in value.items():
                    table.add_row(part, f"{what}, {name}", f"{figure:.2f}")
    Console().print(table)


def main() -> int:
    """Measure and print; exit code 1 with a sentence where something is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path, nargs="?", help="by default a drawn one")
    parser.add_argument("--fer-python", type=Path, help="for the part `rates`")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="the shipped .safetensors")
    parser.add_argument("--only", choices=PARTS, action="append", help="parts; by default all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=300, help="of the clip in each round")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    wanted = options.only or [p for p in PARTS if p != "rates" or options.fer_python]
    results = {"machine": describe(), "rounds": options.rounds}
    try:
        with prepare(options.clip, [], Size(options.frames, 2, 1.0)) as material:
            results["clip"] = material.label
            if "rates" in wanted:
                python = options.fer_python or Path(sys.executable)
                results["rates"] = rates(material, python, options.rounds)
            if "maps" in wanted:
                results["maps"] = maps(material, options.weights, options.rounds)
            if "norms" in wanted:
                results["norms"] = norms(material, options.weights, options.rounds)
    except FervidError as error:
        sys.stderr.write(f"peers: {error}\n")
        return 1
    show(results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
