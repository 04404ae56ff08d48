"""The losses of a few tiny runs, which a refactor must reproduce bit for bit.

After a change that is meant to change them: ``python -m tests.golden.test_losses`` writes the file anew.
"""

import json
import platform
import tempfile
from pathlib import Path

import pytest
import torch

from hpsearch.base.types import TrialId, TrialSpec
from hpsearch.config.compose import compose
from hpsearch.trial.build import execute
from tests.support.jobs import curve, drive

FILE = Path(__file__).with_name("losses.json")

SMALL = ("data=digits", "data.train_size=120", "data.batch_size=32", "trainer.epochs=2", "trainer.device=cpu")
RUNS = {
    "softmax_sgd": ("model=softmax", "optimizer=sgd", "optimizer.lr=0.1"),
    "mlp_momentum_cosine_warmup": (
        "model=mlp",
        "model.hidden=[16]",
        "optimizer=momentum",
        "optimizer.lr=0.1",
        "scheduler=cosine",
        "scheduler.warmup_steps=2",
    ),
    "mlp_dropout_adamw_clip": (
        "model=mlp",
        "model.hidden=[16,16]",
        "model.dropout=0.3",
        "optimizer=adamw",
        "optimizer.lr=0.01",
        "trainer.clip_norm=0.5",
    ),
    "lenet_nesterov_l2_step": (
        "model=lenet",
        "model.kernel_size=3",
        "optimizer=nesterov",
        "optimizer.lr=0.02",
        "regularizer=l2",
        "scheduler=step",
        "scheduler.step_size=1",
    ),
}


def losses(name: str) -> dict[str, list[float]]:
    """Train a run with one thread; return the loss of every step and the validation loss of every epoch."""
    config = compose((*SMALL, *RUNS[name])).trial({}, 3, 0).config
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            spec = TrialSpec("golden", TrialId(0, 3), config, {}, (), name, folder)
            reports = curve(drive(execute((spec,)))[0])
    finally:
        torch.set_num_threads(threads)
    return {
        "train": [loss for *_, steps in reports for _, loss in steps],
        "valid": [metrics["valid/loss"] for _, _, metrics, _ in reports],
    }


def machine() -> dict[str, str]:
    """What bits depend on: the library, and the instructions that its kernels are chosen by."""
    return {
        "torch": torch.__version__,
        "machine": platform.machine(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "processor": _processor(),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


@pytest.mark.parametrize("name", RUNS)
def test_losses_are_reproduced(name):
    golden = json.loads(FILE.read_text())
    ours, theirs = losses(name), golden["runs"][name]
    assert len(ours["train"]) == 8
    if golden["machine"] == machine():
        assert ours == theirs
    else:
        for part in ("train", "valid"):
            assert ours[part] == pytest.approx(theirs[part], rel=1e-5)


if __name__ == "__main__":
    runs = {name: losses(name) for name in RUNS}
    FILE.write_text(json.dumps({"machine": machine(), "runs": runs}, indent=1) + "\n")
