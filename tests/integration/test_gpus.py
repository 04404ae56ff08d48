"""Which GPUs a trial sees, on a machine that only says that it has some; programs that torchrun starts."""

import sys

import pytest

from hpsearch import load_trials, run_study

SAYS_WHAT_IT_SEES = """
import os, pathlib, sys, time
import hpsearch
folder = pathlib.Path(os.environ["HPSEARCH_FOLDER"])
(folder / "seen").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "unset"))
(folder.parent / f"began-{os.environ['CUDA_VISIBLE_DEVICES']}").touch()
limit = time.monotonic() + 60
while len(list(folder.parent.glob("began-*"))) < int(sys.argv[1]) and time.monotonic() < limit:
    time.sleep(0.02)  # so that no worker trains twice before all have begun
hpsearch.report({"valid/loss": 1.0}, epoch=1)
"""
TWO_PROCESSES = """
import os, sys
import torch
import torch.distributed as dist
import hpsearch

dist.init_process_group("gloo")
weight = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1, bias=False))
with torch.no_grad():
    weight.module.weight.zero_()
optimizer = torch.optim.SGD(weight.parameters(), lr=float(sys.argv[1].partition("=")[2]))
mine = torch.tensor([[1.0 + dist.get_rank()]])  # the mean gradient is of both processes' samples
for epoch in range(1, 4):
    optimizer.zero_grad()
    loss = ((weight(mine) - 1) ** 2).mean()
    loss.backward()
    optimizer.step()
    total = loss.detach().clone()
    dist.all_reduce(total)
    if dist.get_rank() == 0:
        hpsearch.report({"valid/loss": total.item() / 2, "processes": dist.get_world_size()}, epoch=epoch)
dist.destroy_process_group()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(*command: str) -> list[str]:
    words = ["+study=search", "trainer=command", "tracker=none", "study.name=gpus", "objective.metric=valid/loss"]
    return [*words, "objective.direction=minimize", f"trainer.command=[{','.join(command)}]", "pruner=none"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("visible", "share", "seen"),
    [
        ("GPU-0b0a,GPU-11c2", "1", ["GPU-0b0a", "GPU-11c2"]),
        ("5,2,7", "2", ["5,2"]),
        ("MIG-aa11", ".5", ["MIG-aa11"]),
    ],
)
def test_a_program_sees_the_gpus_of_its_worker(folder, monkeypatch, visible, share, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (folder / "sees.py").write_text(SAYS_WHAT_IT_SEES)
    words = [*program(sys.executable, "sees.py", str(len(seen))), "space.args.lr=interval(0, 1)", "budget.points=2"]
    outcome = run_study([*words, "sampler=random", "launcher=processes", f"launcher.gpus_per_trial={share}"])
    assert outcome.exit_code == 0
    assert sorted({path.read_text() for path in folder.glob("studies/gpus/**/seen")}) == seen


@pytest.mark.long
def test_torchrun_trains_one_trial_in_two_processes_whose_first_reports(folder):
    (folder / "two.py").write_text(TWO_PROCESSES)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = [*program(*torchrun, "two.py"), "space.args.lr=choice(0.1)", "sampler=grid"]
    outcome = run_study([*words, "launcher=processes", "launcher.workers=1"])
    assert outcome.exit_code == 0
    (curve,) = load_trials("gpus")["score"].tolist()
    weight, losses = 0.0, []
    for _ in range(3):
        losses.append(((weight - 1) ** 2 + (2 * weight - 1) ** 2) / 2)
        weight -= 0.1 * ((weight - 1) * 2 + (2 * weight - 1) * 4) / 2
    assert curve == pytest.approx(losses[-1], rel=1e-5)
