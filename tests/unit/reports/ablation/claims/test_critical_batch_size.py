import numpy as np
import pytest

from hpsearch.reports.ablation.claims import critical_batch_size as claim_critical_batch_size
from hpsearch.reports.ablation.claims.claim import BATCH
from tests.support.ablations import (
    AGAINST,
    JITTER,
    SUPPORTED,
    UNDECIDED,
    arm,
    cost,
    evidence,
    over_batches,
    search,
    untested,
)

SIZES = (8, 32, 128, 512, 2048)


def critical_batch_size(arms, costs, tuned_for="updates"):
    searches = [search(0.1, **{BATCH: 8})]
    found = evidence(searches, arms=arms, costs=costs, tuned_for=tuned_for)
    return claim_critical_batch_size.critical_batch_size(found)


def on_the_curve(s_min=100.0, e_min=25600.0, sizes=SIZES, jitter=JITTER):
    """The S with (S / S_min - 1) (B S / E_min - 1) = 1: B S^2 - S (B S_min + E_min) = 0."""
    return {b: [(1 + j) * (s_min + e_min / b) for j in jitter] for b in sizes}


def power_law(exponent, sizes=SIZES):
    return {b: [(1 + j) * 1000 * b**-exponent for j in JITTER] for b in sizes}


class TestCriticalBatchSize:
    def test_points_on_the_curve_give_back_its_corner(self):
        updates = on_the_curve()
        for size, each in updates.items():
            middle = np.median(each)
            assert (middle / 100 - 1) * (size * middle / 25600 - 1) == pytest.approx(1)
        found = critical_batch_size(*over_batches(updates))
        assert found.verdict == SUPPORTED
        assert found.numbers["critical[]"] == pytest.approx(256)
        assert found.numbers["curve_error[]"] == pytest.approx(0, abs=1e-9)
        assert found.numbers["power_error[]"] > 0.2
        drawn = found.series["groups"][""]
        assert (drawn["s_min"], drawn["e_min"], drawn["critical"]) == pytest.approx((100, 25600, 256))
        assert "critical batch size 256 (256 to 256 as single sizes are left out)" in found.sentence

    @pytest.mark.parametrize("exponent", [0.25, 0.5, 0.75])
    def test_not_supported_where_updates_are_a_power_of_the_size(self, exponent):
        found = critical_batch_size(*over_batches(power_law(exponent)))
        assert found.verdict == AGAINST and found.numbers["power_error[]"] < 1e-6

    def test_undecided_where_neither_predicts_much_better(self):
        scattered = zip(SIZES, (1.3, 0.8, 1.3, 0.8, 1.3), strict=True)
        humped = {size: [each * factor for each in on_the_curve()[size]] for size, factor in scattered}
        assert critical_batch_size(*over_batches(humped)).verdict == UNDECIDED

    @pytest.mark.parametrize("s_min", [0.0, 1e5])
    def test_undecided_with_the_corner_outside_the_sizes(self, s_min):
        found = critical_batch_size(*over_batches(on_the_curve(s_min=s_min)))
        assert found.verdict != SUPPORTED and "no corner inside the sizes" in found.sentence
        assert "critical[]" not in found.numbers

    def test_undecided_where_rates_were_tuned_for_the_score(self):
        found = critical_batch_size(*over_batches(on_the_curve()), tuned_for="score")
        assert found.verdict == UNDECIDED
        assert found.sentence.endswith("the rates were not tuned for updates to the target (ablation.tune_for=updates)")

    def test_undecided_when_evaluated_too_rarely(self):
        updates = on_the_curve()
        arms, costs = over_batches(updates)
        found = critical_batch_size(arms, [*costs[:-1], cost(updates[2048], apart=0.15)])
        assert found.verdict == UNDECIDED
        assert "evaluated too rarely: of one size up to 15 % of the updates lie" in found.sentence

    def test_unequal_seeds_are_paired_by_seed(self):
        # Seed s needs 4^s times as much; by order, sizes with other seeds would not lie on one curve.
        base = on_the_curve(jitter=[0.0])
        updates = {size: {seed: 4**seed * need for seed in range(3)} for size, (need,) in base.items()}
        del updates[8][0], updates[2048][2]
        found = critical_batch_size(*over_batches(updates))  # seed 1 is left
        assert found.series["groups"][""]["s_min"] == pytest.approx(400)
        assert found.series["groups"][""]["e_min"] == pytest.approx(4 * 25600)

    def test_undecided_when_no_seed_reaches_the_target_at_every_size(self):
        updates = {size: {i % 2: 500} | {1 - i % 2: None} for i, size in enumerate(SIZES)}
        found = critical_batch_size(*over_batches(updates))
        assert found.verdict == UNDECIDED and "no seed reached the target" in found.sentence

    @pytest.mark.parametrize("sizes", [(8, 64, 512, 4096), (8, 16, 32, 64, 128)])
    def test_untested_of_few_sizes_or_a_small_span(self, sizes):
        span = f"{len(sizes)} batch sizes, the largest {sizes[-1] // sizes[0]} times the smallest, reached the target"
        found = critical_batch_size(*over_batches(on_the_curve(sizes=sizes)))
        assert found.verdict == UNDECIDED and found.sentence.startswith(span) and not found.numbers

    def test_sizes_that_never_reach_the_target_do_not_count(self):
        updates = {**on_the_curve(sizes=SIZES[:4]), 2048: [None] * 3}
        assert "4 batch sizes, the largest 64 times" in critical_batch_size(*over_batches(updates)).sentence

    def test_untested_without_a_target(self):
        arms = [arm([0.9], **{BATCH: b}) for b in (16, 64, 256)]
        untested(critical_batch_size(arms, [cost()] * 3), "no target is set (ablation.target)")
