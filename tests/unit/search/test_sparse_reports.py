"""Pruners compare points at whole epochs, by the latest evaluation at or before them, however often is evaluated."""

import math
from functools import partial

import numpy as np
import optuna
import pytest
from optuna.pruners import HyperbandPruner, MedianPruner, PatientPruner, SuccessiveHalvingPruner

from hpsearch.base.types import Decision, Objective, Report, Started, TrialResult, TrialState
from hpsearch.search.auto_pruner import AutoPruner
from hpsearch.search.candidates import passed
from hpsearch.search.pruners import Promoter, PruneRule, TopKAfter
from tests.support.driver import Setup

EPOCHS, POINTS, COMPLETE = 8, 12, 4
ACC = Objective("acc")
PRUNERS = {
    "auto": partial(AutoPruner, start=3),
    "top_k_after": partial(TopKAfter, epochs=3, k=2),
    "median": partial(MedianPruner, n_startup_trials=0),
    "patience": partial(PatientPruner, None, patience=1),
    "successive_halving": partial(SuccessiveHalvingPruner, min_resource=1, reduction_factor=2),
    "hyperband": partial(HyperbandPruner, min_resource=1, max_resource=EPOCHS, reduction_factor=2),
}
GRIDS = {
    "half": tuple(0.5 * k for k in range(1, 17)),
    "steps": (0.9, 1.2, 1.8, 2.7, 3.0, 3.6, 4.4, 5.5, 6.1, 7.9, 8),
    "two": (2, 4, 6, 8),
    "three": (3, 6, 8),
    "end": (8,),
}


def latest(curve, epoch):
    """Return the score of the latest evaluation at or before an epoch, None where there is none."""
    before = [each for each in curve if each <= epoch]
    return curve[max(before)] if before else None


def whole(curve):
    """Return the same curve at whole epochs."""
    return {e: value for e in range(1, EPOCHS + 1) if (value := latest(curve, e)) is not None}


def curves_on(grid):
    """Return curves of all points at the epochs of a grid."""
    rng = np.random.default_rng(3)
    levels = rng.random((POINTS, 1)) + 0.3 * rng.normal(size=(POINTS, len(grid)))
    return [dict(zip(grid, map(float, row), strict=True)) for row in levels]


def decided(make, curves, epochs=EPOCHS, resumed_at=None):
    """Train points side by side; return who stopped or waits at which whole epoch, and who would go on."""
    pruner = make()
    study = optuna.create_study(study_name="fixed", direction="maximize", pruner=pruner)  # brackets go by the name
    rule, trials = PruneRule(pruner, ACC), [study.ask() for _ in curves]
    for trial in trials:
        rule.opened(trial.number, epochs=epochs)
    ended = {}
    if not isinstance(pruner, Promoter):  # Optuna's compare with points that are complete
        for trial, curve in zip(trials[:COMPLETE], curves, strict=False):
            for epoch, value in curve.items():
                rule.after_report(trial, Report(epoch, 0, {"acc": value}))
            study.tell(trial, value)
            rule.note_state(trial.number, TrialState.COMPLETE)
        trials, curves = trials[COMPLETE:], curves[COMPLETE:]
    for epoch in sorted({each for curve in curves for each in curve}):
        if epoch == resumed_at:
            waits = {t.number: rule.candidate(t.number).waits_at for t in trials if rule.candidate(t.number)}
            rule = PruneRule(pruner, ACC)
            for number, curve in enumerate(curves):
                known = {e: (v,) for e, v in curve.items() if e < epoch and e <= ended.get(number, (9,))[0]}
                rule.opened(number, known, epochs, waits_at=waits[number])
                rule.note_state(number, ended.get(number, (0, TrialState.RUNNING))[1])
        for trial, curve in zip(trials, curves, strict=True):
            if epoch in curve and trial.number not in ended:
                decision = rule.after_report(trial, Report(epoch, 0, {"acc": curve[epoch]}))
                if decision is not Decision.CONTINUE:
                    state = TrialState.PAUSED if decision is Decision.PAUSE else TrialState.PRUNED
                    ended[trial.number] = epoch, state
                    rule.note_state(trial.number, state)
    return {number: (math.floor(at), state) for number, (at, state) in ended.items()}, rule.promote(asking=False)


@pytest.mark.parametrize("seed", range(30))
def test_what_an_evaluation_passes_is_the_latest_at_or_before_each_epoch(seed):
    rng = np.random.default_rng(seed)
    epochs = sorted({float(e) for e in rng.choice(np.arange(1, 33) / 4, rng.integers(1, 12), replace=False)})
    curve = {int(e) if e == int(e) else e: place for place, e in enumerate(epochs)}
    found, before = {}, None
    for each in curve.items():
        for epoch, score in passed(before, each, 8):
            assert epoch not in found
            found[epoch] = score
        before = each
    assert found == {e: latest(curve, e) for e in range(1, math.floor(max(curve)) + 1) if latest(curve, e) is not None}


