"""Metrics of labels per step: over all labels, and a number of every sequence."""

import copy

import numpy as np
import pytest
import torch

from hpsearch.base.steps import label_count, labelled, labels, per_step
from hpsearch.metrics.acc import Accuracy
from hpsearch.metrics.auroc import Auroc
from hpsearch.metrics.base import names_of
from hpsearch.metrics.f1_macro import F1Macro
from hpsearch.metrics.steps import by_sequence, of_steps, samples_of
from hpsearch.metrics.top_k import TopK


def sentences(n=40, classes=3, longest=9):
    generator = torch.Generator().manual_seed(1)
    y = torch.randint(0, classes, (n, longest), generator=generator)
    lengths = torch.randint(1, longest + 1, (n,), generator=generator)
    y[torch.arange(longest) >= lengths[:, None]] = -100
    outputs = torch.randn(n, longest, classes, generator=generator)
    outputs[y < 0] = 1e9
    return outputs, y


def test_only_class_numbers_of_steps_are_labels_per_step():
    assert per_step(torch.zeros(3, 2, dtype=torch.int64))
    assert per_step(np.zeros((3, 2), np.int64))
    assert not per_step(torch.zeros(3, 2))
    assert not per_step(torch.zeros(3, dtype=torch.int64))
    outputs, y = torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64)
    assert labelled(outputs, y) == (outputs, y)
    assert labels(y) is y
    assert label_count(y) == 3
    assert label_count(torch.tensor([[1, -100], [0, 2]])) == 3


@pytest.mark.parametrize("make", [Accuracy, F1Macro, Auroc, lambda: TopK([1, 2])])
def test_a_metric_is_that_of_all_labels_whatever_the_batches_and_the_padding(make):
    outputs, y = sentences()
    metric, plain = of_steps(make()), make()
    for rows in (slice(0, 7), slice(7, 40)):
        metric.update(outputs[rows], y[rows])
    plain.update(outputs[y >= 0], y[y >= 0])
    assert metric.compute() == plain.compute()
    assert names_of("key", metric) == names_of("key", plain)
    assert metric.to(torch.device("cpu")).compute() == plain.compute()
    metric.reset()
    metric.update(outputs[:5], y[:5])
    assert metric.compute() != plain.compute()


def test_the_number_of_a_sequence_is_that_of_a_ratio_of_means():
    right, count = torch.tensor([1.0, 1, 0, 0, 1, 1, 1]), torch.tensor([2, 1, 4])
    sums, r = [2.0, 0.0, 3.0], 5 / 7
    expected = [r + (a - r * b) / (7 / 3) for a, b in zip(sums, count.tolist(), strict=True)]
    assert by_sequence(right, count).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("make", [F1Macro, Auroc, lambda: TopK([1, 2])])
def test_the_mean_over_sequences_is_the_metric(make):
    outputs, y = sentences()
    metric = of_steps(make())
    metric.update(outputs, y)
    value, numbers = metric.compute(), samples_of(metric, outputs, y)
    value, numbers = (each if isinstance(each, dict) else {"": each} for each in (value, numbers))
    for name, each in numbers.items():
        assert each.shape == (40,)
        assert float(each.mean()) == pytest.approx(float(value[name]), rel=1e-9)


def test_the_interval_is_that_of_sequences_not_of_their_steps():
    """All labels of a sequence are right or wrong together: the variance of the share is that of the sequences."""
    random = np.random.default_rng(0)
    shares, claimed, of_steps_alone = [], [], []
    for _ in range(400):
        count = torch.from_numpy(random.integers(1, 9, 60))
        right = torch.from_numpy(random.random(60) < 0.7).double()
        each = by_sequence(right.repeat_interleave(count), count)
        shares.append(float(each.mean()))
        claimed.append(float(each.var()) / 60)
        of_steps_alone.append(shares[-1] * (1 - shares[-1]) / int(count.sum()))
    assert np.mean(claimed) == pytest.approx(np.var(shares), rel=0.2)
    assert np.mean(of_steps_alone) < np.var(shares) / 3


@pytest.mark.parametrize("make", [Accuracy, F1Macro])
def test_a_copy_is_one_of_steps_too_with_sums_of_its_own(make):
    outputs, y = sentences()
    metric = of_steps(make())
    metric.update(outputs, y)
    other = copy.deepcopy(metric)
    other.update(outputs.flip(0), y)
    assert type(other) is type(metric)
    assert metric.compute() != other.compute()
