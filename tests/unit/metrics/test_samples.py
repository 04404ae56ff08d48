"""What a metric gives of single samples: its mean is the metric, its scatter how the metric scatters over samples."""

import numpy as np
import pytest
import torch

from hpsearch.metrics.acc import Accuracy
from hpsearch.metrics.auroc import Auroc
from hpsearch.metrics.f1_binary import F1Binary
from hpsearch.metrics.f1_macro import F1Macro
from hpsearch.metrics.f1_micro import F1Micro
from hpsearch.metrics.f1_weighted import F1Weighted
from hpsearch.metrics.mae import MeanAbsoluteError
from hpsearch.metrics.precision_macro import PrecisionMacro
from hpsearch.metrics.r2 import R2
from hpsearch.metrics.recall_macro import RecallMacro
from hpsearch.metrics.rmse import RootMeanSquaredError
from hpsearch.metrics.top_k import TopK

N = 400
WHOLE = {
    "f1_macro": F1Macro,
    "f1_micro": F1Micro,
    "f1_weighted": F1Weighted,
    "precision_macro": PrecisionMacro,
    "recall_macro": RecallMacro,
    "auroc": Auroc,
    "top_k": lambda: TopK(2),
    "rmse": RootMeanSquaredError,
    "mae": MeanAbsoluteError,
    "r2": R2,
    "f1_binary": F1Binary,
    "auroc of two": Auroc,
}


def drawn(name):
    """Outputs and targets that a metric fits."""
    torch.manual_seed(3)
    if name in ("rmse", "mae", "r2"):
        y = torch.randn(N, 2)
        return (y + 0.5 * torch.randn(N, 2)).double(), y
    classes = 2 if name in ("f1_binary", "auroc of two") else 4
    y = torch.multinomial(torch.arange(1.0, classes + 1), N, replacement=True)
    return (torch.randn(N, classes) + 1.2 * torch.nn.functional.one_hot(y, classes)).double(), y


def number(value):
    return float(next(iter(value.values())) if isinstance(value, dict) else value)


@pytest.mark.parametrize("name", WHOLE)
def test_the_mean_over_samples_is_the_metric_and_its_standard_error_the_bootstraps(name):
    metric, (outputs, y) = WHOLE[name](), drawn(name)
    samples = metric.samples(outputs, y)
    samples = next(iter(samples.values())) if isinstance(samples, dict) else samples
    assert len(samples) == N
    assert float(samples.mean()) == pytest.approx(number(metric.value(outputs, y)), abs=1e-12)
    rng = np.random.default_rng(0)
    rows = [torch.from_numpy(rng.integers(0, N, N)) for _ in range(400)]
    scatter = np.std([number(metric.value(outputs[each], y[each])) for each in rows])
    assert float(samples.std()) / N**0.5 == pytest.approx(scatter, rel=0.12)


def test_accuracy_says_of_each_sample_whether_it_is_right():
    outputs, y = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]), torch.tensor([0, 1, 1])
    metric = Accuracy()
    assert metric.each(outputs, y).tolist() == [True, True, False]
    metric.update(outputs, y)
    assert metric.compute() == pytest.approx(2 / 3)


def test_a_perfect_regression_and_an_absent_class_give_numbers():
    y = torch.randn(5, 1)
    assert RootMeanSquaredError().samples(y.double(), y).tolist() == [0.0] * 5
    outputs, y = torch.eye(3)[[0, 1, 1, 0]].double(), torch.tensor([0, 1, 0, 0])
    for kind in (F1Macro, F1Weighted, Auroc):
        assert float(kind().samples(outputs, y).mean()) == pytest.approx(float(kind().value(outputs, y)))
