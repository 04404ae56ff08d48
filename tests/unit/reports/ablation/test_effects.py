"""Main effects and interactions against the textbook."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from hpsearch.reports.ablation.comparisons import differences
from hpsearch.reports.ablation.effects import Effect, Effects, disagreement
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.tables import effect_rows
from hpsearch.statistics.comparisons import holm
from tests.support.ablations import UP, arm, grid, study


def test_interaction_of_two_by_two_is_the_t_test_of_the_contrast():
    scores = grid()
    found = ablation_of(study(scores))
    cells = {key: np.array(values) for key, values in scores.items()}
    contrast = cells[32, 0.0] - cells[32, 0.9] - cells[128, 0.0] + cells[128, 0.9]
    expected = stats.ttest_1samp(contrast, 0.0)
    effect = found.effects.each[2]
    assert effect.interaction and effect.keys == ("data.batch_size", "optimizer.momentum")
    assert effect.f == pytest.approx(expected.statistic**2) and effect.p == pytest.approx(expected.pvalue)
    assert [each.p_holm for each in found.effects.each] == holm([each.p for each in found.effects.each])
    assert any(each.p_holm > each.p for each in found.effects.each)
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


def test_the_share_of_one_factor_alone_is_not_told():
    (only,) = ablation_of(study({(32, m): [0.9 + m / 50, 0.8, 0.85] for m in (0.0, 0.9)})).effects.each
    assert only.omega_squared is None
    names, rows = effect_rows(ablation_of(study({(32, m): [0.9 + m / 50, 0.8, 0.85] for m in (0.0, 0.9)})))
    assert names == ("effect", "F", "degrees of freedom", "p") and len(rows[0]) == 4
    found = ablation_of(study(grid()))
    names, rows = effect_rows(found)
    assert names == ("effect", "share of variance, ω²", "F", "degrees of freedom", "p", "p (Holm)")
    assert [row[1].value for row in rows] == [each.omega_squared for each in found.effects.each]


def effect(p):
    return Effect(("data.batch_size",), "batch size", (), None, 9.0, (1.0, 4.0), p, p)


def differing(*verdicts):
    (found,) = differences([arm([0.5, 0.6], size=1), arm([0.5, 0.7], size=2)], arm([0.5, 0.6], size=0), UP)[1:]
    return [replace(found, verdict=verdict) for verdict in verdicts]


EQUAL, BETTER = "may be equal", "better"


@pytest.mark.parametrize(
    ("p", "verdicts", "said"),
    [
        (
            0.01,
            [EQUAL, EQUAL],
            "The analysis of variance finds an effect of batch size (p = 0.01), though no arm differs",
        ),
        (
            0.2,
            [BETTER, "worse", EQUAL],
            "2 arms differ from the reference after Holm's adjustment, but the analysis of",
        ),
        (0.2, [BETTER], "1 arm differs from the reference after Holm's adjustment, but the analysis"),
        (0.01, [BETTER, EQUAL], ""),
        (0.2, [EQUAL], ""),
        (None, [EQUAL], ""),
    ],
)
def test_where_the_analysis_of_variance_and_holm_disagree_it_is_said(p, verdicts, said):
    found = disagreement(Effects((), (effect(p),)), differing(*verdicts))
    assert found.startswith(said) and bool(found) == bool(said)


def test_without_effects_there_is_nothing_to_disagree_with():
    assert disagreement(Effects((), (), "no factor varies"), differing(BETTER)) == ""
