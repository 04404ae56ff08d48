import math
from dataclasses import replace

import pytest

from hpsearch.reports.ablation.claims import noise_scale as claim_noise_scale
from hpsearch.reports.ablation.claims.claim import BATCH
from tests.support.ablations import AGAINST, SUPPORTED, UNDECIDED, UP, evidence, search, untested


def noise_scale(searches, objective):
    return claim_noise_scale.noise_scale(evidence(searches, objective=objective))


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
