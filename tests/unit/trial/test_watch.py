import math

import pytest
import torch

from hpsearch.metrics.acc import Accuracy
from hpsearch.trial.watch import CHUNK_STEPS, Diverged, EpochLog, Limit, Step, measured, measured_steps

CPU = torch.device("cpu")
USUAL = {"acc": Accuracy()}
LIMIT = Limit(1.0, "the untrained model", 10.0)


def add(log, losses, batch=2):
    for loss in losses:
        outputs = torch.tensor([[1.0, 0.0]]).repeat(batch, 1)
        loss = torch.tensor(loss)
        log.add(Step(torch.zeros(batch, dtype=torch.int64), outputs, {"loss": loss}, loss, None))


def test_losses_are_read_in_chunks():
    log = EpochLog(USUAL, 0, LIMIT, CPU)
    add(log, [1.0] * (CHUNK_STEPS - 1))
    assert log.losses == []
    add(log, [2.0])
    assert log.losses == [1.0] * (CHUNK_STEPS - 1) + [2.0]


@pytest.mark.parametrize("steps", [1, CHUNK_STEPS - 1, CHUNK_STEPS, 2 * CHUNK_STEPS + 3])
def test_means_weigh_batches_by_their_size(steps):
    log = EpochLog(USUAL, 0, LIMIT, CPU)
    add(log, [1.0] * steps, batch=4)
    add(log, [3.0], batch=2)
    log.read()
    assert log.means() == {"loss": pytest.approx((4 * steps + 6) / (4 * steps + 2)), "acc": 1.0}


@pytest.mark.parametrize(("place", "value"), [(0, math.nan), (5, math.inf), (70, -math.inf), (130, 10.5)])
def test_the_first_divergence_is_named(place, value):
    losses = [1.0] * 200
    losses[place] = value
    losses[place + 1] = math.nan
    log = EpochLog(USUAL, 1000, LIMIT, CPU)
    with pytest.raises(Diverged, match=f"diverged at step {1001 + place}: loss {value}"):
        add(log, losses)
        log.read()


@pytest.mark.parametrize(
    ("reference", "loss", "reason"),
    [
        (1.0, 10.0, ""),
        (1.0, 10.1, "loss 10.1, more than 10 times the untrained model's 1"),
        (0.0, 1e30, ""),
        (-1.0, 5.0, ""),
        (0.0, math.inf, "loss inf"),
    ],
)
def test_the_limit_itself_is_no_divergence_and_a_reference_of_0_sets_none(reference, loss, reason):
    assert Limit(reference, "the untrained model", 10.0).broken_by(loss) == reason


def test_thinned_losses_lie_on_one_grid_over_all_epochs():
    kept = []
    for epoch in range(3):
        log = EpochLog(USUAL, 7 * epoch, LIMIT, CPU)
        add(log, [float(7 * epoch + i) / 10 for i in range(7)])
        log.read()
        kept += [step for step, _ in log.thinned(5)]
    assert kept == [1, 6, 11, 16, 21]


@pytest.mark.parametrize(
    ("steps", "places"), [(1, {0}), (2, {0, 1}), (4, {0, 1, 2, 3}), (6, {0, 2, 3, 5}), (400, {50, 150, 250, 350})]
)
def test_measured_steps_are_evenly_spaced(steps, places):
    assert measured_steps(steps) == places


def test_an_update_is_measured_over_all_parameters():
    parameters = [torch.nn.Parameter(torch.tensor([[3.0], [0.0]])), torch.nn.Parameter(torch.tensor(4.0))]
    unused = torch.nn.Parameter(torch.tensor([12.0]))
    parameters[0].grad, parameters[1].grad = torch.tensor([[6.0], [0.0]]), torch.tensor(8.0)

    def update():
        parameters[0].data[0] += 2.0
        parameters[1].grad.zero_()

    assert measured(update, [*parameters, unused]).tolist() == [10.0, 2.0, 13.0]
