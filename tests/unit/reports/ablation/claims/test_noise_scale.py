import pytest

from hpsearch.reports.ablation.claims import noise_scale as claim_noise_scale
from hpsearch.reports.ablation.claims.claim import BATCH
from tests.support.ablations import AGAINST, SUPPORTED, UNDECIDED, UP, evidence, search, untested


def noise_scale(searches, objective=UP):
    return claim_noise_scale.noise_scale(evidence(searches, objective=objective))


def tuned(bests, sizes=(32, 320, 3200, 32000), noise=0.01, **levels):
    pairs = zip(bests, sizes, strict=True)
    return [search(best, noise=noise, **{BATCH: size, **levels}) for best, size in pairs]


class TestNoiseScale:
    def test_supported_when_the_best_rate_is_in_proportion(self):
        found = noise_scale(tuned([0.01, 0.1, 1.0, 10.0]))
        assert found.verdict == SUPPORTED and found.numbers["exponent"] == pytest.approx(1, abs=0.1)
        assert 0.5 < found.numbers["exponent_low"] < 1 < found.numbers["exponent_high"]
        assert "to the power" in found.sentence and "1 is in proportion, 0.5 its root" in found.sentence

    @pytest.mark.parametrize("bests", [[0.1] * 4, [0.03, 0.1, 0.3, 1.0]])
    def test_not_supported_when_the_rate_alone_or_the_root_of_the_size_counts(self, bests):
        found = noise_scale(tuned(bests))
        assert found.verdict == AGAINST and found.numbers["exponent_high"] < 1

    def test_undecided_when_the_interval_holds_both(self):
        assert noise_scale(tuned([0.01, 0.1, 1.0, 10.0], noise=0.4)).verdict == UNDECIDED
        scattered = noise_scale(tuned([0.01, 1.0, 0.1, 1.0]))
        assert scattered.verdict == UNDECIDED
        assert scattered.numbers["exponent_high"] - scattered.numbers["exponent_low"] > 0.8

    def test_sizes_whose_best_lies_at_an_edge_are_left_out_and_named(self):
        found = noise_scale(tuned([0.001, 0.01, 0.1, 1.0]))
        assert found.numbers["exponent"] == pytest.approx(1, abs=0.15)
        assert "without a best rate: momentum 0: 32: the best rate lies at the edge of what was tried" in found.sentence
        few = noise_scale(tuned([0.001, 0.01, 0.1], (32, 320, 3200)))
        assert few.verdict == UNDECIDED and few.sentence.startswith("fewer than three batch sizes have a best rate")

    def test_groups_share_the_slope_and_not_the_level(self):
        both = tuned([0.01, 0.1, 1.0], (32, 320, 3200), a=1) + tuned([0.1, 1.0, 10.0], (32, 320, 3200), a=2)
        assert noise_scale(both).numbers["exponent"] == pytest.approx(1, abs=0.15)

    def test_untested_of_two_sizes_or_of_one_rate(self):
        few = "no three batch sizes, all else equal, have a best of two rates or more"
        untested(noise_scale(tuned([0.01, 0.1], (32, 320))), few)
        untested(noise_scale([search(0.1, rates=[0.1], **{BATCH: size}) for size in (32, 320, 3200)]), few)
        untested(noise_scale(tuned([0.01], (32,))), "one batch size only")
