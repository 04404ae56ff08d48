"""Main effects and interactions against the textbook."""

import numpy as np
import pytest
from scipy import stats

from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.statistics.comparisons import holm
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
    assert effect.p_holm == holm([each.p for each in found.effects.each])[2]
    assert effect.freedom == pytest.approx((1, 5))


def test_of_two_factors_each_has_its_own_part_and_says_what_each_level_adds():
    scores = {(b, m): [1.0 + 0.2 * (b == 128) + 0.05 * (m == 0.9) + 0.01 * s * (b == 32) + 1e-9 * s for s in range(3)]
              for b in (32, 128) for m in (0.0, 0.9)}  # fmt: skip
    batch, momentum, both = ablation_of(study(scores)).effects.each
    assert [cell.levels for cell in batch.cells] == [(32,), (128,)]
    assert [cell.deviation.mean for cell in batch.cells] == pytest.approx([-0.095, 0.095])
    assert [cell.deviation.mean for cell in momentum.cells] == pytest.approx([-0.025, 0.025])
    assert batch.omega_squared > momentum.omega_squared > both.omega_squared == pytest.approx(0, abs=1e-12)
    assert both.interaction and not batch.interaction


def test_why_there_are_no_effects():
    assert ablation_of(study({(32, 0.0): [0.9, 0.8]})).effects.why == "no factor varies"
    hole = {(32, 0.0): [0.9, 0.8], (32, 0.9): [0.9, 0.8], (128, 0.0): [0.9, 0.8]}
    assert ablation_of(study(hole)).effects.why == "the arms are not the full grid of the factors"
    one = ablation_of(study({(32, 0.0): [0.9], (128, 0.0): [0.8]})).effects
    assert one.why == "all arms share 1 finished seeds, and two are the least"
