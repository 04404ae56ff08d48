"""Who pauses and who goes on, and what the driver hears of a pruner of either kind."""

import optuna
import pytest
from optuna.pruners import MedianPruner, NopPruner, WilcoxonPruner

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, Objective, Report, TrialState
from hpsearch.search.auto_pruner import AutoPruner
from hpsearch.search.candidates import Candidate
from hpsearch.search.pruners import PruneRule, TopKAfter

PAUSED, RUNNING = TrialState.PAUSED, TrialState.RUNNING
ACC, LOSS = Objective("valid/acc"), Objective("valid/loss", "minimize")


def candidates(scores, state=PAUSED):
    return {n: Candidate(n, {1: score}, state) for n, score in enumerate(scores)}


def report(epoch, **values):
    return Report(epoch, epoch * 10, {f"valid/{name}": value for name, value in values.items()}, (), 0.0)


@pytest.mark.parametrize(
    ("pruner", "by_epoch", "by_replicate"),
    [
        (NopPruner(), False, False),
        (MedianPruner(), True, False),
        (WilcoxonPruner(), False, True),
        (TopKAfter(1, 1), True, False),
        (AutoPruner(4), True, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_asked_of_each_kind(pruner, by_epoch, by_replicate):
    rule = PruneRule(pruner, ACC)
    assert (rule.by_epoch, rule.by_replicate) == (by_epoch, by_replicate)


def test_a_point_pauses_at_its_first_report_at_or_after_the_epoch():
    pruner = TopKAfter(epochs=3, k=1)
    for epochs, decision in [((1, 2), "CONTINUE"), ((1, 2, 3), "PAUSE"), ((2, 4), "PAUSE")]:
        assert pruner.decide(0, {0: Candidate(0, dict.fromkeys(epochs, 0.5))}) is Decision[decision]
    assert pruner.decide(0, {0: Candidate(0, {3: 0.5, 4: 0.5}, waits_at=0)}) is Decision.CONTINUE


def test_the_best_of_all_go_on_once_no_point_is_asked_any_more():
    pruner, paused = TopKAfter(epochs=1, k=2), candidates([0.1, 0.4, 0.3, 0.4])
    assert pruner.promote(paused, asking=True) is None
    order = []
    while (number := pruner.promote(paused, asking=False)) is not None:
        order.append(number)
        paused[number].state = TrialState.COMPLETE
    assert order == [1, 3]  # of equal ones the earlier first


def test_nobody_goes_on_while_one_of_the_batch_has_not_come_so_far():
    pruner, paused = TopKAfter(epochs=2, k=1), {n: Candidate(n, {1: 0.1, 2: 0.2}, PAUSED) for n in range(2)}
    paused[2] = Candidate(2, {1: 0.5}, RUNNING)
    assert pruner.promote(paused, asking=False) is None
    paused[2].state = TrialState.INFEASIBLE
    assert pruner.promote(paused, asking=False) == 0


def test_an_infeasible_point_takes_nobodys_place():
    paused = candidates([0.1, 0.4, 0.3])
    paused[1].state = TrialState.INFEASIBLE
    assert TopKAfter(epochs=1, k=1).promote(paused, asking=False) == 2


def test_who_went_on_keeps_its_place_whatever_comes_of_it():
    paused = candidates([0.5, 0.4])
    paused[0] = Candidate(0, {1: 0.5, 2: 0.0}, TrialState.COMPLETE)
    assert TopKAfter(epochs=1, k=1).promote(paused, asking=False) is None


def test_batches_are_chosen_from_apart_and_only_whole_ones():
    pruner, paused = TopKAfter(epochs=1, k=1, of=2), candidates([0.1, 0.2, 0.9, 0.8, 0.99])
    chosen = []
    for _ in range(2):
        chosen.append(pruner.promote(paused, asking=True))
        paused[chosen[-1]].state = TrialState.COMPLETE
    assert chosen == [1, 2]
    assert pruner.promote(paused, asking=True) is None
    assert pruner.promote(paused, asking=False) == 4


@pytest.mark.parametrize("options", [{"epochs": 0, "k": 1}, {"epochs": 1, "k": 0}, {"epochs": 1, "k": 3, "of": 2}])
def test_numbers_that_leave_nothing_to_choose_are_refused(options):
    with pytest.raises(ConfigError, match=r"pruner\."):
        TopKAfter(**options)


@pytest.mark.parametrize(("objective", "best"), [(ACC, 2), (LOSS, 0)], ids=["maximize", "minimize"])
@pytest.mark.parametrize("pruner", [TopKAfter(1, 1), AutoPruner(8, start=3)], ids=["top_k_after", "auto"])
def test_the_best_goes_on_whichever_way_the_objective_points(objective, best, pruner):
    study, rule = optuna.create_study(), PruneRule(pruner, objective)
    for value in (0.1, 0.2, 0.3):
        trial = study.ask()
        rule.opened(trial.number)
        rule.after_report(trial, report(1, acc=value, loss=value))
        rule.note_state(trial.number, PAUSED)
    assert rule.promote(asking=False) == best
    again = PruneRule(pruner, objective)  # of a driver that resumes, from the curves on record
    for number, value in enumerate((0.1, 0.2, 0.3)):
        again.opened(number, {0: (9.0,), 1: (value,)})
        again.note_state(number, PAUSED)
    assert again.promote(asking=False) == best


def test_the_untrained_model_and_other_metrics_are_not_judged():
    study, rule = optuna.create_study(), PruneRule(TopKAfter(1, 1), ACC)
    trial = study.ask()
    rule.opened(trial.number)
    assert rule.after_report(trial, report(0, acc=0.1)) is Decision.CONTINUE
    assert rule.after_report(trial, report(1, loss=0.1)) is Decision.CONTINUE
    assert study.trials[0].intermediate_values == {}
    assert rule.after_report(trial, report(2, acc=0.3)) is Decision.PAUSE
    assert study.trials[0].intermediate_values == {2: 0.3}


def test_optunas_pruners_see_the_values_as_they_are_and_the_studys_direction():
    for direction, objective, stopped in (("maximize", ACC, [1]), ("minimize", LOSS, [2])):
        pruner = MedianPruner(n_startup_trials=1, n_warmup_steps=0)
        study, rule = optuna.create_study(direction=direction, pruner=pruner), PruneRule(pruner, objective)
        decisions = []
        for value in (0.5, 0.1, 0.9):
            trial = study.ask()
            rule.opened(trial.number)
            decided = [rule.after_report(trial, report(epoch, acc=value, loss=value)) for epoch in (1, 2)]
            decisions.append(decided[-1])
            study.tell(trial, value)
        assert [n for n, decision in enumerate(decisions) if decision is Decision.STOP] == stopped


def test_a_point_whose_driver_ended_where_it_waits_is_paused():
    rule = PruneRule(TopKAfter(2, 1), ACC)
    for number, (curve, waits_at) in enumerate((({1: 0.1, 2: 0.2, 3: 0.3}, 2), ({1: 0.1, 2: 0.2}, 0), ({1: 0.1}, 2))):
        rule.opened(number, {epoch: (value,) for epoch, value in curve.items()}, waits_at=waits_at)
    assert [rule.waits(number) for number in range(4)] == [True, False, False, False]
    assert not PruneRule(MedianPruner(), ACC).waits(0)


@pytest.mark.parametrize("pruner", [TopKAfter(2, 1), AutoPruner(8, start=4)], ids=["top_k_after", "auto"])
def test_points_are_compared_where_they_were_told_to_wait_however_far_they_came(pruner):
    study, rule = optuna.create_study(direction="maximize"), PruneRule(pruner, ACC)
    curves = ((0.1, 0.5, 0.6, 0.7, 0.8), (0.2, 0.4, 0.9), (0.3, 0.6))
    for curve in curves:
        trial = study.ask()
        rule.opened(trial.number, epochs=8)
        decisions = [rule.after_report(trial, report(epoch, acc=acc)) for epoch, acc in enumerate(curve, start=1)]
        assert decisions[1:] == [Decision.PAUSE] * (len(curve) - 1)
    for number in range(3):
        rule.note_state(number, PAUSED)
    stood = rule.candidate(0).waits_at
    assert rule.promote(asking=False) == 2
    assert rule.why_dropped(0) == f"worse after epoch {stood} than point{'s 2, 1' if stood == 1 else ' 2'}"
    rule.note_state(2, TrialState.RUNNING)
    rule.note_state(0, TrialState.RUNNING)
    assert [(rule.candidate(n).waits_at, rule.candidate(n).epoch) for n in (0, 2)] == [(0, 5), (0, 2)]


def test_a_trial_whose_worker_died_before_it_waited_waits_when_it_was_started_again():
    study, rule = optuna.create_study(direction="maximize"), PruneRule(TopKAfter(1, 1), ACC)
    trial = study.ask()
    rule.opened(trial.number)
    assert rule.after_report(trial, report(1, acc=0.1)) is Decision.PAUSE
    assert rule.after_report(trial, report(2, acc=0.1)) is Decision.PAUSE
    assert study.trials[0].intermediate_values == {1: 0.1, 2: 0.1}
