"""The value of every metric of ours beside scikit-learn's."""

import math

import pytest
import sklearn.metrics as sk
import torch
from torch.func import vmap

from hpsearch.base.errors import ConfigError
from hpsearch.metrics.acc import Accuracy
from hpsearch.metrics.auroc import Auroc
from hpsearch.metrics.counts import of_class
from hpsearch.metrics.f1_binary import F1Binary
from hpsearch.metrics.f1_macro import F1Macro
from hpsearch.metrics.f1_micro import F1Micro
from hpsearch.metrics.f1_weighted import F1Weighted
from hpsearch.metrics.mae import MeanAbsoluteError
from hpsearch.metrics.precision_binary import PrecisionBinary
from hpsearch.metrics.precision_macro import PrecisionMacro
from hpsearch.metrics.precision_micro import PrecisionMicro
from hpsearch.metrics.precision_weighted import PrecisionWeighted
from hpsearch.metrics.r2 import R2
from hpsearch.metrics.recall_binary import RecallBinary
from hpsearch.metrics.recall_macro import RecallMacro
from hpsearch.metrics.recall_micro import RecallMicro
from hpsearch.metrics.recall_weighted import RecallWeighted
from hpsearch.metrics.rmse import RootMeanSquaredError
from hpsearch.metrics.top_k import TopK


def value(metric, outputs, y, size=70):
    """Feed a metric in batches."""
    for batch in zip(outputs.split(size), y.split(size), strict=True):
        metric.update(*batch)
    found = metric.compute()
    return {k: float(v) for k, v in found.items()} if isinstance(found, dict) else float(found)


def cases(classes, n=500):
    """Noisy scores; those of two classes have ties."""
    generator = torch.Generator().manual_seed(classes)
    y = torch.randint(classes, (n,), generator=generator)
    signal = torch.nn.functional.one_hot(y, classes) + torch.randn(n, classes, generator=generator)
    return (signal * 4).round() / 4 if classes == 2 else signal, y


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_metrics_of_a_classification_are_scikit_learns(classes):
    outputs, y = cases(classes)
    p = outputs.double().softmax(1).numpy()
    area = sk.roc_auc_score(y, p[:, 1]) if classes == 2 else sk.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert value(Accuracy(), outputs, y) == sk.accuracy_score(y, outputs.argmax(1))
    assert value(F1Macro(), outputs, y) == pytest.approx(sk.f1_score(y, outputs.argmax(1), average="macro"))
    assert value(Auroc(), outputs, y) == pytest.approx(area, abs=1e-9)


AVERAGES = {
    "macro": (F1Macro, PrecisionMacro, RecallMacro),
    "micro": (F1Micro, PrecisionMicro, RecallMicro),
    "weighted": (F1Weighted, PrecisionWeighted, RecallWeighted),
}
THEIRS = (sk.f1_score, sk.precision_score, sk.recall_score)


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("average", AVERAGES)
def test_averages_are_scikit_learns_and_classes_that_are_not_there_do_not_count(classes, average):
    outputs, y = cases(classes)
    y[y == classes - 1] = 0  # a class that is predicted only
    if classes == 7:
        outputs[:, 2] = -1e3  # one that occurs only
    outputs = torch.cat((outputs, torch.full((len(y), 1), -1e3)), 1)  # one that is not there at all
    for metric, theirs in zip(AVERAGES[average], THEIRS, strict=True):
        expected = theirs(y, outputs.argmax(1), average=average, zero_division=0)
        assert value(metric(), outputs, y) == pytest.approx(expected)


@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("columns", [1, 2])
def test_numbers_of_one_class_of_two_are_scikit_learns(positive, columns):
    outputs, y = cases(2)
    if columns == 1:
        outputs = (outputs[:, 1] - outputs[:, 0] - 0.1)[:, None]
    predicted = outputs.argmax(1) if columns == 2 else (outputs[:, 0] > 0).long()
    for make, theirs in zip((F1Binary, PrecisionBinary, RecallBinary), THEIRS, strict=True):
        metric = make()
        of_class(metric, positive)
        assert value(metric, outputs, y) == pytest.approx(theirs(y, predicted, pos_label=positive))


