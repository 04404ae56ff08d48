import math

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.metrics.acc import Accuracy
from hpsearch.metrics.f1_macro import F1Macro
from hpsearch.metrics.meter import Meter, try_out
from hpsearch.metrics.top_k import TopK

CPU = torch.device("cpu")


class Wrong:
    """A metric in torchmetrics' form: the share of samples that are wrong, as a tensor that moves with `to`."""

    def __init__(self):
        self.moved = None
        self.reset()

    def to(self, device):
        self.moved = device
        return self

    def update(self, preds, target):
        self.wrong += (preds.argmax(1) != target).sum()
        self.count += len(target)

    def compute(self):
        assert self.moved == CPU
        return self.wrong / self.count

    def reset(self):
        self.wrong, self.count = torch.tensor(0), 0


def summed(loss, count):
    """What `Meter.update` takes of the mean loss of a batch."""
    return {"loss": (loss * count, count)}


def data(n=103):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 4, generator=generator), torch.randint(4, (n,), generator=generator)


def test_a_copy_goes_on_by_itself():
    outputs, y = data()
    meter = Meter({"acc": Accuracy()}, CPU)
    meter.update({}, outputs[:50], y[:50])
    other, before = meter.copy(), meter.compute()
    other.update({}, outputs[50:], y[50:])
    assert meter.compute() == before
    assert other.compute() == {"acc": float((outputs.argmax(1) == y).double().mean())}


def test_uneven_batches_add_up_to_the_mean_over_all_samples():
    outputs, y = data()
    loss = torch.nn.CrossEntropyLoss()
    meter = Meter({"acc": Accuracy(), "top_k": TopK([1, 2]), "wrong": Wrong()}, CPU)
    for rows in torch.arange(103).split(10):
        meter.update(summed(loss(outputs[rows], y[rows]), len(rows)), outputs[rows], y[rows])
    correct = sum(int(row.argmax()) == int(label) for row, label in zip(outputs, y, strict=True))
    found = meter.compute()
    assert list(found) == ["loss", "acc", "top_1", "top_2", "wrong"]
    assert found["loss"] == pytest.approx(loss(outputs, y).item(), rel=1e-6)
    assert found["acc"] == found["top_1"] == correct / 103
    assert found["wrong"] == pytest.approx(1 - correct / 103)


def test_each_pass_has_sums_of_its_own():
    outputs, y = data()
    metrics = {"acc": Accuracy(), "f1_macro": F1Macro(), "wrong": Wrong()}
    first, second = Meter(metrics, CPU), Meter(metrics, CPU)
    first.update(summed(torch.tensor(1.0), 103), outputs, y)
    second.update(summed(torch.tensor(1.0), 50), outputs[:50], y[:50])
    assert first.compute()["acc"] == (outputs.argmax(1) == y).double().mean().item()
    assert second.compute()["acc"] == (outputs[:50].argmax(1) == y[:50]).double().mean().item()


def test_gradients_are_dropped_and_losses_are_summed_in_float64():
    outputs, y = data()
    outputs = outputs.bfloat16().requires_grad_()
    meter = Meter({"acc": Accuracy(), "f1_macro": F1Macro()}, CPU)
    loss = torch.nn.functional.cross_entropy(outputs, y)
    meter.update({"loss": (loss, len(y)), "weighted_loss": (loss, loss.detach())}, outputs, y)
    for sums in meter._losses.values():
        assert not sums[0].requires_grad and sums[0].dtype == torch.float64
    assert meter._losses["weighted_loss"][1].dtype == torch.float64
    assert all(math.isfinite(each) for each in meter.compute().values())


def test_a_metric_that_does_not_fit_is_found_before_training():
    outputs, y = data()
    metrics = {"wrong": Wrong()}
    try_out(metrics, outputs, y)
    assert metrics["wrong"].count == 0
    with pytest.raises(ConfigError, match=r"^metric\.wrong: does not fit the model's outputs: .+"):
        try_out(metrics, outputs[:, 0], y)


def test_numbers_that_nobody_was_told_of_are_found_before_training():
    class Two(Wrong):
        def compute(self):
            return {"low": 0.0, "high": 1.0}

    with pytest.raises(ConfigError, match=r"^metric\.two: computes low, high, and its `names` say two$"):
        try_out({"two": Two()}, *data())
    Two.names = ("high", "low")
    try_out({"two": Two()}, *data())
