from types import SimpleNamespace

import pytest

from hpsearch.study.stages.base import Verdict
from hpsearch.study.stages.train_longer import TrainLonger

LATE, EARLY, MIDDLE = [*range(20)], [20, *range(19)], [*range(13), *[5] * 7]


@pytest.mark.parametrize(
    ("curves", "cause"),
    [
        ([LATE, LATE, MIDDLE], "too short"),
        ([MIDDLE, MIDDLE, LATE], ""),
        ([EARLY, EARLY], "too long"),
        ([EARLY, MIDDLE], ""),
        ([[0.9]], ""),
        ([[*range(5), None, None, *range(5, 18)], LATE], "too short"),
        ([[None, 20, *range(18)], [None] * 20], "too long"),
        ([[None] * 20], ""),
    ],
)
@pytest.mark.parametrize("maximize", [True, False])
def test_where_the_best_epochs_lie_says_how_long_to_train(curves, cause, maximize):
    sign = 1 if maximize else -1
    handed = {"fine_curves": [[None if value is None else sign * value for value in curve] for curve in curves]}
    finding = TrainLonger().run(SimpleNamespace(handed=handed, objective=SimpleNamespace(maximize=maximize)))
    assert finding.cause == cause
    assert (finding.verdict is Verdict.WARN) is bool(cause)
