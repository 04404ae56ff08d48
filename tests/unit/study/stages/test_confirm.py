"""What confirmation says of the winner: an interval over seeds, or that they change nothing."""

from dataclasses import replace
from types import SimpleNamespace

from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import Objective
from hpsearch.study.stages.base import Verdict
from hpsearch.study.stages.confirm import Confirm
from tests.support.scores import scored


def confirmed(table, test):
    """Return what the stage finds in the trials of two candidates over fresh seeds."""
    table = replace(table, trials=table.trials.assign(**{"test/acc": test}))
    handed = {"candidates": [{"optimizer.lr": 0.01}], "fine_space": {}, "searched_score": 0.93}
    context = SimpleNamespace(
        config=lambda: {"seed": 0}, handed=handed, objective=Objective("valid/acc"), search=lambda *_: table
    )
    return Confirm(seeds=3).run(context)


def deaf(scores):
    """A study whose curves are the same whatever the seed."""
    table = scored(scores)
    first = table.curves[table.curves["seed"] == 0]
    return replace(table, curves=first.drop(columns="seed").merge(table.trials[["point", "seed"]], on="point"))


def test_the_winner_has_an_interval_over_the_fresh_seeds():
    finding = confirmed(scored([[0.9, 0.91, 0.92], [0.8, 0.8, 0.81]]), test=[0.88, 0.89, 0.9] * 2)
    assert finding.verdict is Verdict.PASS and "95 % t interval" in finding.sentence
    numbers = finding.numbers
    assert numbers["valid_low"] < numbers["valid_mean"] < numbers["valid_high"] and numbers["optimism"] > 0
    assert numbers["test_low"] < numbers["test_mean"] < numbers["test_high"]


def test_the_winner_is_not_named_without_candidates_that_may_be_as_good():
    near = confirmed(scored([[0.9, 0.91, 0.92], [0.91, 0.9, 0.91]]), test=[0.88, 0.89, 0.9] * 2).sentence
    assert "; of the 2 so trained 1 other point may be as good" in near
    far = confirmed(scored([[0.9, 0.91, 0.92], [0.8, 0.8, 0.81]]), test=[0.88, 0.89, 0.9] * 2).sentence
    assert "; every other of the 2 so trained is worse" in far


def test_seeds_that_change_nothing_give_no_interval_and_that_is_said():
    finding = confirmed(deaf([[0.9] * 3, [0.8] * 3]), test=[0.88] * 6)
    assert (finding.verdict, finding.cause) == (Verdict.WARN, NO_SEEDS)
    assert f"({NO_SEEDS}: n = 1, so no interval can be given)" in finding.sentence
    assert finding.sentence.endswith("looked at once, 0.880")
    assert not any(name.endswith(("_low", "_high")) for name in finding.numbers)
    assert finding.handed["winner"]
