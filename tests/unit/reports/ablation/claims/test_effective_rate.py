from dataclasses import replace

import pytest

from hpsearch.reports.ablation.claims import effective_rate as claim_effective_rate
from hpsearch.reports.ablation.claims.claim import BATCH, RATE
from hpsearch.reports.ablation.claims.rates import rates_of
from hpsearch.reports.ablation.tuning import TriedSetting
from tests.support.ablations import AGAINST, DOWN, GRID, SUPPORTED, UNDECIDED, UP, evidence, search, untested


def effective_rate(searches, objective=UP):
    return claim_effective_rate.effective_rate(evidence(searches, objective=objective))


class TestEffectiveRate:
    def test_supported_when_every_momentum_has_the_same_best(self):
        found = effective_rate([search(0.1, m) for m in (0.0, 0.9, 0.99)])
        assert found.verdict == SUPPORTED
        assert found.numbers["best[momentum 0.99]"] == pytest.approx(0.1, rel=0.2)
        assert found.numbers["ratio[]"] == pytest.approx(1) and found.numbers["step[]"] == pytest.approx(10)
        assert found.numbers["ratio[]_low"] * found.numbers["ratio[]_high"] == pytest.approx(1)
        assert (
            "that of momentum 0.9 is 1.00 (0." in found.sentence and "a step of the grid 10.00 times" in found.sentence
        )

    def test_undecided_a_step_apart(self):
        found = effective_rate([search(0.1), search(1.0, 0.9)])
        assert found.verdict == UNDECIDED
        assert found.numbers["ratio[]_low"] < 10 < found.numbers["ratio[]_high"]

    @pytest.mark.parametrize(("best", "verdict"), [(0.2, SUPPORTED), (10.0, AGAINST)])
    def test_the_ratio_decides_between_the_rates_of_the_grid_too(self, best, verdict):
        found = effective_rate([search(0.1), search(best, 0.9)])
        assert found.verdict == verdict and found.numbers["ratio[]"] == pytest.approx(best / 0.1, rel=0.3)

    def test_undecided_when_noise_hides_the_ratio(self):
        found = effective_rate([search(0.1, m, noise=0.6) for m in (0.0, 0.9)])
        assert found.verdict == UNDECIDED

    @pytest.mark.parametrize("end", [GRID[0], GRID[-1]])
    def test_undecided_with_a_best_at_the_edge(self, end):
        found = effective_rate([search(end, m) for m in (0.0, 0.9)])
        assert found.verdict == UNDECIDED and "the best rate lies at the edge of what was tried" in found.sentence

    def test_rates_of_which_a_seed_fails_are_in_no_curve(self):
        found = effective_rate([search(0.1, m, flat={10.0: 1}) for m in (0.0, 0.9)])
        assert found.verdict == SUPPORTED and found.numbers["best[momentum 0]"] == pytest.approx(0.1, rel=0.3)
        few = effective_rate([search(0.1, m, diverged=GRID[3:]) for m in (0.0, 0.9)])
        assert few.verdict == UNDECIDED and "fewer than 4 rates in a row train with every seed" in few.sentence

    def test_one_group_that_disagrees_decides(self):
        tuned = [search(0.1, m, **{BATCH: 32}) for m in (0.0, 0.9)]
        tuned += [search(best, m, **{BATCH: 64}) for best, m in ((0.1, 0.0), (10.0, 0.9))]
        assert effective_rate(tuned).verdict == AGAINST

    def test_of_a_loss_the_smallest_is_best(self):
        turned = [
            replace(
                each,
                tried=tuple(
                    replace(t, mean=1 - t.mean, scores={seed: 1 - v for seed, v in t.scores.items()})
                    for t in each.tried
                ),
            )
            for each in (search(0.1), search(0.1, 0.9))
        ]
        found = effective_rate(turned, DOWN)
        assert found.verdict == SUPPORTED and found.numbers["best[momentum 0]"] == pytest.approx(0.1, rel=0.3)
        assert min(found.series["groups"][""][0]["y"]) == pytest.approx(0.1, abs=0.02)

    def test_untested_without_two_momenta_or_two_rates(self):
        untested(effective_rate([search(0.1)]), "one momentum only")
        few = "no two momenta, all else equal, have a best of two rates or more"
        untested(effective_rate([search(0.1, **{"a": 1}), search(0.1, 0.9, **{"a": 2})]), few)
        untested(effective_rate([search(0.1, m, rates=[0.1]) for m in (0.0, 0.9)]), few)

    def test_the_best_of_several_settings_at_a_rate_counts(self):
        tried = tuple(
            TriedSetting({RATE: rate, "optimizer.weight_decay": decay}, mean, mean is None, mean is not None)
            for rate, decay, mean in ((0.1, 0, 0.9), (0.1, 1, None), (1.0, 0, None), (1.0, 1, None))
        )
        rates = rates_of(replace(search(0.1), tried=tried), 0.0, UP)
        assert rates.effective == (0.1,) and rates.diverged == (1.0,) and rates.counts.happened == [1, 0]

    @pytest.mark.parametrize("lucky", [0.001, 1.0])
    def test_one_lucky_rate_is_not_the_best_of_a_curve(self, lucky):
        tuned = search(0.1)
        tried = tuple(replace(t, mean=0.99) if t.params[RATE] == lucky else t for t in tuned.tried)
        assert rates_of(replace(tuned, tried=tried), 0.0, UP).best in (0.01, 0.1, 1.0)
