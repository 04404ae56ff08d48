"""Main effects and interactions against the textbook."""

import numpy as np
import pytest
from scipy import stats

from hpsearch.reports.ablation.numbers import ablation_of
from tests.support.ablations import grid, study


def test_interaction_of_two_by_two_is_the_t_test_of_the_contrast():
    scores = grid()
    found = ablation_of(study(scores))
    cells = {key: np.array(values) for key, values in scores.items()}
    contrast = cells[32, 0.0] - cells[32, 0.9] - cells[128, 0.0] + cells[128, 0.9]
    expected = stats.ttest_1samp(contrast, 0.0)
    effect = found.effects.each[2]
    assert effect.interaction and effect.keys == ("data.batch_size", "optimizer.momentum")
    assert effect.f == pytest.approx(expected.statistic**2) and effect.p == pytest.approx(expected.pvalue)
    assert sum(each.eta_squared for each in found.effects.each) == pytest.approx(1.0)
    assert effect.freedom == pytest.approx((1, 5))
