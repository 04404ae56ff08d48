from itertools import pairwise

import numpy as np
import pytest

from hpsearch.reports.ablation.claims import time_per_epoch as claim_time_per_epoch
from hpsearch.reports.ablation.claims.claim import BATCH
from tests.support.ablations import AGAINST, JITTER, SUPPORTED, UNDECIDED, arm, cost, evidence, untested


def time_per_epoch(arms, costs):
    return claim_time_per_epoch.time_per_epoch(evidence(arms=arms, costs=costs))


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
        assert f"power −0.60 (−0.62 to −0.58); {first}" in found.sentence
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
