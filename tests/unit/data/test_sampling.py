"""Balanced sampling: its frequencies, and that it is a function of seed and epoch."""

from collections import Counter

import pytest
import torch
from scipy.stats import binomtest

from hpsearch.base.errors import ConfigError
from hpsearch.data.digits import Digits
from hpsearch.data.sampling import addresses, balanced_rows, check_classes_drawn

Y = torch.tensor([1] * 5 + [0] * 990 + [2] * 5)[torch.randperm(1000, generator=torch.Generator().manual_seed(1))]
NEVER_BY_CHANCE = 1e-9


def test_every_class_is_drawn_alike_and_every_row_of_a_class():
    rows = torch.cat([balanced_rows(Y, 3, epoch) for epoch in range(1, 61)])
    assert len(rows) == 60 * 1000
    for label, count in enumerate(Y[rows].bincount().tolist()):
        assert binomtest(count, len(rows), 1 / 3).pvalue > NEVER_BY_CHANCE, label
    visits = rows.bincount(minlength=1000)
    for row in [*torch.where(Y != 0)[0].tolist(), *torch.where(Y == 0)[0].tolist()[:50]]:
        share = 1 / (3 * int((Y[row] == Y).sum()))
        assert binomtest(int(visits[row]), len(rows), share).pvalue > NEVER_BY_CHANCE, row
    assert (visits > 0).all()


def test_a_class_that_is_not_there_is_not_drawn():
    rows = balanced_rows(torch.tensor([3, 0, 3, 3]), 0, 1)
    assert set(rows.tolist()) <= {0, 1, 2, 3}
    many = torch.cat([balanced_rows(torch.tensor([3, 0, 3, 3]), 0, epoch) for epoch in range(1000)])
    assert binomtest(int((many == 1).sum()), len(many), 1 / 2).pvalue > NEVER_BY_CHANCE


def test_it_is_a_function_of_seed_and_epoch():
    before = balanced_rows(Y, 3, 2)
    torch.rand(5)
    assert torch.equal(balanced_rows(Y, 3, 2), before)
    assert not torch.equal(balanced_rows(Y, 3, 1), before) and not torch.equal(balanced_rows(Y, 4, 2), before)


def test_visits_to_one_row_have_addresses_of_their_own():
    rows = torch.tensor([4, 1, 4, 0, 1, 4])
    assert addresses(rows, 10).tolist() == [4, 1, 14, 0, 11, 24]
    seen, found = Counter(), addresses(balanced_rows(Y, 0, 1), 1000).tolist()
    for row, address in zip(balanced_rows(Y, 0, 1).tolist(), found, strict=True):
        assert address == row + 1000 * seen[row]
        seen[row] += 1
    order = torch.randperm(9)
    assert torch.equal(addresses(order, 9), order)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shuffle": False}, r"data\.sampling = 'balanced': draws at random, so data\.shuffle = False means nothing"),
        ({"class_weights": "balanced"}, r"data\.sampling = 'balanced': with data\.class_weights the classes would be"),
        ({"sampling": "even"}, r"data\.sampling = 'even': must be"),
    ],
)
def test_what_does_not_go_together_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        Digits(**{"sampling": "balanced", **fields})


def test_a_class_without_samples_is_refused():
    y = torch.tensor([0, 2, 2, 0])
    check_classes_drawn("balanced", torch.tensor([1, 0, 2]), "abc")
    check_classes_drawn(None, y, "abc")
    with pytest.raises(ConfigError, match=r"data\.sampling = 'balanced': the training part has no sample of class 'b'"):
        check_classes_drawn("balanced", y, "abc")
    with pytest.raises(ConfigError, match=r"data\.sampling = 'balanced': a regression has no classes, use null"):
        check_classes_drawn("balanced", torch.zeros(4, 1), ())
