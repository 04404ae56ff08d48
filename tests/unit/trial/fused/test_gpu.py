"""What only a GPU can show: groups and graphs there give what the plain loop gives, and nothing waits within a pass."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from hpsearch.nn.stacked import Stacked
from hpsearch.trial.accelerator import accelerator
from hpsearch.trial.fused.graphed import GraphedUpdate
from hpsearch.trial.fused.step import Update
from tests.support.steps import KINDS, make_cases, make_members, on_device, plain_steps, train_group, values

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU of NVIDIA's here"),
]
GPU = torch.device("cuda", 0)
CASES = make_cases()
PASSES = 3
"""Of five or six steps; the schedules of the trials have no more."""


@pytest.fixture(autouse=True)
def full_precision():
    """Multiply in float32, as the processor does."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def members(folder, case):
    """Return trials whose model and data are on the GPU."""
    return make_members(folder, on_device(case, "cuda:0"))


def graphed(jobs, stack):
    """Return updates that are captured."""
    return GraphedUpdate(jobs, stack, accelerator(GPU))


def assert_close(found, expected, tolerance):
    """Compare the weights, buffers and states of two trials."""
    wanted, got = values(expected), values(found)
    for name, each in wanted.items():
        error = (got[name].double() - each.double()).norm()
        assert error <= tolerance * max(1.0, float(each.double().norm())), name


@pytest.mark.parametrize("case", [*CASES, *KINDS])
def test_a_group_gives_what_each_member_gives_alone(tmp_path, case):
    options = (CASES | KINDS)[case]
    together, alone = members(tmp_path / "together", options), members(tmp_path / "alone", options)
    train_group(together, PASSES)
    for found, twin in zip(together, alone, strict=True):
        plain_steps(twin, PASSES)
        assert_close(found, twin, 0.2 if options.get("precision") == "bf16" else 1e-4)


@pytest.mark.parametrize("case", [*CASES, *KINDS])
def test_graphs_give_what_the_steps_give_that_they_repeat(tmp_path, case):
    options = (CASES | KINDS)[case]
    repeated, plain = members(tmp_path / "graphs", options), members(tmp_path / "steps", options)
    passes = [train_group(jobs, PASSES, make) for jobs, make in ((repeated, graphed), (plain, Update))]
    for found, twin in zip(repeated, plain, strict=True):
        assert_close(found, twin, 1e-5)
    for ours, theirs in zip(*passes, strict=True):
        torch.testing.assert_close(torch.tensor(ours.losses), torch.tensor(theirs.losses), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("convolution", ["grouped", "unfolded"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_ways_to_convolve_are_equal(tmp_path, convolution, precision):
    jobs = members(tmp_path, CASES["small_conv"])
    models = [job.model.train() for job in jobs]
    x = torch.stack([job.splits.train.x[:16] for job in jobs])
    with torch.autocast("cuda", precision, enabled=precision != torch.float32):
        expected = torch.stack([model(each) for model, each in zip(models, x, strict=True)])
        found = Stacked(models, convolution)(x)
    assert found.dtype == expected.dtype
    tolerance = 1e-4 if precision == torch.float32 else 0.05
    torch.testing.assert_close(found.float(), expected.float(), rtol=tolerance, atol=tolerance)


@contextmanager
def nothing_waits() -> Iterator[None]:
    """Raise where the host waits for the GPU."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("case", [each for each in CASES if each not in ("mixup", "cutmix")])
def test_no_step_waits(tmp_path, case, monkeypatch):
    jobs = members(tmp_path, CASES[case])
    backward, update = Update.backward, Update.update
    steps = []

    def watched(step, *given):
        steps.append(step)
        if len(steps) < 10:  # tables are sent in the first ones
            return step(*given)
        with nothing_waits():
            return step(*given)

    monkeypatch.setattr(Update, "backward", lambda *given: watched(backward, *given))
    monkeypatch.setattr(Update, "update", lambda *given: watched(update, *given))
    train_group(jobs, 2)
    assert len(steps) > 10


def test_memory_does_not_grow_from_group_to_group(tmp_path):
    def trained(name):
        train_group(members(tmp_path / name, CASES["lenet"]), 2, graphed)
        torch.cuda.synchronize()
        return torch.cuda.memory_allocated()

    first = trained("first")
    later = [trained(f"later {k}") for k in range(5)]
    assert max(later) <= first + 2**20


def test_generators_go_on_where_they_stood():
    device = accelerator(GPU)
    device.seed(5)
    drawn = device.drawn()
    first = torch.rand(4, device=GPU)
    device.go_on(drawn)
    assert torch.equal(first, torch.rand(4, device=GPU))
