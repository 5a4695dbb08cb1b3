"""What lies in the folder of a mistake: small files, made once and copied."""

import functools
import json
import shutil
import tempfile
import zipfile
from pathlib import Path

import av
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fervid.card import CARD_KEY, ModelCard
from tests.clips import clip, cut, sound_only
from tests.places import DEFAULT_MODEL, SAMPLE

CLASSES = ("calm", "tense", "other")
PX = 48


def lay(folder: Path, *names: str) -> None:
    """Put things into a folder; "thing as name" gives it another name."""
    for wanted in names:
        thing, _, name = wanted.partition(" as ")
        place = folder / (name or thing)
        place.parent.mkdir(parents=True, exist_ok=True)
        if thing.endswith("/"):
            place.mkdir()
        else:
            shutil.copyfile(_made(thing), place)


@functools.cache
def _shelf() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="fervid-mistakes-")


@functools.cache
def _made(thing: str) -> Path:
    path = Path(_shelf().name) / thing
    MAKERS[thing](path)
    return path


def portrait(path: Path) -> None:
    """Write five pictures of a face in Gaussian noise."""
    with av.open(str(SAMPLE)) as file:
        pictures = [f.to_ndarray(format="bgr24") for f in file.decode(video=0)][65:70]
    clip(path, pictures=pictures, size=(480, 270), options={"crf": "18"})


def unknown_codec(path: Path) -> None:
    """Write a video whose codec nobody knows."""
    path.write_bytes(clip(path).read_bytes().replace(b"avc1", b"zzzz"))


def model(path: Path, *, classes=CLASSES, outputs=0, rename=None, **card) -> None:
    """Write a tiny network of random weights that runs as fervid's own does.

    Args:
        path: the file.
        classes: of the card.
        outputs: how many the network has, if not one a class.
        rename: a new name for the output `cams`.
        card: fields of the card that are others; card=None leaves it out.
    """
    k, cams = outputs or len(classes), rename or "cams"
    rng = np.random.default_rng(0)

    def weights(name, n):
        return numpy_helper.from_array(rng.normal(0, 0.05, (n, 3, 8, 8)).astype("float32"), name)

    nodes = [
        helper.make_node("Conv", ["images", "w"], ["maps"], strides=[8, 8]),
        helper.make_node("ReduceMean", ["maps"], ["logits"], axes=[2, 3], keepdims=0),
        helper.make_node("Conv", ["images", "v"], ["raw"], strides=[8, 8]),
        helper.make_node("Relu", ["raw"], [cams]),
    ]
    kind, cells = TensorProto.FLOAT, PX // 8
    inputs = {"images": (kind, ["n", 3, PX, PX]), "eta": (kind, ["n"])}
    inputs["target"] = (TensorProto.INT64, ["n"])
    results = {"logits": ["n", k], "maps": ["n", k, cells, cells], cams: ["n", 4, cells, cells]}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, *about) for name, about in inputs.items()],
        [helper.make_tensor_value_info(name, kind, shape) for name, shape in results.items()],
        [weights("w", k), weights("v", 4)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if "card" not in card:
        fields = json.loads(ModelCard(name="tiny", classes=classes, input_px=PX).to_json()) | card
        made.metadata_props.add(key=CARD_KEY, value=json.dumps(fields))
    onnx.save(made, str(path))


def zipped(path: Path) -> None:
    """Write an archive with a video and a letter."""
    with zipfile.ZipFile(path, "w") as archive:
        for thing, name in (("clip.mp4", "clip.mp4"), ("letter.txt", "letter.mp4")):
            archive.write(_made(thing), name)


def _text(content: str | bytes):
    data = content.encode() if isinstance(content, str) else content
    return lambda path: path.write_bytes(data)


MAKERS = {
    "clip.mp4": lambda path: clip(path, size=(160, 120)),
    "clips.zip": zipped,
    "portrait.mp4": portrait,
    "long.mp4": lambda path: clip(
        path, frames=20, size=(160, 120), layout={"movflags": "faststart"}
    ),
    "cut.mp4": lambda path: cut(clip(path), 0.3),
    "cut-later.mp4": lambda path: cut(
        clip(path, frames=20, size=(160, 120), layout={"movflags": "faststart"}), 0.7
    ),
    "tiny.mp4": lambda path: clip(path, size=(8, 8)),
    "sound.m4a": sound_only,
    "codec.mp4": unknown_codec,
    "letter.txt": _text("Dear Sir or Madam,\n" * 50),
    "empty": _text(""),
    "damaged.png": _text(b"\x89PNG\r\n\x1a\n" + bytes(100)),
    "rows.csv": _text("name,age\nAda,36\n"),
    "tiny.onnx": model,
    "seven.onnx": lambda path: model(path, outputs=7),
    "no-card.onnx": lambda path: model(path, card=None),
    "bright.onnx": lambda path: model(path, mean="bright"),
    "list.onnx": lambda path: model(path, filters=["median"]),
    "old.onnx": lambda path: model(path, version=0),
    "large.onnx": lambda path: model(path, input_px=2 * PX),
    "named.onnx": lambda path: model(path, rename="heat"),
    "half.onnx": lambda path: path.write_bytes(DEFAULT_MODEL.read_bytes()[:1_000_000]),
}
