"""Each claim against data made up so that the answer is known."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from hpsearch.base.types import Objective, TrialState, TrialTable
from hpsearch.reports.ablation.arms import Arm, name_of
from hpsearch.reports.ablation.claims.claim import BATCH, MOMENTUM, RATE
from hpsearch.reports.ablation.claims.critical_batch_size import critical_batch_size
from hpsearch.reports.ablation.claims.edge_of_stability import edge_of_stability
from hpsearch.reports.ablation.claims.effective_rate import effective_rate
from hpsearch.reports.ablation.claims.evidence import interval_text, over_groups
from hpsearch.reports.ablation.claims.loss_before_accuracy import loss_before_accuracy
from hpsearch.reports.ablation.claims.noise_scale import noise_scale
from hpsearch.reports.ablation.claims.rates import rates_of
from hpsearch.reports.ablation.claims.time_per_epoch import time_per_epoch
from hpsearch.reports.ablation.claims.updates_to_target import updates_to_target
from hpsearch.reports.ablation.costs import Cost, TimeToTarget
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.tuning import ArmSearch, TriedSetting, searches_of
from hpsearch.reports.kit.points import halved
from hpsearch.statistics.intervals import estimate
from hpsearch.statistics.survival import kaplan_meier_median
from tests.support import synthetic

UP, DOWN = Objective("valid/acc", share=True), Objective("valid/loss", "minimize")
SUPPORTED, AGAINST, UNDECIDED = "supported", "not supported", "undecided on this data"
GRID = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]  # of effective rates; a step is a decade
JITTER = (-0.01, 0.0, 0.01)  # of three seeds


def search(best, momentum=0.0, flat=(), diverged=(), rates=GRID, stable=True, **levels):
    """The search of one arm over effective rates: a score of .9 at the best, .1 less a step away, .1 where flat."""
    tried = []
    for rate in rates:
        away, dead = rate in diverged, rate in flat
        score = 0.1 if dead else 0.9 - 0.1 * abs(math.log10(rate / best))
        fine = None if stable is None else not (away or dead)
        tried.append(TriedSetting({RATE: rate * (1 - momentum)}, None if away else score, away, fine))
    lr, trained = best * (1 - momentum), [rate for rate in rates if rate not in diverged]
    inside = min(rates) < best < max(rates)
    edge = {} if inside or len(rates) < 3 else {RATE: "low" if best == min(rates) else "high"}
    levels = {MOMENTUM: momentum, **levels}
    return ArmSearch(name_of(levels), levels, {RATE: lr} if trained else {}, 0.9, 3, edge, tuple(tried))


def arm(scores, **levels):
    """An arm with a score per seed: a list, or a dictionary by seed."""
    by_seed = scores if isinstance(scores, dict) else dict(enumerate(scores))
    replicates = tuple((seed, 0) for seed in sorted(by_seed))
    found = estimate([by_seed[seed] for seed, _ in replicates])
    return Arm(0, name_of(levels), levels, {}, replicates, found, None, len(by_seed), 0, TrialState.COMPLETE)


def cost(updates=None, times=None, epochs=20.0):
    """What an arm cost: updates to the target by seed, None where it was missed; seconds per epoch and per update."""
    none, to_target, times = estimate([]), {}, times or {}
    if updates is not None:
        by_seed = updates if isinstance(updates, dict) else dict(enumerate(updates))
        seeds = tuple((seed, 0) for seed in sorted(by_seed))
        there = tuple(by_seed[seed] is not None for seed, _ in seeds)
        values = tuple(float(by_seed[seed] or 1e6) for seed, _ in seeds)
        to_target["updates"] = TimeToTarget("updates", 0.95, seeds, values, there, kaplan_meier_median(values, there))
        passes = tuple(epochs for _ in seeds)
        to_target["epochs"] = TimeToTarget("epochs", 0.95, seeds, passes, there, kaplan_meier_median(passes, there))
    epoch_sec, update_sec = (estimate([times[seed][i] for seed in sorted(times)]) for i in (0, 1))
    timed = tuple((seed, 0) for seed in sorted(times))
    return Cost("", timed, update_sec, epoch_sec, none, none, none, none, none, none, none, to_target)


def over_batches(updates, scores=None, sizes=None, **levels):
    """Arms and costs over batch sizes; `updates` maps a size to updates by seed."""
    arms = [arm((scores or {}).get(size, [0.9, 0.91, 0.92]), **{BATCH: size, **levels}) for size in updates]
    return arms, [cost(each) for each in updates.values()]


def untested(claim, why):
    """A claim whose evidence is missing is undecided, says why, and has nothing to draw."""
    assert (claim.verdict, claim.sentence) == (UNDECIDED, why)
    assert not claim.numbers and not claim.series


def jittered(updates):
    return [updates * (1 + jitter) for jitter in JITTER]


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


class TestEdgeOfStability:
    @pytest.mark.parametrize("kind", ["flat", "diverged"])
    def test_supported_when_a_large_momentum_breaks_later(self, kind):
        tuned = [search(0.1, 0.0, **{kind: GRID[3:]}), search(0.1, 0.9, **{kind: GRID[5:]})]
        found = edge_of_stability(tuned, [], UP)
        assert found.verdict == SUPPORTED
        assert found.numbers["factor[]_low"] == pytest.approx(10)  # 10 trained over 1 broken
        assert found.numbers["factor[]_high"] == pytest.approx(1000)  # 100 broken over .1 trained
        assert "momentum 0 trains up to 0.1 and breaks at 1," in found.sentence
        assert "does not fall below half of its first value" in found.sentence

    @pytest.mark.parametrize("kind", ["flat", "diverged"])
    def test_not_supported_when_it_breaks_earlier(self, kind):
        tuned = [search(0.1, 0.0, **{kind: GRID[5:]}), search(0.1, 0.9, **{kind: GRID[3:]})]
        found = edge_of_stability(tuned, [], UP)
        assert found.verdict == AGAINST and found.numbers["factor[]_high"] == pytest.approx(0.1)

    def test_undecided_when_both_break_within_a_step(self):
        tuned = [search(0.1, m, flat=GRID[3:]) for m in (0.0, 0.9)]
        assert edge_of_stability(tuned, [], UP).verdict == UNDECIDED

    @pytest.mark.parametrize(("first", "second", "verdict"), [(3, 4, SUPPORTED), (4, 3, AGAINST)])
    def test_decided_where_one_trains_at_the_rate_that_breaks_the_other(self, first, second, verdict):
        tuned = [search(0.1, 0.0, flat=GRID[first:]), search(0.1, 0.9, flat=GRID[second:])]
        assert edge_of_stability(tuned, [], UP).verdict == verdict

    def test_the_first_that_breaks_counts_whatever_it_does(self):
        tuned = [search(0.1, 0.0, flat=[1.0], diverged=GRID[4:]), search(0.1, 0.9, diverged=[100.0])]
        found = edge_of_stability(tuned, [], UP)
        assert found.verdict == SUPPORTED and "momentum 0 trains up to 0.1 and breaks at 1," in found.sentence

    def test_what_small_rates_do_not_learn_is_no_edge(self):
        slow, fast = search(1.0, 0.0, flat=GRID[:2] + GRID[4:]), search(1.0, 0.9, flat=[*GRID[:3], 100.0])
        found = edge_of_stability([slow, fast], [], UP)
        assert "momentum 0 trains up to 1 and breaks at 10, momentum 0.9 trains up to 10" in found.sentence

    def test_undecided_where_the_best_rate_itself_is_not_stable(self):
        dead = search(0.1, 0.0, flat=GRID)
        found = edge_of_stability([dead, search(0.1, 0.9, flat=GRID[4:])], [], UP)
        assert found.verdict == UNDECIDED
        assert "the best rate of momentum 0 did not halve the training loss" in found.sentence and not found.numbers

    def test_undecided_when_nothing_breaks(self):
        found = edge_of_stability([search(0.1), search(0.1, 0.9)], [], UP)
        assert found.verdict == UNDECIDED and "nothing above breaks" in found.sentence and not found.numbers

    def test_a_bound_on_one_side_decides(self):
        found = edge_of_stability([search(0.1, 0.0, flat=GRID[3:]), search(0.1, 0.9)], [], UP)
        assert found.verdict == SUPPORTED and "at least 1e+02 times" in found.sentence
        found = edge_of_stability([search(0.1), search(0.1, 0.9, flat=GRID[3:])], [], UP)
        assert found.verdict == AGAINST and "at most 0.01 times" in found.sentence

    def test_without_training_losses_only_divergence_counts(self):
        tuned = [search(0.1, 0.0, flat=[1.0], diverged=GRID[4:], stable=None), search(0.1, 0.9, stable=None)]
        found = edge_of_stability(tuned, [], UP)
        assert "momentum 0 trains up to 1 and breaks at 10," in found.sentence
        assert "no training loss is recorded" in found.sentence

    def test_untested_with_one_momentum(self):
        untested(edge_of_stability([search(0.1)], [], UP), "one momentum only")

    def test_a_dead_net_of_a_real_table_is_beyond_the_edge(self):
        table, tuning = synthetic.momenta(kinds=("flat", "flat"))
        assert set(tuning.trials["state"]) == {"COMPLETE"}
        found = {each.claim.number: each.result for each in ablation_of(table, tuning).claims}[2]
        assert found.verdict == SUPPORTED and found.numbers["factor[batch size 16]_low"] == pytest.approx(10**0.5)


class TestTried:
    def test_stability_is_that_of_the_sweep(self):
        _, tuning = synthetic.momenta()
        known = halved(tuning)
        tried = [each for tuned in searches_of(tuning) for each in tuned.tried]
        assert [each.stable for each in tried] == [known[point] for point in range(len(tried))]
        assert {(each.diverged, each.stable) for each in tried} == {(False, True), (False, False), (True, False)}

    def test_out_of_memory_is_not_divergence(self):
        _, tuning = synthetic.momenta(batches=(16,), values=(0.0,))
        away = tuning.trials["state"] == "INFEASIBLE"
        tuning = replace(tuning, trials=tuning.trials.assign(reason=["out of memory" if each else "" for each in away]))
        (tuned,) = searches_of(tuning)
        lost = [each for each in tuned.tried if each.mean is None]
        assert lost and not any(each.diverged for each in lost)


class TestNoiseScale:
    def tuned(self, bests, sizes=(32, 320, 3200, 32000), **levels):
        return [search(best, **{BATCH: size, **levels}) for best, size in zip(bests, sizes, strict=True)]

    def test_supported_when_the_best_rate_is_in_proportion(self):
        found = noise_scale(self.tuned([0.01, 0.1, 1.0, 10.0]), UP)
        assert found.verdict == SUPPORTED and found.numbers["exponent"] == pytest.approx(1)
        # The grid alone: steps of a decade, sizes a decade apart: 1.96 / sqrt(12 x 5).
        assert found.numbers["exponent_high"] - 1 == pytest.approx(1.96 / math.sqrt(60), rel=1e-3)

    def test_not_supported_when_the_rate_alone_counts(self):
        found = noise_scale(self.tuned([0.1] * 4), UP)
        assert found.verdict == AGAINST and found.numbers["exponent"] == pytest.approx(0)

    def test_undecided_when_the_interval_holds_both(self):
        assert noise_scale(self.tuned([0.01, 1.0, 0.1, 1.0]), UP).verdict == UNDECIDED

    def test_undecided_at_an_edge(self):
        found = noise_scale(self.tuned([0.001, 0.01, 0.1, 1.0]), UP)
        assert found.verdict == UNDECIDED and "edge" in found.sentence

    def test_an_edge_of_another_hyperparameter_does_not_matter(self):
        tuned = [replace(t, at_edge={"optimizer.weight_decay": "low"}) for t in self.tuned([0.01, 0.1, 1.0, 10.0])]
        assert noise_scale(tuned, UP).verdict == SUPPORTED

    def test_groups_share_the_slope_and_not_the_level(self):
        tuned = self.tuned([0.01, 0.1, 1.0], (32, 320, 3200), a=1) + self.tuned([0.1, 1.0, 10.0], (32, 320, 3200), a=2)
        assert noise_scale(tuned, UP).numbers["exponent"] == pytest.approx(1)

    def test_untested_of_two_sizes_or_of_one_rate(self):
        few = "no three batch sizes, all else equal, have a best of two rates or more"
        untested(noise_scale(self.tuned([0.01, 0.1], (32, 320)), UP), few)
        untested(noise_scale([search(0.1, rates=[0.1], **{BATCH: size}) for size in (32, 320, 3200)], UP), few)
        untested(noise_scale(self.tuned([0.01], (32,)), UP), "one batch size only")


FALLING = {size: jittered(100 + 6400 / size) for size in (16, 64, 256, 1024)}


class TestUpdatesToTarget:
    def test_supported_when_returns_diminish_and_nothing_is_lost(self):
        found = updates_to_target(*over_batches(FALLING), UP)
        assert found.verdict == SUPPORTED
        # 500, 200, 125, 106.25 updates over sizes four times as large.
        assert found.numbers["first_exponent"] == pytest.approx(math.log(200 / 500) / math.log(4))
        assert found.numbers["last_exponent"] == pytest.approx(math.log(106.25 / 125) / math.log(4))

    def test_not_supported_when_returns_grow(self):
        growing = {16: jittered(500), 64: jittered(400), 256: jittered(100)}
        assert updates_to_target(*over_batches(growing), UP).verdict == AGAINST

    def test_undecided_when_seeds_disagree(self):
        mixed = {16: [500, 500, 500], 64: [250, 400, 300], 256: [120, 100, 160]}
        assert updates_to_target(*over_batches(mixed), UP).verdict == UNDECIDED

    @pytest.mark.parametrize(("objective", "verdict"), [(UP, AGAINST), (DOWN, SUPPORTED)])
    def test_a_large_batch_that_scores_less_counts_against_it(self, objective, verdict):
        scores = {16: [0.9, 0.91, 0.92], 1024: [0.8, 0.811, 0.82]}
        assert updates_to_target(*over_batches(FALLING, scores), objective).verdict == verdict

    @pytest.mark.parametrize("large", [[0.8, 0.811, 0.82], [0.9, 0.91, 0.92], [0.95, 0.961, 0.97]])
    def test_an_unfair_comparison_says_nothing_in_either_direction(self, large):
        scores = {16: [0.9, 0.91, 0.92], 1024: large}
        found = updates_to_target(*over_batches(FALLING, scores), UP, "nothing was retuned")
        assert found.verdict == UNDECIDED and "unfair comparison: nothing was retuned" in found.sentence

    @pytest.mark.parametrize(
        ("objective", "level", "verdict"),
        # The gap is 0 with an interval of +- 2.48 (t at 2 degrees 4.303, sd .01 over sqrt 3) x .01 = .0248: the margins
        # are .02 of a share; 5 % of .6 and of .4, .03 and .02, of a loss.
        [(UP, 0.9, UNDECIDED), (UP, 0.4, UNDECIDED), (DOWN, 0.6, SUPPORTED), (DOWN, 0.4, UNDECIDED)],
    )
    def test_supported_only_when_the_interval_excludes_a_loss(self, objective, level, verdict):
        scores = {16: [level] * 3, 1024: [level - 0.01, level, level + 0.01]}
        found = updates_to_target(*over_batches(FALLING, scores), objective)
        assert found.numbers["score_gap_low"] == pytest.approx(-0.0248, abs=1e-4)
        assert found.verdict == verdict
        assert ("which does not exclude a loss of 0.02" in found.sentence) is (verdict == UNDECIDED)

    def test_a_small_loss_that_is_shown_counts_against_it(self):
        scores = {16: [0.9, 0.91, 0.92], 1024: [0.89, 0.9001, 0.91]}
        assert updates_to_target(*over_batches(FALLING, scores), UP).verdict == AGAINST

    def test_one_seed_decides_nothing(self):
        found = updates_to_target(*over_batches({16: [500], 64: [200], 256: [125]}, {16: [0.9], 256: [0.9]}), UP)
        assert found.verdict == UNDECIDED and "bend" in found.numbers and "bend_low" not in found.numbers

    def test_unequal_seeds_are_paired_by_seed(self):
        # Seed s needs 2^s times as much everywhere: paired, every exponent is -1 but for the last.
        shape = {16: 400, 64: 100, 256: 50}
        updates = {size: {seed: need * 2**seed for seed in range(4)} for size, need in shape.items()}
        del updates[64][0], updates[256][1]
        found = updates_to_target(*over_batches(updates), UP)
        assert found.numbers["first_exponent_low"] == pytest.approx(-1)
        assert found.numbers["first_exponent_high"] == pytest.approx(-1)
        assert found.numbers["last_exponent"] == pytest.approx(-0.5)

    def test_a_missed_target_leaves_the_seed_out_and_is_counted(self):
        updates = {size: [*each[:2], None] if size == 64 else each for size, each in FALLING.items()}
        found = updates_to_target(*over_batches(updates), UP)
        assert found.numbers["missed"] == 1 and "1 trials did not reach" in found.sentence
        assert found.numbers["first_exponent"] == pytest.approx(math.log(0.4) / math.log(4))

    def test_the_largest_batch_counts_though_it_never_reaches_the_target(self):
        updates = {**FALLING, 4096: [None] * 3}
        scores = {16: [0.9, 0.91, 0.92], 4096: [0.5, 0.511, 0.52]}
        found = updates_to_target(*over_batches(updates, scores), UP)
        assert found.verdict == AGAINST and found.numbers["missed"] == 3

    def test_seeds_of_several_groups_are_no_independent_evidence(self):
        arms, costs = over_batches(FALLING, kind="a")
        more, again = over_batches(FALLING, kind="b")
        one, two = updates_to_target(arms, costs, UP), updates_to_target(arms + more, costs + again, UP)
        assert two.numbers["score_gap_low"] == one.numbers["score_gap_low"]
        assert over_groups([{(0, 0): 1.0, (1, 0): 3.0}, {(0, 0): 3.0, (1, 0): math.nan}]).values == (2.0, 3.0)

    def test_undecided_when_updates_are_counted_too_coarsely(self):
        arms, costs = over_batches(FALLING)
        costs[0] = cost(FALLING[16], epochs=2.0)
        found = updates_to_target(arms, costs, UP)
        assert found.verdict == UNDECIDED and "one size needs 2 epochs" in found.sentence

    def test_untested_without_three_sizes_at_the_target(self):
        updates = {16: jittered(500), 64: jittered(200), 256: [None] * 3}
        few = "fewer than three batch sizes reached the target 0.95"
        untested(updates_to_target(*over_batches(updates), UP), few)
        untested(critical_batch_size(*over_batches(updates)), few)
        untested(updates_to_target(*over_batches({16: jittered(500)}), UP), "one batch size only")
        arms = [arm([0.9], **{BATCH: b}) for b in (16, 64, 256)]
        untested(updates_to_target(arms, [cost()] * 3, UP), "no target is set (ablation.target)")

    def test_no_seed_in_common_is_undecided(self):
        updates = {16: {0: 500}, 64: {1: 200}, 256: {2: 125}}
        scores = {16: {0: 0.9}, 256: {2: 0.9}}
        found = updates_to_target(*over_batches(updates, scores), UP)
        assert found.verdict == UNDECIDED and "unknown" in found.sentence
        assert not any(math.isnan(value) for value in found.numbers.values())


class TestCriticalBatchSize:
    def on_the_curve(self, s_min=100.0, e_min=25600.0, sizes=(16, 64, 256, 1024), jitter=JITTER):
        """The S with (S / S_min - 1) (B S / E_min - 1) = 1: B S^2 - S (B S_min + E_min) = 0."""
        return {b: [(1 + j) * (s_min + e_min / b) for j in jitter] for b in sizes}

    def test_points_on_the_curve_give_back_its_corner(self):
        updates = self.on_the_curve()
        for size, each in updates.items():
            middle = np.median(each)
            assert (middle / 100 - 1) * (size * middle / 25600 - 1) == pytest.approx(1)
        found = critical_batch_size(*over_batches(updates))
        assert found.verdict == SUPPORTED
        assert found.numbers["critical[]"] == pytest.approx(256)
        assert found.numbers["misfit[]"] == pytest.approx(0, abs=1e-9)
        drawn = found.series["groups"][""]
        assert (drawn["s_min"], drawn["e_min"], drawn["critical"]) == pytest.approx((100, 25600, 256))

    def test_not_supported_off_the_curve(self):
        humped = {16: jittered(1000), 64: jittered(100), 256: jittered(900)}
        found = critical_batch_size(*over_batches(humped))
        assert found.verdict == AGAINST and found.numbers["misfit[]"] > 0.2

    def test_undecided_without_a_corner(self):
        found = critical_batch_size(*over_batches(self.on_the_curve(s_min=-1.0)))  # falls faster than in proportion
        assert found.verdict == UNDECIDED and "no critical batch size can be told" in found.sentence
        assert "critical[]" not in found.numbers

    def test_one_seed_is_undecided(self):
        assert critical_batch_size(*over_batches(self.on_the_curve(jitter=[0.0]))).verdict == UNDECIDED

    def test_unequal_seeds_are_paired_by_seed(self):
        # Seed s needs 4^s times as much; by order, sizes with other seeds would not lie on one curve.
        base = self.on_the_curve(jitter=[0.0])
        updates = {size: {seed: 4**seed * need for seed in range(3)} for size, (need,) in base.items()}
        del updates[16][0], updates[1024][2]
        found = critical_batch_size(*over_batches(updates))  # seed 1 is left
        assert found.series["groups"][""]["s_min"] == pytest.approx(400)
        assert found.series["groups"][""]["e_min"] == pytest.approx(4 * 25600)

    def test_undecided_when_no_seed_reaches_the_target_at_every_size(self):
        updates = {16: [500, None], 64: [None, 300], 256: [200, 200]}
        found = critical_batch_size(*over_batches(updates))
        assert found.verdict == UNDECIDED and "no seed reached the target" in found.sentence

    def test_undecided_when_updates_are_counted_too_coarsely(self):
        updates = self.on_the_curve()
        arms, costs = over_batches(updates)
        found = critical_batch_size(arms, [*costs[:-1], cost(updates[1024], epochs=3.0)])
        assert found.verdict == UNDECIDED and "one size needs 3 epochs" in found.sentence

    def test_untested_without_a_target(self):
        arms = [arm([0.9], **{BATCH: b}) for b in (16, 64, 256)]
        untested(critical_batch_size(arms, [cost()] * 3), "no target is set (ablation.target)")


class TestTimePerEpoch:
    def timed(self, power, sizes=(16, 64, 256), wobble=JITTER, seeds=None):
        """Seconds per epoch that go as B^power, so that those per update go as B^(power + 1)."""
        arms, costs = [], []
        for place, size in enumerate(sizes):
            own = range(len(wobble)) if seeds is None else seeds[place]
            shift = {seed: size ** wobble[seed] for seed in own}
            arms.append(arm([0.9], **{BATCH: size}))
            costs.append(cost(times={s: (8 * size**power * w, size ** (power + 1) * w / 50) for s, w in shift.items()}))
        return arms, costs

    def test_supported_when_an_epoch_gets_cheaper(self):
        found = time_per_epoch(*self.timed(-0.6))
        assert found.verdict == SUPPORTED
        assert found.numbers["epoch_exponent"] == pytest.approx(-0.6)
        assert found.numbers["first_update_exponent"] == pytest.approx(0.4)
        first = "time per update between the two smallest sizes to 0.40 (0.38 to 0.42): flat (below 0.5). "
        assert f"power -0.60 (-0.62 to -0.58); {first}" in found.sentence
        assert " an update at 256" in found.sentence

    @pytest.mark.parametrize("power", [0.0, 0.2])
    def test_undecided_when_the_device_is_full_from_the_start(self, power):
        found = time_per_epoch(*self.timed(power))
        assert found.verdict == UNDECIDED and "only smaller ones could tell" in found.sentence

    @pytest.mark.parametrize(("epoch", "update"), [(-0.6, 1.2), (0.2, 0.4)])  # falls, not flat; flat, rises
    def test_both_exponents_must_hold(self, epoch, update):
        sizes = (16, 64, 256)
        arms = [arm([0.9], **{BATCH: size}) for size in sizes]
        costs = [cost(times={seed: (size**epoch, size**update) for seed in range(3)}) for size in sizes]
        assert time_per_epoch(arms, costs).verdict == AGAINST

    def by_update(self, powers, sizes=(16, 64, 256)):
        """Seconds per update 1 at the smallest size, growing to these powers of the size between neighbours."""
        grown = [(b / a) ** power for (a, b), power in zip(pairwise(sizes), powers, strict=True)]
        update = dict(zip(sizes, [1.0, *np.cumprod(grown)], strict=True))
        times = [{s: (1024 * u / b * b**w, u * b**w) for s, w in enumerate(JITTER)} for b, u in update.items()]
        return [arm([0.9], **{BATCH: b}) for b in sizes], [cost(times=each) for each in times]

    def test_an_update_that_grows_from_the_start_is_not_flat_though_an_epoch_gets_cheaper(self):
        found = time_per_epoch(*self.by_update([0.8, 0.8]))
        assert found.numbers["epoch_exponent_high"] < 0 and found.numbers["first_update_exponent_low"] > 0.5
        assert found.verdict == AGAINST and "0.80 (0.78 to 0.82): not flat (above 0.5)" in found.sentence

    def test_only_the_two_smallest_sizes_say_whether_an_update_is_flat(self):
        found = time_per_epoch(*self.by_update([0.0, 0.9]))
        assert found.verdict == SUPPORTED and found.numbers["first_update_exponent"] == pytest.approx(0, abs=1e-9)

    def test_undecided_when_the_bound_is_within_the_interval(self):
        found = time_per_epoch(*self.by_update([0.5, 0.9]))
        assert found.verdict == UNDECIDED and "not told whether flat (below 0.5)" in found.sentence

    def test_undecided_when_an_epoch_may_cost_the_same(self):
        # An update is flat at first and then takes up all that was gained.
        found = time_per_epoch(*self.by_update([0.4, 1.6]))
        assert found.numbers["epoch_exponent"] == pytest.approx(0, abs=1e-9) and found.verdict == UNDECIDED

    def test_one_seed_is_undecided(self):
        assert time_per_epoch(*self.timed(-0.6, wobble=[0.0])).verdict == UNDECIDED

    def test_unequal_seeds_are_paired_by_seed(self):
        found = time_per_epoch(*self.timed(-0.6, wobble=[0.0, 0.1, 0.2], seeds=[(0, 1, 2), (1, 2), (0, 1, 2)]))
        assert found.numbers["epoch_exponent"] == pytest.approx(-0.45)  # the mean of -.5 and -.4

    def test_untested_of_one_size_or_without_times(self):
        untested(time_per_epoch(*self.timed(-0.6, sizes=(16,))), "one batch size only")
        found = time_per_epoch([arm([0.9], **{BATCH: b}) for b in (16, 64)], [cost()] * 2)
        untested(found, "no two batch sizes, all else equal, were timed")


class TestLossBeforeAccuracy:
    def study(self, lags, epochs=12):
        """Trials whose loss is lowest at epoch 4 and whose accuracy is highest `lag` epochs later."""
        rows = [
            {
                **{"point": 0, "seed": seed, "fold": 0, "epoch": epoch},
                **{"valid/loss": abs(epoch - 4.0), "valid/acc": 1 - 0.01 * abs(epoch - 4 - lag)},
            }
            for seed, lag in enumerate(lags)
            for epoch in range(epochs + 1)
        ]
        table = TrialTable("t", {}, pd.DataFrame(), pd.DataFrame(rows), pd.DataFrame())
        return table, [arm([0.9] * len(lags))]

    @pytest.mark.parametrize(
        ("lags", "verdict"),
        [
            ([3, 4, 5], SUPPORTED),
            ([-3, -2, -2], AGAINST),
            ([-1, 0, 2], UNDECIDED),
            ([0, 0, 0], AGAINST),
            ([3], UNDECIDED),
        ],
    )
    def test_the_lag_decides(self, lags, verdict):
        found = loss_before_accuracy(*self.study(lags))
        assert found.verdict == verdict
        assert found.numbers["lag"] == pytest.approx(np.mean(lags)) and found.numbers["loss_epoch"] == 4

    def test_a_loss_that_falls_to_the_end_refutes_nothing(self):
        found = loss_before_accuracy(*self.study([0, 0, 0], epochs=4))
        assert found.verdict == UNDECIDED and "still falling at the end of 3 of 3 trials" in found.sentence

    def test_arms_are_averaged_for_each_seed(self):
        table, (one,) = self.study([2, 4, 6])
        again = table.curves.assign(point=1)
        both = replace(table, curves=pd.concat([table.curves, again]))
        found = loss_before_accuracy(both, [one, replace(one, point=1)])
        assert found.numbers == loss_before_accuracy(table, [one]).numbers

    def test_trials_that_did_not_end_are_left_out(self):
        table, _ = self.study([2, 4, -9])
        assert loss_before_accuracy(table, [arm([0.9, 0.9])]).numbers["lag"] == pytest.approx(3)

    def test_no_lag_has_no_sign(self):
        for lags in ([-0.01, 0.0, 0.0], [0, 0, 0]):  # the first is what averages of many arms give
            assert "-0.0 epochs" not in loss_before_accuracy(*self.study(lags)).sentence
        assert interval_text(estimate([-0.01]), "+z.1f") == "+0.0" and interval_text(estimate([-0.001])) == "0.00"

    def test_untested_where_no_trial_finished(self):
        table, _ = self.study([1, 2])
        untested(loss_before_accuracy(table, [arm([])]), "no trial that finished recorded both")

    def test_no_claim_where_not_both_were_reported(self):
        table, arms = self.study([1, 2])
        assert loss_before_accuracy(replace(table, curves=table.curves.drop(columns="valid/acc")), arms) is None


def test_all_seven_speak_of_a_batch_and_momentum_study_and_none_of_another():
    assert [each.claim.number for each in ablation_of(*synthetic.momenta()).claims] == [1, 2, 3, 4, 5, 6, 7]
    table = synthetic.ablation()
    table.study["config"]["ablation"]["factors"] = ["model.activation"]
    assert {each.claim.number for each in ablation_of(table, synthetic.searched_arms(table)).claims} == {7}


def reasons(found):
    """Why claims cannot be tested, by number."""
    return {
        each.claim.number: each.result.sentence
        for each in found.claims
        if not each.result.numbers and not each.result.series
    }


def test_claims_whose_evidence_is_missing_say_what_is_missing():
    table, tuning = synthetic.momenta()
    options = table.study["config"]["ablation"]
    table.study["config"]["ablation"] = {**options, "target": None}
    no_target = "no target is set (ablation.target)"
    assert reasons(ablation_of(table, tuning)) == {4: no_target, 5: no_target}
    missing = "the search for the rate of every arm is not at hand"
    assert reasons(ablation_of(table)) == {**dict.fromkeys((1, 2, 3), missing), 4: no_target, 5: no_target}
    table.study["config"]["ablation"] = {**options, "nuisance": "held", "target": 0.999}
    held = "the rate was held, not retuned (ablation.nuisance=retuned)"
    missed = "fewer than three batch sizes reached the target 0.999"
    assert reasons(ablation_of(table)) == {**dict.fromkeys((1, 2, 3), held), 4: missed, 5: missed}
    assert reasons(ablation_of(*synthetic.momenta(values=(0.9,)))) == dict.fromkeys((1, 2), "one momentum only")
    assert reasons(ablation_of(*synthetic.momenta(batches=(16,)))) == dict.fromkeys((3, 4, 5, 6), "one batch size only")


def test_a_rate_that_is_not_searched_decides_nothing():
    table, tuning = synthetic.momenta()
    decay = replace(tuning, trials=tuning.trials.rename(columns={"optimizer.lr": "optimizer.weight_decay"}))
    decay.study["space"] = {
        {"optimizer.lr": "optimizer.weight_decay"}.get(key, key): value for key, value in tuning.study["space"].items()
    }
    assert reasons(ablation_of(table, decay)) == dict.fromkeys((1, 2, 3), "the rate is not among what was retuned")


def test_why_a_large_batch_may_score_less_for_another_reason():
    table, tuning = synthetic.momenta()
    sentence = {each.claim.number: each.result.sentence for each in ablation_of(table, tuning).claims}[4]
    assert "at equal epochs it makes fewer updates" in sentence
    table.study["config"]["trainer"] = {**table.study["config"]["trainer"], "steps": 1000}
    sentence = {each.claim.number: each.result.sentence for each in ablation_of(table, tuning).claims}[4]
    assert "unfair" not in sentence
    table.study["config"]["ablation"] = {**table.study["config"]["ablation"], "nuisance": "held"}
    sentence = {each.claim.number: each.result.sentence for each in ablation_of(table).claims}[4]
    assert "nothing was retuned" in sentence
