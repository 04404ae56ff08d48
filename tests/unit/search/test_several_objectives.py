"""Several objectives while points train: who is ahead, who stops, and what the search comes to."""

import numpy as np
import optuna
import pytest
from optuna.pruners import HyperbandPruner, MedianPruner, NopPruner, PercentilePruner, SuccessiveHalvingPruner

from hpsearch.base.types import Decision, Objective, Report, Started, TrialResult, TrialState
from hpsearch.search.auto_pruner import AutoPruner
from hpsearch.search.candidates import Candidate, ahead
from hpsearch.search.pruners import PruneRule, TopKAfter
from tests.support.driver import Setup

PAUSED, COMPLETE = TrialState.PAUSED, TrialState.COMPLETE
TWO = Objective("acc", others=(Objective("cost", "minimize"),))
CORNERS = [(0.9, 9.0), (0.5, 1.0), (0.4, 2.0), (0.8, 9.5), (0.1, 0.5)]
"""Accuracy and cost: 0, 1 and 4 are not dominated, 2 by 1, and 3 by 0."""


def signed(acc, cost):
    return (acc, -cost)


def waiting(points):
    return {n: Candidate(n, {1: signed(*point)}, PAUSED, 20) for n, point in enumerate(points)}


def test_who_is_ahead_stands_in_an_earlier_front():
    candidates = waiting(CORNERS)
    assert [[each.point for each in ahead(candidates[n], candidates)] for n in range(5)] == [
        [], [], [0, 1, 4], [0, 1, 4], [],
    ]  # fmt: skip


def test_the_first_front_goes_on_at_the_end_and_what_it_dominates_is_dropped(monkeypatch):
    monkeypatch.setattr("hpsearch.search.auto_pruner.hedged_share", lambda worth, least: 0.0)
    for pruner in (AutoPruner(), TopKAfter(epochs=1, k=3)):
        candidates, chosen = waiting(CORNERS), []
        while (number := pruner.promote(candidates, asking=False)) is not None:
            chosen.append(number)
            candidates[number].note(20, candidates[number].scores[1])
            candidates[number].state = COMPLETE
        assert sorted(chosen) == [0, 1, 4]


@pytest.mark.parametrize(
    ("pruner", "stopped"),
    [
        (MedianPruner(n_startup_trials=1, n_warmup_steps=0), [2, 3]),
        (PercentilePruner(25.0, n_startup_trials=5), []),
        (SuccessiveHalvingPruner(min_resource=1, reduction_factor=3), [2, 3]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_optunas_pruners_stop_by_fronts(pruner, stopped):
    study, rule, found = optuna.create_study(directions=["maximize", "minimize"]), PruneRule(pruner, TWO), []
    for number, (acc, cost) in enumerate(CORNERS):
        trial = study.ask()
        rule.opened(number, epochs=9)
        if rule.after_report(trial, Report(1, 1, {"acc": acc}), {"cost": cost}) is Decision.STOP:
            found.append(number)
            rule.note_state(number, TrialState.PRUNED)
        else:
            rule.after_report(trial, Report(9, 9, {"acc": acc}), {"cost": cost})
            rule.note_state(number, COMPLETE)
    assert found == stopped


def test_who_can_judge_several_objectives_and_what_a_report_must_hold():
    able = {"AutoPruner", "TopKAfter", "MedianPruner", "PercentilePruner", "SuccessiveHalvingPruner"}
    pruners = [AutoPruner(), TopKAfter(1, 1), MedianPruner(), PercentilePruner(5.0), SuccessiveHalvingPruner()]
    for pruner in (*pruners, HyperbandPruner(), NopPruner()):
        assert PruneRule(pruner, TWO).ranks_fronts is (type(pruner).__name__ in able)
    rule, trial = PruneRule(TopKAfter(1, 1), TWO), optuna.create_study(directions=["maximize", "minimize"]).ask()
    rule.opened(0)
    assert rule.after_report(trial, Report(1, 1, {"acc": 0.5})) is Decision.CONTINUE
    assert rule.after_report(trial, Report(2, 2, {"acc": 0.5, "cost": 1.0})) is Decision.PAUSE


def trained(spec, epoch):
    """What a point scores: accuracy against cost over two keys, nearer to its end with every epoch."""
    a, b = spec.params["a"], spec.params["b"]
    return a * (1 - 0.5 * (b - 0.5) ** 2) * (1 - 0.5**epoch), a**2 + (b - 0.3) ** 2


def script(spent, reached):
    def run(spec):
        yield Started(reached.get(spec.id), {}, 0.0)
        for epoch in range(reached.get(spec.id, 0) + 1, 9):
            reached[spec.id] = epoch
            spent.append(spec.id.point)
            acc, cost = trained(spec, epoch)
            yield Report(epoch, epoch, {"acc": acc, "cost": cost}, (), 0.0)
        yield TrialResult(COMPLETE)

    return run


def hypervolume(values):
    """The area that complete points dominate, seen from accuracy 0 and cost 2."""
    area, best = 0.0, 0.0
    for acc, cost in sorted(values, key=lambda pair: pair[1]):
        area += max(0.0, acc - best) * (2 - cost)
        best = max(acc, best)
    return area


def test_at_equal_epochs_the_front_of_auto_is_as_large_as_that_of_training_everything(tmp_path):
    found = {}
    for name, pruner in {"auto": lambda: AutoPruner(start=16), "none": NopPruner}.items():
        for seed in range(6):
            folder = tmp_path / f"{name}{seed}"
            folder.mkdir()
            space = {"a": "interval(0.0, 1.0)", "b": "interval(0.0, 1.0)"}
            setup = Setup(
                folder, space, lambda n, seed=seed: optuna.samplers.RandomSampler(seed=seed), pruner(),
                objective=TWO, seeds=(0,), epochs=160, config={"trainer": {"epochs": 8}},
            )  # fmt: skip
            spent = []
            setup.run(script(spent, {}), slots=1)
            assert 160 <= len(spent) <= 170
            values = [t.values for t in setup.study().trials if t.state is optuna.trial.TrialState.COMPLETE]
            found.setdefault(name, []).append(hypervolume(values))
    assert np.mean(found["auto"]) >= np.mean(found["none"])


@pytest.mark.parametrize("pruner", [MedianPruner(n_startup_trials=2), TopKAfter(1, 2), AutoPruner()])
def test_a_search_of_two_objectives_prunes_and_goes_on_after_its_end(tmp_path, pruner):
    space = {"a": "choice(0.1, 0.9, 0.5, 0.3, 0.7, 0.6)", "b": "choice(0.5)"}
    setup = Setup(tmp_path, space, pruner=pruner, objective=TWO, seeds=(0,), config={"trainer": {"epochs": 8}})
    outcome = setup.run(script([], {}), slots=1)
    assert outcome.counts[COMPLETE] >= 2
    again = Setup(tmp_path, space, pruner=pruner, objective=TWO, seeds=(0,), config={"trainer": {"epochs": 8}})
    assert again.run(script([], {}), slots=1).counts == outcome.counts
