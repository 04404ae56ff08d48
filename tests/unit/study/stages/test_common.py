"""What several stages share: the worst fault first, the best point first."""

from dataclasses import replace

import pytest

from hpsearch.study.stages.base import Verdict
from hpsearch.study.stages.common import Fault, complete_points, counts, finding, shown
from tests.support import synthetic


def test_the_worst_fault_gives_cause_and_action_and_every_fault_is_named():
    mild = Fault("few samples", "30 samples", "take more", Verdict.WARN)
    first, second = Fault("leak", "3 are in both", "remove them"), Fault("constant", "all are 0", "look at them")
    found = finding([mild, first, second], "it is sound", {"rows": 30, "ratio": float("inf")})
    assert (found.verdict, found.cause, found.action) == (Verdict.FAIL, "leak", "remove them")
    assert found.sentence == "3 are in both; all are 0; 30 samples"
    assert found.numbers == {"rows": 30}
    assert finding([mild], "", {}).verdict is Verdict.WARN
    assert finding([], "it is sound", {}).sentence == "it is sound"


@pytest.mark.parametrize(("direction", "pick"), [("maximize", max), ("minimize", min)])
def test_the_best_complete_point_comes_first(direction, pick):
    table = synthetic.sweep()
    table = replace(table, study={**table.study, "objective": {"metric": "valid/acc", "direction": direction}})
    points = complete_points(table)
    assert points[0].mean == pick(point.mean for point in points)
    assert {point.state for point in points} == {"COMPLETE"}


def test_points_trials_and_states_are_counted():
    table = synthetic.sweep()
    numbers = counts(table)
    assert numbers["points"] == table.trials["point"].nunique() and numbers["trials"] == len(table.trials)
    assert numbers["infeasible"] == (table.trials["state"] == "INFEASIBLE").sum()
    assert numbers["epochs"] == table.curves.groupby(["point", "seed", "fold"])["epoch"].max().sum()


def test_a_long_list_of_names_is_cut():
    assert (shown(["a", "b"]), shown(list("abcde"))) == ("a, b", "a, b, c and 2 more")
