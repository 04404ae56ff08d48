from dataclasses import replace

import pandas as pd
import pytest

from hpsearch.base.types import TrialTable
from hpsearch.reports.ablation.claims import time_per_epoch as claim_time_per_epoch
from hpsearch.reports.ablation.claims.claim import BATCH
from tests.support.ablations import AGAINST, SUPPORTED, UNDECIDED, arm, cost, evidence, untested

LOAD = (1.0, 1.3, 0.9, 1.1)  # of the machine, round by round


def measured(epoch_sec, load=LOAD, in_rounds=True, examples=1024):
    """Arms by batch size, their costs, and a table of when each trial started."""
    arms, costs, starts = [], [], []
    for point, (size, seconds) in enumerate(epoch_sec.items()):
        times = {seed: (seconds * slow, seconds * slow * size / examples) for seed, slow in enumerate(load)}
        arms.append(replace(arm([0.9] * len(load), **{BATCH: size}), point=point))
        costs.append(cost(times=times))
        for seed in range(len(load)):
            at = seed * len(epoch_sec) + point if in_rounds else point * len(load) + seed
            starts.append({"point": point, "seed": seed, "fold": 0, "started": float(at)})
    none = pd.DataFrame()
    return evidence(arms=arms, costs=costs, table=TrialTable("t", {}, pd.DataFrame(starts), none, none))


def time_per_epoch(*given, **changes):
    return claim_time_per_epoch.time_per_epoch(measured(*given, **changes))


class TestTimePerEpoch:
    def test_supported_when_an_epoch_gets_cheaper(self):
        found = time_per_epoch({1: 1.3, 16: 0.2, 64: 0.13, 256: 0.14, 1024: 0.19})
        assert found.verdict == SUPPORTED
        assert found.numbers["slower[]"] == pytest.approx(10) and found.numbers["fastest[]"] == 64
        assert found.sentence.startswith("an epoch is fastest at 64 to 256, at 1 it takes 10 times as long (p = 0.00")
        assert "medians of 4 repeats: 1.4 s an epoch and 1.3 ms an update at 1, 0.21 s" in found.sentence

    def test_a_round_under_load_moves_no_median_much(self):
        found = time_per_epoch({1: 1.0, 16: 0.5, 64: 0.4}, load=(1.0, 50.0, 1.0, 1.0))
        assert found.verdict == SUPPORTED and found.numbers["slower[]"] == pytest.approx(2.5)

    def test_not_supported_when_an_epoch_gets_slower_from_the_smallest_size_on(self):
        assert time_per_epoch({16: 0.2, 64: 0.3, 256: 0.4}).verdict == AGAINST

    def test_undecided_when_it_costs_the_same(self):
        found = time_per_epoch({16: 0.2, 64: 0.2, 256: 0.2})
        assert found.verdict == UNDECIDED and found.sentence.startswith("an epoch is fastest at 16 to 256")

    def test_undecided_when_repeats_were_not_made_in_rounds(self):
        found = time_per_epoch({1: 1.3, 16: 0.2}, in_rounds=False)
        assert found.verdict == UNDECIDED and "ablation.rounds=true" in found.sentence and "p[]" not in found.numbers

    @pytest.mark.parametrize("load", [(1.0,), (1.0, 1.0)])
    def test_undecided_of_few_repeats(self, load):
        found = time_per_epoch({1: 1.3, 16: 0.2}, load=load)
        assert found.verdict == UNDECIDED and "fewer than 3 repeats of every size" in found.sentence

    def test_rounds_are_those_that_every_size_has(self):
        whole = measured({1: 1.3, 16: 0.2})
        (_, first), (_, last) = whole.pairs
        short = cost(times={seed: (0.2 * LOAD[seed], 0.1) for seed in (1, 2, 3)})
        found = claim_time_per_epoch.time_per_epoch(replace(whole, costs=[first, short]))
        assert "medians of 3 repeats" in found.sentence and last.timed != short.timed
        none = claim_time_per_epoch.time_per_epoch(replace(whole, costs=[first, cost(times={9: (0.2, 0.1)})]))
        assert none.verdict == UNDECIDED and "medians of 0 repeats" in none.sentence

    def test_untested_of_one_size_or_without_times(self):
        untested(time_per_epoch({16: 0.2}), "one batch size only")
        whole = measured({1: 1.3, 16: 0.2})
        found = claim_time_per_epoch.time_per_epoch(replace(whole, costs=[cost()] * 2))
        untested(found, "no two batch sizes, all else equal, were timed")
