import pytest
import torch
from torch import nn

from hpsearch.metrics.auroc import Auroc
from hpsearch.metrics.f1_macro import F1Macro
from hpsearch.metrics.reported import with_usual
from hpsearch.trial.evaluate import evaluate
from tests.support.jobs import make_splits

USUAL = with_usual("classification", {})


@pytest.mark.parametrize("batch_size", [1, 7, 40, 1000])
def test_the_grid_does_not_change_the_means(batch_size):
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 3))
    split, loss = make_splits().valid, nn.CrossEntropyLoss()
    values = evaluate(model, model, loss, split, batch_size, USUAL)
    model.eval()
    outputs = model(split.x)
    assert values == {
        "loss": pytest.approx(loss(outputs, split.y).item()),
        "acc": pytest.approx((outputs.argmax(1) == split.y).float().mean().item()),
    }


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training):
    model = nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3)).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    evaluate(model, model, nn.CrossEntropyLoss(), make_splits().valid, 16, USUAL)
    assert model.training is training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_no_graph_is_kept():
    model, seen = nn.Linear(6, 3), []

    def forward(x):
        seen.append(model(x))
        return seen[-1]

    evaluate(model, forward, nn.CrossEntropyLoss(), make_splits().valid, 16, USUAL)
    assert [outputs.requires_grad for outputs in seen] == [False] * 3


@pytest.mark.parametrize("batch_size", [7, 1000])
def test_metrics_of_the_whole_split_do_not_depend_on_the_grid(batch_size):
    model, split = nn.Linear(6, 3), make_splits().valid
    values = evaluate(model, model, nn.CrossEntropyLoss(), split, batch_size, {"f1_macro": F1Macro(), "auroc": Auroc()})
    for name, metric in (("f1_macro", F1Macro()), ("auroc", Auroc())):
        metric.update(model(split.x), split.y)
        assert values[name] == pytest.approx(float(metric.compute()))
