from dataclasses import replace

import pytest

from hpsearch.reports.ablation.claims import effective_rate as claim_effective_rate
from hpsearch.reports.ablation.claims.claim import BATCH, RATE
from hpsearch.reports.ablation.claims.rates import rates_of
from hpsearch.reports.ablation.tuning import TriedSetting
from tests.support.ablations import AGAINST, DOWN, GRID, SUPPORTED, UNDECIDED, UP, arm, evidence, search, untested


def effective_rate(searches, arms, objective):
    return claim_effective_rate.effective_rate(evidence(searches, arms, objective=objective))


class TestEffectiveRate:
    def test_supported_when_every_momentum_has_the_same_best(self):
        found = effective_rate([search(0.1, m) for m in (0.0, 0.9, 0.99)], [], UP)
        assert found.verdict == SUPPORTED
        assert found.numbers["best[momentum 0.99]"] == pytest.approx(0.1)
        assert found.numbers["decades_apart[]"] == pytest.approx(0, abs=1e-9)

    def test_one_step_apart_is_within_the_grid(self):
        assert effective_rate([search(0.1), search(1.0, 0.9)], [], UP).verdict == SUPPORTED

    def test_not_supported_when_best_and_what_is_not_told_apart_are_further_away(self):
        found = effective_rate([search(0.01), search(1.0, 0.9)], [], UP)
        assert found.verdict == AGAINST and found.numbers["decades_apart[]"] == pytest.approx(2)

    def test_undecided_when_noise_lets_the_ranges_meet(self):
        # A step costs .1; with a noise of .03 over 3 seeds less than 4.30 x .03 x sqrt(2 / 3) = .105 is not told apart.
        noisy = [arm([0.9 - 0.03, 0.9, 0.9 + 0.03])]
        found = effective_rate([search(0.01), search(1.0, 0.9)], noisy, UP)
        assert found.verdict == UNDECIDED
        assert found.numbers["best[momentum 0]_high"] == pytest.approx(0.1)

    def test_undecided_with_a_best_at_the_edge(self):
        found = effective_rate([search(0.001), search(0.001, 0.9)], [], UP)
        assert found.verdict == UNDECIDED and "edge of what was tried" in found.sentence

    def test_a_rate_that_diverged_bounds_the_best(self):
        rates = GRID[:4]
        tuned = [search(0.1, m, diverged=[1.0], rates=rates) for m in (0.0, 0.9)]
        assert effective_rate(tuned, [], UP).verdict == SUPPORTED

    def test_one_group_that_disagrees_decides(self):
        tuned = [search(0.1, m, **{BATCH: 32}) for m in (0.0, 0.9)]
        tuned += [search(best, m, **{BATCH: 64}) for best, m in ((0.01, 0.0), (1.0, 0.9))]
        assert effective_rate(tuned, [], UP).verdict == AGAINST

    def test_of_a_loss_the_smallest_is_best(self):
        turned = [
            replace(each, tried=tuple(replace(t, mean=1 - t.mean) for t in each.tried))
            for each in (search(0.1), search(0.1, 0.9))
        ]
        found = effective_rate(turned, [], DOWN)
        assert found.verdict == SUPPORTED and found.numbers["best[momentum 0]"] == pytest.approx(0.1)
        assert min(found.series["groups"][""][0]["y"]) == pytest.approx(0.1)

    def test_untested_without_two_momenta_or_two_rates(self):
        untested(effective_rate([search(0.1)], [], UP), "one momentum only")
        few = "no two momenta, all else equal, have a best of two rates or more"
        untested(effective_rate([search(0.1, **{"a": 1}), search(0.1, 0.9, **{"a": 2})], [], UP), few)
        untested(effective_rate([search(0.1, m, rates=[0.1]) for m in (0.0, 0.9)], [], UP), few)

    def test_the_best_of_several_settings_at_a_rate_counts(self):
        tried = tuple(
            TriedSetting({RATE: rate, "optimizer.weight_decay": decay}, mean, mean is None, mean is not None)
            for rate, decay, mean in ((0.1, 0, 0.9), (0.1, 1, None), (1.0, 0, None), (1.0, 1, None))
        )
        rates = rates_of(replace(search(0.1), tried=tried), 0.0, 0.0, UP)
        assert rates.effective == (0.1,) and rates.diverged == (1.0,) and rates.edge == (0.1, 1.0)
