import math
from dataclasses import replace

import pytest

from hpsearch.base.keys import HELD, RETUNED
from hpsearch.reports.ablation.claims import critical_batch_size as claim_critical_batch_size
from hpsearch.reports.ablation.claims import updates_to_target as claim_updates_to_target
from hpsearch.reports.ablation.claims.claim import BATCH
from hpsearch.reports.ablation.claims.common import over_groups
from tests.support.ablations import (
    AGAINST,
    DOWN,
    SUPPORTED,
    UNDECIDED,
    UP,
    arm,
    cost,
    evidence,
    jittered,
    over_batches,
    untested,
)


def critical_batch_size(arms, costs):
    return claim_critical_batch_size.critical_batch_size(evidence(arms=arms, costs=costs))


def updates_to_target(arms, costs, objective, mode=RETUNED):
    return claim_updates_to_target.updates_to_target(evidence(arms=arms, costs=costs, objective=objective, mode=mode))


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
        found = updates_to_target(*over_batches(FALLING, scores), UP, HELD)
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

    def test_updates_that_grow_with_the_size_count_against_it(self):
        rising = {16: jittered(100), 64: jittered(105), 256: jittered(150)}
        assert updates_to_target(*over_batches(rising), UP).verdict == AGAINST

    def test_a_seed_without_a_score_makes_the_comparison_unfair(self):
        arms, costs = over_batches(FALLING)
        found = updates_to_target([*arms[:-1], replace(arms[-1], trials=4)], costs, UP)
        assert found.verdict == UNDECIDED and "1 of 7 seeds at the ends have no score" in found.sentence

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
        costs[0] = cost(FALLING[16], apart=0.5)
        found = updates_to_target(arms, costs, UP)
        assert found.verdict == UNDECIDED and "of one size up to 50 % of the updates lie between" in found.sentence

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
