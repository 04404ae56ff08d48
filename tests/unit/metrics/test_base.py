import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.metrics.acc import Accuracy
from hpsearch.metrics.base import bounded_by_0_and_1, check_fit, names_of
from hpsearch.metrics.mae import MeanAbsoluteError
from hpsearch.metrics.r2 import R2
from hpsearch.metrics.top_k import TopK


class Theirs:
    """The interface of torchmetrics, without torchmetrics."""

    higher_is_better = False
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    def update(self, outputs, y): ...

    def compute(self):
        return 0.5

    def reset(self): ...


@pytest.mark.parametrize(
    ("metric", "share"), [(Accuracy, True), (TopK(2), True), (MeanAbsoluteError, False), (R2, False), (Theirs, True)]
)
def test_shares_lie_between_0_and_1(metric, share):
    assert bounded_by_0_and_1(metric) is share


def test_what_says_no_range_is_no_share():
    assert not bounded_by_0_and_1(type("Bare", (), {}))


def test_a_metric_has_the_name_of_its_key_or_names_its_numbers():
    assert names_of("mine", Theirs()) == ("mine",)
    assert names_of("top_k", TopK([2, 5])) == ("top_2", "top_5")


def test_a_metric_of_another_task():
    with pytest.raises(ConfigError, match=r"^metric\.mae: is for a regression, and the data is a classification$"):
        check_fit("mae", MeanAbsoluteError(), "classification", 10)
    check_fit("mae", MeanAbsoluteError(), "regression", 1)
    check_fit("theirs", Theirs(), "regression", 1)


def test_a_top_of_more_than_there_is():
    check_fit("top_k", TopK([2, 10]), "classification", 10)
    check_fit("top_k", TopK(2), "classification", 1)
    with pytest.raises(ConfigError, match=r"metric\.top_k\.k = 11: but there are 10 classes"):
        check_fit("top_k", TopK([11, 2]), "classification", 10)
