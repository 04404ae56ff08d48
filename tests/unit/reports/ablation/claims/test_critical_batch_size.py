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
    jittered,
    over_batches,
    untested,
)


def critical_batch_size(arms, costs):
    return claim_critical_batch_size.critical_batch_size(evidence(arms=arms, costs=costs))


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
