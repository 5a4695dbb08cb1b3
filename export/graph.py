"""The network with its maps as an ONNX graph: free batch size, card in the metadata."""

import logging
import os
import warnings
from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from fervid.adcam import ExplainedNet
from fervid.card import CARD_KEY, ModelCard
from fervid.errors import ExportError
from fervid.network import ExpressionNet
from fervid.onnx_file import contents

INPUTS = ["images", "eta", "target"]
OUTPUTS = ["logits", "maps", "cams"]
OPSET = 20


def export_onnx(net: ExpressionNet, card: ModelCard, path: Path) -> None:
    """Write the float32 graph after the network contract.

    Args:
        net: the network.
        card: describes it; its precision becomes "float32".
        path: the .onnx file to write.

    Raises:
        ExportError: the file cannot be written.
    """
    px = card.input_px
    example = (torch.randn(2, 3, px, px), torch.tensor([0.0, 0.1]), torch.tensor([-1, 1]))
    batch = torch.export.Dim("n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own deprecated parts
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            ExplainedNet(net),
            example,
            dynamo=True,
            input_names=INPUTS,
            output_names=OUTPUTS,
            dynamic_shapes=({0: batch}, {0: batch}, {0: batch}),
            opset_version=OPSET,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    model = program.model_proto
    write(model, card.replace(precision="float32"), path)


def write(model: onnx.ModelProto, card: ModelCard, path: Path) -> None:
    """Put the card into a graph, check it and write it.

    Raises:
        ExportError: the file cannot be written.
    """
    del model.metadata_props[:]
    for node in model.graph.node:  # the exporter's traces name the paths of its machine
        del node.metadata_props[:]
        node.doc_string = ""
    digest = contents(model.SerializeToString(), str(path)).graph_sha256
    card = card.replace(content_sha256=digest)
    model.metadata_props.add(key=CARD_KEY, value=card.to_json())
    onnx.checker.check_model(model)
    try:
        onnx.save(model, str(path))
    except OSError as error:
        raise ExportError(f"{path} cannot be written ({error}); name another file.") from error


def check_writable(path: Path) -> None:
    """See before the work starts that its result has a place.

    Raises:
        ExportError: the folder does not exist or is closed to us, or the file is a folder.
    """
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ExportError(f"{path} cannot be written; name a file in a folder that is there.")


def read(path: Path) -> onnx.ModelProto:
    """An ONNX file.

    Raises:
        ExportError: it is missing, or no ONNX model.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (OSError, DecodeError) as error:
        raise ExportError(
            f"{path} cannot be read as an ONNX model ({error}); make one with "
            "`python -m export onnx`."
        ) from error
    if not model.graph.node:  # an empty file is a valid message
        raise ExportError(f"{path} holds no graph; make one with `python -m export onnx`.")
    return model


def read_card(path: Path) -> ModelCard:
    """The card of an ONNX file.

    Raises:
        ExportError: the file is missing, or no ONNX model.
        CardError: it has no card.
    """
    model = read(path)
    text = {entry.key: entry.value for entry in model.metadata_props}.get(CARD_KEY, "")
    return ModelCard.from_json(text, str(path))
