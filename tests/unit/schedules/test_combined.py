import functools

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers

from hpsearch.base.errors import ConfigError
from hpsearch.schedules import decays, formulas, table
from hpsearch.schedules.combined import chained, sequential

LR = 0.4
CONSTANT = functools.partial(torch_schedulers.ConstantLR, factor=0.5, total_iters=20)
EXPONENTIAL = functools.partial(torch_schedulers.ExponentialLR, gamma=0.97)
COSINE = functools.partial(torch_schedulers.CosineAnnealingLR, T_max=60)
STEP = functools.partial(torch_schedulers.StepLR, step_size=30, gamma=0.5)
PARTS = [CONSTANT, EXPONENTIAL, COSINE, STEP]


def rows(make, warmup_steps=0, momentum=0.9):
    return table(make, LR, momentum, 20, 10, "step", warmup_steps)


def stepped(make):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    scheduler, values = make(optimizer), []
    for _ in range(200):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.filterwarnings("ignore:The epoch parameter in")  # torch's SequentialLR warns of itself
def test_a_sequence_is_torchs():
    found = rows(functools.partial(sequential, parts=PARTS, milestones=[30, 80, 120])).lr
    expected = stepped(lambda o: torch_schedulers.SequentialLR(o, [make(o) for make in PARTS], [30, 80, 120]))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)


def test_a_product_is_torchs_where_torchs_is_a_product():
    parts = [CONSTANT, EXPONENTIAL, STEP]
    found = rows(functools.partial(chained, parts=parts)).lr
    expected = stepped(lambda o: torch_schedulers.ChainedScheduler([make(o) for make in parts]))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)


def test_a_product_holds_for_schedules_that_set_the_rate():
    natural = functools.partial(decays.natural_exponential, rate=0.01, decay_steps=1, staircase=False)
    found = rows(functools.partial(chained, parts=[STEP, natural])).lr
    expected = rows(STEP).lr * rows(natural).lr / LR
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_a_part_without_a_length_has_that_of_its_segment():
    linear = functools.partial(torch_schedulers.LinearLR, start_factor=1.0, end_factor=0.0, total_iters=None)
    found = rows(functools.partial(sequential, parts=[linear, linear], milestones=[50]), warmup_steps=40).lr
    expected = [LR * (1 - t / 50) for t in range(50)] + [LR * (1 - t / 110) for t in range(110)]
    torch.testing.assert_close(found[40:], torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-7)


def test_a_part_may_cycle_the_momentum_in_a_sequence_and_not_in_a_product():
    cycle = functools.partial(
        formulas.cyclic,
        low=0.1,
        step_size_up=10,
        step_size_down=None,
        mode="triangular",
        gamma=1.0,
        cycle_momentum=True,
        base_momentum=0.8,
        max_momentum=0.9,
    )
    found = rows(functools.partial(sequential, parts=[EXPONENTIAL, cycle], milestones=[100]))
    assert found.momentum[:100].tolist() == [0.9] * 100 and found.momentum[110].item() == pytest.approx(0.8)
    with pytest.raises(ConfigError, match=r"scheduler\.parts\[1\]: changes the momentum"):
        rows(functools.partial(chained, parts=[EXPONENTIAL, cycle]))


@pytest.mark.parametrize(
    ("parts", "milestones", "message"),
    [
        ([], [], r"scheduler\.parts = \[\]"),
        (PARTS, [3], r"scheduler\.milestones = \[3\]: 4 parts need 3"),
        (PARTS, [3, 2, 9], r"scheduler\.milestones\[1\] = 2"),
        ([3], [], r"scheduler\.parts\[0\]: needs `_partial_: true`"),
        ([torch_schedulers.ReduceLROnPlateau], [], "follows a metric"),
    ],
)
def test_parts_that_do_not_fit(parts, milestones, message):
    with pytest.raises(ConfigError, match=message):
        rows(functools.partial(sequential, parts=parts, milestones=milestones))


def test_a_run_shorter_than_its_milestones_uses_their_beginning():
    found = table(functools.partial(sequential, parts=PARTS, milestones=[30, 80, 120]), LR, 0.9, 4, 1, "step").lr
    assert found.tolist() == [LR / 2] * 4