@pytest.mark.parametrize("name", PRUNERS)
@pytest.mark.parametrize("grid", GRIDS)
def test_decisions_are_those_of_the_latest_evaluation_at_or_before_each_epoch(name, grid):
    curves = curves_on(GRIDS[grid])
    sparse, promoted = decided(PRUNERS[name], curves)
    dense, expected = decided(PRUNERS[name], [whole(curve) for curve in curves])
    known_at = {e: next(each for each in GRIDS[grid] if each >= e) for e in range(1, EPOCHS + 1)}
    in_time = {n: (known_at[e], state) for n, (e, state) in dense.items() if known_at[e] < EPOCHS}
    assert sparse == {n: (math.floor(at), state) for n, (at, state) in in_time.items()}
    if in_time == dense:
        assert promoted == expected
    assert sparse or grid in ("three", "end") or name == "auto"


@pytest.mark.parametrize("name", ["auto", "top_k_after"])
@pytest.mark.parametrize("resumed_at", [1.8, 3.6, 6.1])
def test_a_driver_that_resumes_between_two_epochs_decides_alike(name, resumed_at):
    curves = curves_on(GRIDS["steps"])
    assert decided(PRUNERS[name], curves, resumed_at=resumed_at) == decided(PRUNERS[name], curves)


def test_of_trials_whose_epochs_are_not_known_only_what_was_reported_is_compared():
    curves = curves_on((100, 300, 500))
    study = optuna.create_study(direction="maximize", pruner=MedianPruner(n_startup_trials=0))
    rule, trial = PruneRule(study.pruner, ACC), study.ask()
    rule.opened(trial.number)
    for epoch, value in curves[0].items():
        rule.after_report(trial, Report(epoch, 0, {"acc": value}))
    assert study.trials[0].intermediate_values == curves[0]


def test_the_end_of_a_last_epoch_that_was_cut_short_counts_as_its_end():
    study, rule = optuna.create_study(direction="maximize"), PruneRule(TopKAfter(1, 1), ACC)
    trial = study.ask()
    rule.opened(trial.number)
    for epoch, value in {0.5: 0.1, 1: 0.2, 1.5: 0.3}.items():
        rule.after_report(trial, Report(epoch, 0, {"acc": value}))
    rule.note_state(trial.number, TrialState.COMPLETE)
    assert rule.candidate(0).scores == {1: 0.2, 2: 0.3}


def reports_at(grid):
    """Return a script whose points rise with their rate, evaluated on a grid of epochs."""

    def script(spec):
        yield Started(None, {}, 0.0)
        for epoch in grid:
            yield Report(epoch, round(10 * epoch), {"valid/acc": spec.params["lr"] * (1 + epoch)}, (), float(epoch))
        yield TrialResult(TrialState.COMPLETE)

    return script


TEN = {"lr": "choice(0.3, 0.1, 0.5, 0.2, 0.4, 0.15, 0.25, 0.35, 0.45, 0.05)"}


@pytest.mark.parametrize("grid", [(1, 2, 3), (0.25, 0.5, 1, 1.25, 2, 2.5, 3), (3,), (0.1, 2.9, 3)], ids=str)
def test_the_budget_counts_epochs_and_not_evaluations(tmp_path, grid):
    setup = Setup(tmp_path, TEN, seeds=(0,), epochs=12)
    outcome = setup.run(reports_at(grid), slots=1)
    assert outcome.why == "budget.epochs = 12 is used up: 12 epochs, 4 of 10 cells of the grid"
    assert outcome.counts == {TrialState.COMPLETE: 4}
    assert [[report.epoch for report in each.reports] for each in setup.records()] == [list(grid)] * 4


@pytest.mark.parametrize(("reduce", "score"), [("end", 4.0), ("last", 4.0), ("best", 9.0)])
def test_a_score_without_evaluations_at_the_end_is_the_last_value(reduce, score):
    curve = {0: 99.0, 2: 2.0, 0.5: 9.0, 1: 1.0, 1.5: 8.0, 3: 4.0, 2.5: 7.0}
    objective = Objective("acc", reduce=reduce)
    assert objective.score(curve) == score
    assert objective.score({0: 99.0}) == 99.0
    assert objective.score(curve, [1.0, 5.0, 6.0]) == (4.0 if reduce != "best" else 9.0)
    assert objective.score(curve, [1.0, 5.0]) == {"end": 3.0}.get(reduce, score)
