import sys

import numpy as np
import onnx
import pytest
import torch

from fervid.backends import model_file
from fervid.errors import LibraryMissing
from fervid.network import ExpressionNet
from fervid.records import CAM_NAMES
from tests.bench.peers_fer import Fer
from tests.bench.peers_models import (
    captum_call,
    convolutions,
    in_turns,
    onnx_call,
    plain,
    ratio,
    torch_call,
    with_class_maps,
    without_maps,
)
from tests.clips import clip


def small_net(seed=0):
    """A network with norms that are not trivial."""
    torch.manual_seed(seed)
    net = ExpressionNet(blocks=(1, 1, 1, 1)).eval()
    for name, value in [*net.named_parameters(), *net.named_buffers()]:
        if "bn" in name and value.is_floating_point() and "eta" not in name:
            value.data.uniform_(0.5, 1.5)
    return net


def inputs(n=2, px=48, eta=0.0):
    images = np.random.default_rng(0).normal(size=(n, 3, px, px)).astype(np.float32)
    return images, np.full(n, eta, np.float32)


def test_turns_are_taken_in_rounds_and_medians_by_round():
    now, order = [0.0], []

    def call(name, seconds):
        def run():
            order.append(name)
            now[0] += seconds

        return run

    calls = {"a": call("a", 0.002), "b": call("b", 0.001)}
    found = in_turns(calls, rounds=2, repeats=2, clock=lambda: now[0])
    assert order == [*"aaaa", *"bbbb", *"bbbb", *"aaaa"]  # two of each four warm up
    np.testing.assert_allclose(found["a"], [2, 2])
    assert ratio(found, "a", "b") == pytest.approx(2)


def test_the_graph_without_maps_says_the_same_with_less():
    with model_file() as path:
        whole = onnx.load(str(path))
    cut = without_maps(whole)
    assert [output.name for output in cut.graph.output] == ["logits"]
    assert len(cut.graph.node) < len(whole.graph.node)
    images, eta = inputs(eta=0.1)
    (alone,) = onnx_call(cut, images, eta)()
    np.testing.assert_allclose(alone, onnx_call(whole, images, eta)()[0], atol=1e-5)


def test_class_maps_hold_the_grad_cam_of_layer4():
    with model_file() as path:
        whole = onnx.load(str(path))
    images, eta = inputs(eta=0.1)
    logits, class_maps = onnx_call(with_class_maps(whole), images, eta)()
    cams = onnx_call(whole, images, eta)()[2][:, CAM_NAMES.index("gradcam")]
    own = class_maps[np.arange(len(logits)), logits.argmax(1)].clip(0)
    np.testing.assert_allclose(own / 36, cams, atol=1e-5)


def test_some_convolutions_of_the_shipped_graph_are_int8_and_some_are_not():
    with model_file() as path:
        found = convolutions(onnx.load(str(path)))
    assert 0 < sum(is_int8 for _, is_int8 in found) < len(found)


def test_the_plain_network_is_the_adaptive_one_at_eta_0():
    net = small_net()
    images, eta = (torch.from_numpy(part) for part in inputs())
    with torch.no_grad():
        there = net(images, eta)[0]
        here = plain(net)(images, eta)[0]
        noisy = net(images, eta + 0.2)[0]
        assert torch.allclose(plain(net)(images, eta + 0.2)[0], there, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(here, there, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(noisy, there, rtol=1e-2)


def test_captum_gives_the_map_that_ours_is_compared_with():
    net = small_net()
    images, eta = inputs(eta=0.1)
    (theirs,) = captum_call(net, images, eta, [net.layer4[-1]])()
    ours = torch_call(net, images, eta)()[2][:, CAM_NAMES.index("gradcam")]
    assert theirs.max() > 0
    np.testing.assert_allclose(ours, theirs[:, 0], rtol=1e-3, atol=1e-5 * float(theirs.max()))


FAKE = """
class FER:
    def detect_emotions(self, bgr):
        print("libraries talk")
        return [{"box": (0, 0, 9, 9)}] if bgr.mean() > 100 else []
"""


@pytest.fixture
def fake_fer(tmp_path, monkeypatch):
    """A package of the name, of the version that is wanted, on the path of child processes."""
    package = tmp_path / "site" / "fer"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '25.10.3'\n")
    (package / "fer.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return package


def test_fer_is_asked_in_a_process_of_its_own(fake_fer, tmp_path):
    made = clip(tmp_path / "a.mp4", frames=16)  # pictures from the ninth on are lighter than 100
    with Fer(sys.executable, made) as fer:
        first, second = fer.analyse(), fer.analyse()
    assert first["faces"] == second["faces"] == pytest.approx(8 / 16, abs=0.07)
    assert first["fps"] > 0


def test_where_fer_is_missing_the_way_to_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LibraryMissing, match=r"No module named 'fer'.*pip install --no-deps fer=="):
        Fer(sys.executable, tmp_path / "a.mp4")
    with pytest.raises(LibraryMissing, match="does not start"):
        Fer(tmp_path / "no-python", tmp_path / "a.mp4")


def test_another_version_of_fer_is_refused(fake_fer, tmp_path):
    (fake_fer / "__init__.py").write_text("__version__ = '22.5.0'\n")
    with pytest.raises(LibraryMissing, match=r"it is version 22\.5\.0"):
        Fer(sys.executable, tmp_path / "a.mp4")
