"""The network on PyTorch, maps written out, without autograd."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fervid.adcam import ExplainedNet
from fervid.checkpoint import load_model
from fervid.errors import BackendMissing, ModelLoadError
from fervid.records import ModelOutput


class TorchBackend:
    """Runs a .safetensors model; see `fervid.backends.Backend`. PyTorch's threads never spin."""

    def __init__(
        self, path: Path, device: str = "auto", threads: int = 0, spin: bool = False
    ) -> None:
        net, self.card = load_model(path)
        if device == "tensorrt":
            raise ModelLoadError(
                f"--device tensorrt runs .onnx models, not {path.name}; export it with "
                "`python -m export onnx`, or choose --device cuda."
            )
        if device == "cuda" and not torch.cuda.is_available():
            raise BackendMissing(
                "--device cuda needs a GPU by NVIDIA that PyTorch can use, and it sees none here; "
                "install its driver and a PyTorch for CUDA, or choose --device cpu.",
                "cuda",
            )
        use_cuda = device == "cuda" or (device == "auto" and torch.cuda.is_available())
        self.device = "cuda" if use_cuda else "cpu"
        if threads:
            torch.set_num_threads(threads)
        self._net = ExplainedNet(net).to(self.device)

    @torch.inference_mode()
    def run(
        self, images: NDArray[np.float32], eta: NDArray[np.float32], target: NDArray[np.int64]
    ) -> ModelOutput:
        """Run one batch; see `Backend.run`."""
        inputs = (torch.from_numpy(part).to(self.device) for part in (images, eta, target))
        logits, maps, cams = (out.cpu().numpy() for out in self._net(*inputs))
        return ModelOutput(logits, maps, cams)

    def close(self) -> None:
        """Nothing is held open."""