@pytest.mark.parametrize(("make", "name"), [(F1Binary, "f1"), (PrecisionBinary, "precision"), (RecallBinary, "recall")])
def test_where_one_class_of_two_has_no_cases_and_of_more_classes(make, name):
    assert value(make(), torch.tensor([[1.0, 0.0]]), torch.tensor([0])) == 0  # as torchmetrics: zero_division=0
    said = rf"^metric\.{name}_binary: is for two classes, there are 3; take {name}_macro, {name}_micro or {name}_we"
    with pytest.raises(ConfigError, match=said):
        make().check_outputs(3)


def test_what_targets_leave_undefined_is_nan_and_says_why():
    ones, outputs = torch.ones(7, dtype=torch.int64), torch.randn(7, 2)
    assert math.isnan(value(Auroc(), outputs, ones)) and Auroc().undefined(ones) == "all 7 samples are of one class"
    flat = torch.tensor([[1.0, 2.0], [1.0, 3.0]])
    assert math.isnan(value(R2(), torch.zeros(2, 2), flat)) and R2().undefined(flat) == "the 2 targets do not vary"
    assert Auroc().undefined(torch.tensor([0, 1])) == R2().undefined(flat[:, 1:]) == ""


def test_top_k_is_scikit_learns():
    outputs, y = torch.randn(300, 6, generator=torch.Generator().manual_seed(0)), cases(6, 300)[1]
    found = value(TopK([1, 3, 6]), outputs, y)
    assert list(found) == ["top_1", "top_3", "top_6"] and found["top_6"] == 1
    for k in (1, 3):
        assert found[f"top_{k}"] == pytest.approx(sk.top_k_accuracy_score(y, outputs, k=k))
    assert value(TopK(3), outputs, y) == {"top_3": found["top_3"]}
    assert TopK([2, 5, 2]).names == ("top_2", "top_5")


@pytest.mark.parametrize("k", [0, -1, 1.5, "x", True, [2, 0], [], None])
def test_a_k_that_is_no_count(k):
    with pytest.raises(ConfigError, match=r"metric\.top_k\.k = "):
        TopK(k)


@pytest.mark.parametrize("metric", [Accuracy, F1Macro, Auroc, lambda: TopK(1)])
def test_one_output_stands_for_two_classes(metric):
    outputs, y = cases(2)
    one = (outputs[:, 1] - outputs[:, 0])[:, None]
    assert value(metric(), one, y) == pytest.approx(value(metric(), outputs, y))


def test_a_class_that_does_not_occur():
    outputs, y = cases(4)
    outputs, y = outputs[y != 3], y[y != 3]
    assert value(F1Macro(), outputs, y) == pytest.approx(sk.f1_score(y, outputs.argmax(1), average="macro"))
    p = outputs.double().softmax(1).numpy()
    areas = [sk.roc_auc_score(y == c, p[:, c]) for c in range(3)]
    assert value(Auroc(), outputs, y) == pytest.approx(sum(areas) / 3)
    assert math.isnan(value(Auroc(), outputs[y == 1], y[y == 1]))


@pytest.mark.parametrize("columns", [1, 3])
def test_metrics_of_a_regression_are_scikit_learns(columns):
    generator = torch.Generator().manual_seed(0)
    y = 2000 + torch.randn(400, columns, generator=generator) * torch.tensor([1.0, 5.0, 0.1])[:columns]
    outputs = y + torch.randn(400, columns, generator=generator)
    found = [value(metric(), outputs, y) for metric in (RootMeanSquaredError, MeanAbsoluteError, R2)]
    outputs, y = outputs.double().numpy(), y.double().numpy()
    assert found == pytest.approx([
        math.sqrt(sk.mean_squared_error(y, outputs)),
        sk.mean_absolute_error(y, outputs),
        sk.r2_score(y, outputs),
    ])


def test_members_under_vmap_get_their_own_sums():
    outputs, y = cases(4, 60)
    members, labels = outputs.view(3, 20, 4), y.view(3, 20)
    fused = vmap(Accuracy().total)(members, labels)
    assert fused.tolist() == [Accuracy().total(*member).item() for member in zip(members, labels, strict=True)]
