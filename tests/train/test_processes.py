"""Two processes train one network, and only the first one validates, writes and speaks."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from fervid.errors import DataError
from train.fit import Session, fit
from train.recipe import Recipe, Stage

ROOT = Path(__file__).parents[2]
BLOCKS = (1, 1, 1, 1)
PLAN = Recipe(
    "pair",
    (
        Stage(passes=0.5, px=16, blocks=BLOCKS, adaptive=False, last_stride=2),
        Stage(passes=0.5, px=16, blocks=BLOCKS, last_stride=2),
    ),
    seed=5,
    batch=2,
    lr=0.01,
    precision="float32",
)


def data():
    rng = np.random.default_rng(0)

    def split(n):
        return rng.integers(0, 256, (n, 48, 48)).astype(np.uint8), rng.integers(0, 7, n)

    return {"train": split(16), "public": split(8), "private": split(4)}


def sit(folder):
    """One process's part: train, and leave what it ended with."""
    import logging

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s %(message)s")
    state, done = fit(PLAN, data(), Session(folder / "run", 60, 3600, 0, time.monotonic))
    rank = os.environ["RANK"]
    parameters = dict(state.net.named_parameters())
    torch.save({"done": done, "step": state.step, "net": parameters}, folder / f"rank{rank}.pt")


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path):
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(ROOT)
    ran = subprocess.run(
        [sys.executable, *launch, __file__, str(tmp_path)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    one, other = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert one["done"]
    assert other["done"]
    assert one["step"] == other["step"] == 4  # 16 pictures, 2 processes of 2: 2 steps a stage
    for name, tensor in one["net"].items():
        assert torch.equal(tensor, other["net"][name]), name
    assert ran.stderr.count("from step 0") == 1
    assert ran.stderr.count("step 4 of 4") == 1
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1
    with pytest.raises(DataError, match="by 2 processes and cannot go on with 1"):
        fit(PLAN, data(), Session(tmp_path / "run", 60, 3600, 0, time.monotonic))


if __name__ == "__main__":
    sit(Path(sys.argv[1]))
