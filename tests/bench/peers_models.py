"""The same network in other forms: without maps, without adaptive norms, explained by captum."""

import copy
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import numpy as np
import onnx
import onnxruntime as ort
import torch
from captum.attr import LayerGradCam
from onnx.utils import Extractor
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from export.graph import export_onnx
from export.quantize import _ranges
from export.sensitivity import quantized
from fervid.adcam import ExplainedNet
from fervid.backends.onnx_backend import session_options
from fervid.card import ModelCard
from fervid.network import AdaptiveNorm2d, ExpressionNet
from fervid.records import F32

Call = Callable[[], object]
WARM_UP = 2  # calls that are not timed
PLAIN_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def without_maps(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph cut down to the logits: onnxruntime itself prunes nothing by what is asked for."""
    return Extractor(model).extract_model(["images", "eta"], ["logits"])


def with_class_maps(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph cut down to logits and class maps, of which layer4's Grad-CAM is one above 0."""
    return Extractor(model).extract_model(["images", "eta"], ["logits", "maps"])


def exported(net: ExpressionNet, card: ModelCard) -> onnx.ModelProto:
    """The float32 graph of a network."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.onnx"
        export_onnx(net, card, path)
        return onnx.load(str(path))


class _Same(nn.Module):
    """In the place of a norm that was folded."""

    def forward(self, x: torch.Tensor, eta: torch.Tensor | None = None) -> torch.Tensor:
        return x


def plain(net: ExpressionNet) -> ExpressionNet:
    """A copy with plain norms for the adaptive ones, the stem's folded: the same at eta = 0.

    `ExplainedNet` folds the others. The standardisation of the light stays.
    """
    net = copy.deepcopy(net).eval()
    for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
        for block in layer:
            block.bn2 = _plain_norm(block.bn2)
    net.conv1 = fuse_conv_bn_eval(net.conv1, _plain_norm(net.bn1))
    net.bn1 = _Same()
    return net


def _plain_norm(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    if not isinstance(norm, AdaptiveNorm2d):
        return norm
    made = nn.BatchNorm2d(norm.num_features, eps=norm.eps)
    made.load_state_dict({name: norm.state_dict()[name] for name in PLAIN_NORM})
    return made.eval()


def convolutions(model: onnx.ModelProto) -> list[tuple[str, bool]]:
    """Name of every convolution in the order of the graph, and whether it runs in int8."""
    made_by = {output: node.op_type for node in model.graph.node for output in node.output}
    return [
        (node.name, made_by.get(node.input[0]) == "DequantizeLinear")
        for node in model.graph.node
        if node.op_type == "Conv"
    ]


def quantized_like(
    shipped: onnx.ModelProto, net: ExpressionNet, card: ModelCard, images: F32, eta: F32
) -> onnx.ModelProto:
    """The int8 graph of a network with the same convolutions in float32 as another graph.

    Args:
        shipped: the other int8 graph.
        net: a network with as many convolutions.
        card: its card.
        images: float32 (N, 3, S, S), to calibrate with: what scales come out does not matter to
            how long it takes.
        eta: float32 (N,).
    """
    with tempfile.TemporaryDirectory() as folder:
        plain_file, prepared = Path(folder) / "float.onnx", Path(folder) / "prepared.onnx"
        export_onnx(net, card, plain_file)
        quant_pre_process(str(plain_file), str(prepared), skip_symbolic_shape=True)
        network, ranges = onnx.load(str(prepared)), _ranges(prepared, images, eta)
    here, there = convolutions(network), convolutions(shipped)
    if len(here) != len(there):
        raise ValueError(f"{len(here)} convolutions here, {len(there)} there")
    floats = [name for (name, _), (_, is_int8) in zip(here, there, strict=True) if not is_int8]
    return quantized(network, ranges, floats)


def onnx_call(model: onnx.ModelProto, images: F32, eta: F32, threads: int = 0) -> Call:
    """Runs a graph on these inputs, all its outputs."""
    session = ort.InferenceSession(
        model.SerializeToString(), session_options(threads), providers=["CPUExecutionProvider"]
    )
    feeds = {"images": images, "eta": eta, "target": np.full(len(eta), -1, np.int64)}
    wanted = {node.name for node in session.get_inputs()}
    feeds = {name: feed for name, feed in feeds.items() if name in wanted}
    return lambda: session.run(None, feeds)


def torch_call(net: ExpressionNet, images: F32, eta: F32) -> Call:
    """Ours in torch, float32: logits and four maps, written out."""
    explained = ExplainedNet(net)
    inputs = (torch.from_numpy(images), torch.from_numpy(eta), torch.full((len(eta),), -1))

    def call() -> object:
        with torch.inference_mode():
            return explained(*inputs)

    return call


def captum_call(net: ExpressionNet, images: F32, eta: F32, layers: list[nn.Module]) -> Call:
    """captum's Grad-CAM of the most probable class, float32, for each of some layers.

    The class is known beforehand, so a forward and a backward pass a layer are all it does.
    """
    x, noise = torch.from_numpy(images), torch.from_numpy(eta)

    def forward(images: torch.Tensor) -> torch.Tensor:
        return net(images, noise)[0]

    with torch.no_grad():
        target = forward(x).argmax(1)
    cams = [LayerGradCam(forward, layer) for layer in layers]
    return lambda: [cam.attribute(x, target, relu_attributions=True).detach() for cam in cams]


def in_turns(calls: Mapping[str, Call], rounds: int, repeats: int, clock: Callable[[], float]):
    """Milliseconds of each call: the median of `repeats` in a row, in each round.

    In a row, after two that are not timed, since a library's idle threads spin for a while and
    would slow down whoever comes next; every second round goes backwards.

    Returns:
        By name, a list of `rounds`.
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds):
        for name in reversed(calls) if number % 2 else calls:
            took = []
            for turn in range(WARM_UP + repeats):
                began = clock()
                calls[name]()
                if turn >= WARM_UP:
                    took.append(1000 * (clock() - began))
            found[name].append(median(took))
    return found


def ratio(found: Mapping[str, list[float]], over: str, under: str) -> float:
    """The median over rounds of how much longer one takes than another."""
    return median(a / b for a, b in zip(found[over], found[under], strict=True))
