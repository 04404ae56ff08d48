import pytest

from hpsearch.reports.ablation.claims import edge_of_stability as claim_edge_of_stability
from hpsearch.reports.ablation.numbers import ablation_of
from tests.support import synthetic
from tests.support.ablations import AGAINST, GRID, SUPPORTED, UNDECIDED, UP, evidence, search, untested


def edge_of_stability(searches, arms, objective):
    return claim_edge_of_stability.edge_of_stability(evidence(searches, arms, objective=objective))


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
