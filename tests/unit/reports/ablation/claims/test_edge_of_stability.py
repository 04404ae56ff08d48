import pytest

from hpsearch.reports.ablation.claims import edge_of_stability as claim_edge_of_stability
from hpsearch.reports.ablation.numbers import ablation_of
from tests.support import synthetic
from tests.support.ablations import AGAINST, GRID, SUPPORTED, UNDECIDED, UP, evidence, search, untested


def edge_of_stability(searches, arms, objective):
    return claim_edge_of_stability.edge_of_stability(evidence(searches, arms, objective=objective))


class TestEdgeOfStability:
    @pytest.mark.parametrize("kind", ["flat", "diverged"])
    def test_supported_when_a_large_momentum_fails_later(self, kind):
        tuned = [search(0.1, 0.0, **{kind: GRID[3:]}), search(0.1, 0.9, **{kind: GRID[5:]})]
        found = edge_of_stability(tuned, [], UP)
        assert found.verdict == SUPPORTED
        # The edges are between .1 and 1, and between 10 and 100.
        assert found.numbers["factor[]"] == pytest.approx(100, rel=0.3)
        assert 10 < found.numbers["factor[]_low"] < 30 and found.numbers["factor[]_high"] < 1000
        assert "with 0, 3 of 3 seeds fail at 1, with 0.9, 3 of 3 seeds fail at 100)" in found.sentence
        assert "makes less than half of the largest fall" in found.sentence

    @pytest.mark.parametrize("kind", ["flat", "diverged"])
    def test_not_supported_when_it_fails_earlier(self, kind):
        tuned = [search(0.1, 0.0, **{kind: GRID[5:]}), search(0.1, 0.9, **{kind: GRID[3:]})]
        found = edge_of_stability(tuned, [], UP)
        assert found.verdict == AGAINST and found.numbers["factor[]_high"] < 0.1

    def test_undecided_when_both_fail_at_the_same_rate(self):
        tuned = [search(0.1, m, flat=GRID[3:]) for m in (0.0, 0.9)]
        found = edge_of_stability(tuned, [], UP)
        assert found.verdict == UNDECIDED and found.numbers["factor[]_low"] < 1 < found.numbers["factor[]_high"]

    @pytest.mark.parametrize(("failing", "verdict"), [({1.0: 1, 10.0: 3, 100.0: 3}, UNDECIDED), (GRID[3:], SUPPORTED)])
    def test_one_seed_of_three_decides_nothing(self, failing, verdict):
        tuned = [search(0.1, 0.0, flat=failing), search(0.1, 0.9, flat=GRID[4:])]
        assert edge_of_stability(tuned, [], UP).verdict == verdict

    def test_undecided_with_one_seed_at_a_rate(self):
        tuned = [search(0.1, 0.0, flat=GRID[3:], seeds=1), search(0.1, 0.9, flat=GRID[5:], seeds=1)]
        found = edge_of_stability(tuned, [], UP)
        assert found.verdict == UNDECIDED and found.sentence.startswith("one seed at a rate says nothing")

    @pytest.mark.parametrize("late", [0.0, 0.9])
    def test_undecided_when_the_last_rate_alone_tells_them_apart(self, late):
        tuned = [search(0.1, m, flat=[] if m == late else [100.0], seeds=9) for m in (0.0, 0.9)]
        found = edge_of_stability(tuned, [], UP)
        assert found.verdict == UNDECIDED and found.sentence.startswith("only the last rate tried tells them apart")

    def test_what_small_rates_do_not_learn_is_no_edge(self):
        slow, fast = search(1.0, 0.0, flat=GRID[:2] + GRID[4:]), search(1.0, 0.9, flat=[*GRID[:2], 100.0])
        found = edge_of_stability([slow, fast], [], UP)
        assert "with 0, 3 of 3 seeds fail at 10, with 0.9, 3 of 3 seeds fail at 100" in found.sentence

    def test_undecided_where_no_seed_trains_at_the_best_rate(self):
        dead = search(0.1, 0.0, flat=GRID)
        found = edge_of_stability([dead, search(0.1, 0.9, flat=GRID[4:])], [], UP)
        assert found.verdict == UNDECIDED
        assert "no seed trains at the best rate of momentum 0" in found.sentence and not found.numbers

    def test_undecided_when_nothing_fails(self):
        found = edge_of_stability([search(0.1), search(0.1, 0.9)], [], UP)
        assert found.verdict == UNDECIDED and found.sentence.startswith("every seed trains at every rate")

    def test_a_bound_on_one_side_decides(self):
        found = edge_of_stability([search(0.1, 0.0, flat=GRID[3:]), search(0.1, 0.9)], [], UP)
        assert found.verdict == SUPPORTED and "momentum 0.9 tolerates at least 1" in found.sentence
        assert "factor[]" not in found.numbers and "factor[]_high" not in found.numbers
        found = edge_of_stability([search(0.1), search(0.1, 0.9, flat=GRID[3:])], [], UP)
        assert found.verdict == AGAINST and "tolerates at most 0.00" in found.sentence

    def test_without_training_losses_only_divergence_counts(self):
        tuned = [search(0.1, 0.0, flat=[1.0], diverged=GRID[4:], stable=None), search(0.1, 0.9, stable=None)]
        found = edge_of_stability(tuned, [], UP)
        assert "with 0, 3 of 3 seeds fail at 10," in found.sentence
        assert "no training loss is recorded" in found.sentence

    def test_untested_with_one_momentum(self):
        untested(edge_of_stability([search(0.1)], [], UP), "one momentum only")

    def test_a_dead_net_of_a_real_table_is_beyond_the_edge(self):
        table, tuning = synthetic.momenta(kinds=("flat", "flat"))
        assert set(tuning.trials["state"]) == {"COMPLETE"}
        found = {each.claim.number: each.result for each in ablation_of(table, tuning).claims}[2]
        # Momentum 0 fails from 1 on, .99 from 10 on.
        assert found.verdict == SUPPORTED and found.numbers["factor[batch size 16]"] == pytest.approx(10, rel=0.2)
