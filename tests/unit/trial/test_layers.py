import json

import pytest
import torch
from torch import nn

from hpsearch.base.files import LAYERS
from hpsearch.base.types import Decision, Report, TrialState
from hpsearch.trial.layers import BOUNDS, CLOSE, LayerWatch, watched
from hpsearch.trial.loop import train
from tests.support.jobs import make_job


def run(job, pause_after=None):
    trial, reports = train(job), []
    messages = next(trial)
    while True:
        reports += [m for m in messages if isinstance(m, Report)]
        paused = bool(reports) and reports[-1].epoch == pause_after
        try:
            messages = trial.send((Decision.PAUSE if paused else Decision.CONTINUE,))
        except StopIteration as end:
            return reports, end.value[0]


def rows(folder):
    return json.loads((folder / LAYERS).read_text())


def test_layers_are_measured_in_epochs_that_double_and_in_the_last(tmp_path):
    assert [e for e in range(1, 21) if watched(e, 20)] == [1, 2, 4, 8, 16, 20]
    _, result = run(make_job(tmp_path, epochs=5))
    assert [(row["epoch"], row["step"]) for row in rows(tmp_path)] == [(1, 1), (2, 10), (4, 22), (5, 28)]
    assert LAYERS in result.artifacts


def test_the_norms_are_those_of_a_plain_step(tmp_path):
    job = make_job(tmp_path, epochs=1, batch_size=90, momentum=0.0, lr=0.5)
    before = {name: weight.detach().clone() for name, weight in job.model.named_parameters()}
    loss = job.loss(job.model(job.splits.train.x), job.splits.train.y)
    names = ("hidden.0.0.weight", "output.weight")
    gradients = torch.autograd.grad(loss, [dict(job.model.named_parameters())[name] for name in names])
    run(job)
    (row,) = rows(tmp_path)
    assert row["loss"] == pytest.approx(loss.item(), rel=1e-5)
    for name, gradient in zip(names, gradients, strict=True):
        layer = name.removesuffix(".weight")
        after = dict(job.model.named_parameters())[name].detach()
        assert row["gradient"][layer] == pytest.approx(gradient.norm().item(), rel=1e-4)
        assert row["weight"][layer] == pytest.approx(before[name].norm().item(), rel=1e-5)
        assert row["update"][layer] == pytest.approx((after - before[name]).norm().item(), rel=1e-4)


def test_units_that_always_answer_the_same_are_counted(tmp_path):
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]]))
        model[0].bias.copy_(torch.tensor([0.0, 0, -9, -9]))
    watch = LayerWatch(model, tmp_path, 1, None, True)
    model(torch.rand(5, 2)).sum().backward()
    with watch.measured():
        pass
    watch.keep(1, 1, torch.tensor(1.0))
    with watch.outputs():
        outputs = model[1](model[0](torch.tensor([[1.0, 2.0], [3.0, 4.0]])))
    watch.write()
    (row,) = rows(tmp_path)
    assert row["outputs"]["1"]["dead"] == 0.5
    assert row["outputs"]["1"]["mean"] == pytest.approx(outputs.mean().item())
    assert row["outputs"]["1"]["sd"] == pytest.approx(outputs.std(correction=0).item())


@pytest.mark.parametrize(
    ("module", "inputs", "share"),
    [
        (nn.Sigmoid(), [[-3.0, -2.9], [2.9, 3.0]], 0.5),  # .047 and .953 are close to a bound, .052 and .948 are not
        (nn.Tanh(), [[-1.48, -1.46], [1.46, 1.5]], 0.5),  # beyond .9
        (nn.ReLU(), [[-9.0, 9.0]], None),
    ],
)
def test_outputs_close_to_a_bound_are_saturated(tmp_path, module, inputs, share):
    model = nn.Sequential(nn.Linear(2, 2), module)
    watch = LayerWatch(model, tmp_path, 1, None, True)
    with watch.measured():
        pass
    watch.keep(1, 1, torch.tensor(1.0))
    with watch.outputs():
        module(torch.tensor(inputs))
    watch.write()
    assert rows(tmp_path)[0]["outputs"]["1"]["saturated"] == share


def test_where_outputs_are_saturated_the_slope_is_under_a_fifth_of_the_largest():
    x = torch.linspace(-6, 6, 2001, requires_grad=True)
    for make, (low, high) in BOUNDS.items():
        y = make()(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        edge = CLOSE * (high - low)
        away = (y < low + edge) | (y > high - edge)
        assert slope[away].max() < 0.2 * slope.max() <= slope[~away].min() * 1.06


@pytest.mark.parametrize("shape", [(3, 4, 5, 5), (3, 7, 4)])
def test_a_unit_is_a_channel_or_an_entry_of_a_token(tmp_path, shape):
    model = nn.Sequential(nn.ReLU(), nn.Linear(shape[-1], 2))
    x = torch.rand(shape)
    (x[:, 0] if len(shape) == 4 else x[..., 0]).fill_(-1.0)
    watch = LayerWatch(model, tmp_path, 1, None, True)
    with watch.measured():
        pass
    watch.keep(1, 1, torch.tensor(1.0))
    with watch.outputs():
        model(x)
    watch.write()
    assert rows(tmp_path)[0]["outputs"]["0"]["dead"] == 0.25


def test_a_trial_that_goes_on_keeps_its_rows_and_measures_the_others(tmp_path):
    run(make_job(tmp_path / "whole", epochs=5))
    _, paused = run(make_job(tmp_path / "parts", epochs=5), pause_after=3)
    assert paused.state is TrialState.PAUSED
    run(make_job(tmp_path / "parts", epochs=5))
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


def test_watching_changes_no_result_and_can_be_left_out(tmp_path):
    seen, _ = run(make_job(tmp_path / "seen", epochs=3))
    unseen, result = run(make_job(tmp_path / "unseen", epochs=3, watch_layers=False))
    losses = [[r.metrics["valid/loss"] for r in reports] for reports in (seen, unseen)]
    assert losses[0] == losses[1]
    assert LAYERS not in result.artifacts
    assert not (tmp_path / "unseen" / LAYERS).exists()


def test_a_trial_that_diverges_leaves_the_row_of_its_epoch(tmp_path):
    job = make_job(tmp_path, epochs=3, lr=1e6)
    _, result = run(job)
    assert result.state is TrialState.INFEASIBLE
    assert rows(tmp_path)[0]["epoch"] == 1
    assert "outputs" not in rows(tmp_path)[0]


def test_rows_of_another_trial_are_forgotten(tmp_path):
    (tmp_path / LAYERS).write_text('[{"epoch": 1, "loss": 7}]')
    run(make_job(tmp_path, epochs=1))
    assert len(rows(tmp_path)) == 1
    assert rows(tmp_path)[0]["loss"] != 7
