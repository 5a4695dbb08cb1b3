"""Where the network runs: what is asked for and absent is said, and nothing else is taken."""

import os

import numpy as np
import onnxruntime as ort
import pytest

from fervid.backends import onnx_backend, open_backend, providers
from fervid.backends.onnx_backend import OUTPUTS, run_bound, session_options
from fervid.errors import BackendMissing, ModelLoadError
from tests.places import DEFAULT_MODEL

no_gpu = pytest.mark.skipif(os.path.exists("/dev/nvidiactl"), reason="here is a GPU")  # noqa: PTH110


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_does_not_start_is_said_with_its_reason_and_the_way_out(device, capfd):
    if providers.PROVIDERS[device][0] not in providers.providers():
        pytest.skip(f"this ONNX Runtime was built without {device}")
    with pytest.raises(BackendMissing, match=rf"--device {device} does not start here \(lib.*\)"):
        open_backend(None, device)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")  # ONNX Runtime's own lines would only repeat it


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_device_that_is_not_installed_is_said(monkeypatch, device):
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(BackendMissing, match=r"not installed here; pip install 'fervid\[cuda\]'"):
        open_backend(None, device)


def test_the_backend_says_where_it_runs():
    backend = open_backend(None, "auto", 1)
    assert backend.device == "cpu"
    backend.close()


@pytest.mark.parametrize(
    ("precision", "gpu", "there", "problem", "device"),
    [
        ("float32", True, True, "", "cuda"),
        ("float16", True, True, "", "cuda"),
        ("int8", True, True, "", "cpu"),
        ("float32", False, True, "", "cpu"),
        ("float32", True, False, "", "cpu"),
        ("float32", True, True, "driver too old", "cpu"),
    ],
)
def test_automatic(monkeypatch, caplog, precision, gpu, there, problem, device):
    monkeypatch.setattr(providers, "gpu_present", lambda: gpu)
    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(providers, "providers", lambda: names if there else names[1:])
    monkeypatch.setattr(providers, "start_problem", lambda _: problem)
    assert providers.automatic(precision) == device
    assert (problem in caplog.text) if problem else not caplog.text  # a GPU that fails is said


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_session_asks_for_its_provider_first(monkeypatch, device):
    """What a machine with a GPU would do, with ONNX Runtime's session replaced."""
    asked, bound = [], []

    class Session(ort.InferenceSession):
        def __init__(self, data, options, providers, **_):
            asked.append(providers)
            self.first = providers[0] if isinstance(providers[0], str) else providers[0][0]
            super().__init__(data, options, providers=["CPUExecutionProvider"])

        def get_providers(self):
            return [self.first]

    def noted(session, feeds, memory):
        bound.append(memory)
        return run_bound(session, feeds, "cpu")

    names = [*providers.PROVIDERS["tensorrt"], "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: names)
    monkeypatch.setattr(ort, "InferenceSession", Session)
    monkeypatch.setattr(onnx_backend, "run_bound", noted)
    backend = open_backend(None, device, 1)
    backend.close()
    assert (backend.device, set(bound)) == (device, {"cuda"})
    first = asked[-1][0]
    if device == "cuda":
        assert first == "CUDAExecutionProvider"
    else:
        name, options = first
        assert name == "TensorrtExecutionProvider"
        assert options["trt_profile_max_shapes"] == "images:64x3x48x48,eta:64,target:64"
        assert asked[-1][1] == "CUDAExecutionProvider"  # for what TensorRT cannot do


def test_bound_inputs_and_outputs_change_nothing():
    session = ort.InferenceSession(
        DEFAULT_MODEL.read_bytes(), session_options(1), providers=["CPUExecutionProvider"]
    )
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, 48, 3, 48)).astype(np.float32).transpose(0, 2, 1, 3)
    feeds = {
        "images": images,  # not contiguous
        "eta": np.array([0, 0.1, 0.2], np.float32),
        "target": np.full(3, -1),
    }
    plain, bound = session.run(OUTPUTS, feeds), run_bound(session, feeds, "cpu")
    assert all(np.array_equal(a, b) for a, b in zip(plain, bound, strict=True))


def test_torch_says_what_it_lacks(tmp_path):
    torch = pytest.importorskip("torch")
    from tests.contracts.test_backends import torch_backend

    torch_backend(tmp_path).close()
    with pytest.raises(ModelLoadError, match=r"runs \.onnx models, not m\.safetensors"):
        open_backend(tmp_path / "m.safetensors", "tensorrt")
    if not torch.cuda.is_available():
        with pytest.raises(BackendMissing, match="--device cuda needs a GPU by NVIDIA"):
            open_backend(tmp_path / "m.safetensors", "cuda")
