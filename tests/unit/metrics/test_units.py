"""Metrics of a regression are in the units of the data, however its targets are scaled: beside numpy on raw targets."""

import copy
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource
from hpsearch.metrics.base import in_units, names_of
from hpsearch.metrics.meter import Meter
from hpsearch.metrics.reported import USUAL

RNG = np.random.default_rng(0)
TARGETS = {
    "near one": RNG.normal(size=(100, 1)),
    "Unix seconds": 1.7e9 + RNG.integers(0, 86_400, (100, 1)).astype(float),
    "huge": 1e200 * (1 + RNG.random((100, 1))),
    "tiny": 1e-200 * RNG.random((100, 1)),
    "outputs of different units": RNG.normal(size=(100, 3)) * [1, 1e4, 1e-4] + [0, 1e6, 0],
    "an output that is constant": np.concatenate((RNG.normal(size=(100, 1)), np.full((100, 1), 7.0)), 1),
}
BEYOND = {"Unix seconds": ("none",), "huge": ("none", "standardize"), "tiny": ("none", "standardize")}


@dataclass(frozen=True, kw_only=True)
class Targets(DataSource):
    name: str = ""

    def arrays(self, test):
        return Arrays(np.arange(100.0)[:, None], TARGETS[self.name])


class Percentage:
    """A user's metric, which needs the targets as they are."""

    higher_is_better = False

    def __init__(self):
        self.reset()

    def reset(self):
        self.total, self.count = 0.0, 0

    def update(self, outputs, y):
        assert outputs.dtype == y.dtype == torch.float64
        self.total += float(((outputs - y) / y).abs().sum())
        self.count += y.numel()

    def compute(self):
        return 100 * self.total / self.count


def measured(splits, metrics):
    """Return metrics of the validation part for a model that predicts each sample by the one before it."""
    y = splits.valid.y
    scaling = splits.target_scaling
    if scaling is not None:
        metrics = {key: in_units(metric, scaling.scale, scaling.shift) for key, metric in metrics.items()}
    meter = Meter(metrics, torch.device("cpu"))
    outputs = torch.roll(y, 1, 0)
    for batch in zip(outputs.split(7), y.split(7), strict=True):
        meter.update({}, *batch)
    return meter.compute()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("scaling", ["none", "minmax", "standardize"])
def test_errors_are_those_of_numpy_on_unscaled_targets(name, scaling):
    if scaling in BEYOND.get(name, ()):
        pytest.skip("beyond float32 without a scaling, or beyond float64 when squared")
    source = Targets(name=name, target_scaling=scaling)
    y = source.read().valid.y
    y = y if y.ndim > 1 else y[:, None]
    residuals = np.roll(y, 1, 0) - y
    size = np.abs(residuals).max()
    found = measured(source.load(), {key: make() for key, make in USUAL["regression"].items()})
    assert found["mae"] == pytest.approx(np.abs(residuals).mean(), rel=1e-5)
    assert found["rmse"] == pytest.approx(np.sqrt(((residuals / size) ** 2).mean()) * size, rel=1e-5)


@pytest.mark.parametrize("name", ["near one", "outputs of different units"])
def test_no_metric_depends_on_the_scaling_of_targets(name):
    given = {**{key: make() for key, make in USUAL["regression"].items()}, "percentage": Percentage()}
    of = {
        scaling: measured(Targets(name=name, target_scaling=scaling).load(), copy.deepcopy(given))
        if scaling != "none"
        else measured(Targets(name=name).load(), {k: v for k, v in given.items() if k != "percentage"})
        for scaling in ("none", "minmax", "standardize")
    }
    for key in ("rmse", "mae", "r2"):
        assert of["minmax"][key] == pytest.approx(of["none"][key], rel=1e-5)
    for key in given:
        assert of["standardize"][key] == pytest.approx(of["minmax"][key], rel=1e-3 if key == "percentage" else 1e-5)


def test_a_metric_of_ones_own_keeps_what_it_says_of_itself():
    metric = in_units(Percentage(), torch.ones(1, 1), torch.zeros(1, 1))
    assert metric.higher_is_better is False and names_of("percentage", metric) == ("percentage",)
    assert not hasattr(metric, "undefined") and not hasattr(metric, "check_outputs")
    assert copy.deepcopy(metric).compute.__self__ is not metric.compute.__self__
