"""Open points: which replicates start, who is paused and goes on, and what a point is told."""

import contextlib
import math
from collections import Counter

import optuna
import pytest

from hpsearch.base.types import Objective, Report, Started, TrialId, TrialResult, TrialState
from hpsearch.search.auto import AutoSampler
from hpsearch.search.auto_pruner import AutoPruner
from hpsearch.search.pruners import TopKAfter
from hpsearch.search.samplers import Grid
from hpsearch.tracking.lines import read_events
from tests.support.driver import COMPLETE, LR, Killed, Setup, resumes
from tests.support.fake_launcher import FakeLauncher, trains


def test_a_diverged_trial_makes_its_point_infeasible_at_the_worst_score(tmp_path):
    def script(spec):
        if spec.params["lr"] == 0.4 and spec.id.seed == 0:
            yield Started(None, {}, 0.0)
            yield TrialResult(TrialState.INFEASIBLE, "diverged at step 3")
        else:
            yield from trains([spec.params["lr"]])(spec)

    setup = Setup(tmp_path)
    outcome = setup.run(script, slots=1)
    point = setup.study().trials[2]
    assert (point.state, point.value) == (optuna.trial.TrialState.COMPLETE, 0.1)
    assert point.constraints == {"infeasible": 1.0}
    assert setup.study().trials[0].constraints == {"infeasible": -1.0}
    assert outcome.counts == {TrialState.COMPLETE: 5, TrialState.INFEASIBLE: 1}
    assert outcome.best.point == 1


def test_the_first_infeasible_point_gets_the_untrained_models_score(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        yield Report(0, 0, {"valid/acc": 0.11}, (), 0.0)
        yield TrialResult(TrialState.INFEASIBLE, "diverged at step 1")

    setup = Setup(tmp_path)
    setup.run(script)
    assert {t.value for t in setup.study().trials} == {0.11}
    assert not any(spec.judged for spec in setup.launcher.submitted)  # no pruner looks at their reports


def test_a_score_that_is_not_finite_is_infeasible_too(tmp_path):
    setup = Setup(tmp_path, objective=Objective("valid/loss", "minimize"))
    setup.run(trains([1.0, float("nan")], metric="valid/loss"))
    assert {r.state for r in setup.records()} == {TrialState.INFEASIBLE}
    assert setup.records()[0].reason == "valid/loss is nan"


def test_a_pruner_stops_the_first_replicate_and_the_others_never_start(tmp_path):
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0)
    setup = Setup(tmp_path, space={"lr": "choice(0.4, 0.1)"}, pruner=pruner)
    outcome = setup.run(trains(lambda spec: [spec.params["lr"]] * 3), slots=1)
    assert outcome.counts == {TrialState.COMPLETE: 2, TrialState.PRUNED: 1}
    assert [s.id for s in setup.launcher.submitted] == [TrialId(0, 0), TrialId(0, 1), TrialId(1, 0)]
    assert [s.judged for s in setup.launcher.submitted] == [True, False, True]
    pruned = setup.records()[-1]
    assert (pruned.id, pruned.state, len(pruned.reports)) == (TrialId(1, 0), TrialState.PRUNED, 1)
    assert setup.study().trials[1].state == optuna.trial.TrialState.PRUNED


def test_the_other_replicates_of_an_unpruned_point_run_side_by_side(tmp_path):
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1)
    setup = Setup(tmp_path, space={"lr": "choice(0.1)"}, pruner=pruner, seeds=(0, 1, 2))
    together = []
    setup.run(trains([0.1, 0.2]), slots=4, on_poll=lambda _: together.append(len(setup.launcher.running)))
    assert together[0] == 1
    assert max(together) == 2


def test_a_point_pruned_just_before_the_driver_was_killed_trains_no_other_replicate(tmp_path):
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0)
    setup = Setup(tmp_path, space={"lr": "choice(0.4, 0.1)"}, pruner=pruner)
    setup.run(trains(lambda spec: [spec.params["lr"]] * 3), slots=1)
    journal = tmp_path / "optuna.journal"
    lines = journal.read_text().splitlines(keepends=True)
    told = max(n for n, line in enumerate(lines) if '"state":2' in line.replace(" ", ""))
    journal.write_text("".join(lines[:told]))
    again = setup.run(trains(lambda spec: [spec.params["lr"]] * 3), slots=1)
    assert setup.launcher.submitted == []
    assert again.counts == {TrialState.COMPLETE: 2, TrialState.PRUNED: 1}


def test_without_any_score_a_diverged_point_is_told_no_better_than_a_model_that_knows_nothing(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        yield TrialResult(TrialState.INFEASIBLE, "diverged at step 2", facts={"reference_loss": 2.3})

    setup = Setup(tmp_path, objective=Objective("valid/loss", "minimize"))
    setup.run(script)
    assert {t.value for t in setup.study().trials} == {2.3}


def rising(spec):
    return [spec.params["lr"] * epoch for epoch in (1, 2, 3)]


TEN = {"lr": "choice(0.3, 0.1, 0.5, 0.2, 0.4, 0.15, 0.25, 0.35, 0.45, 0.05)"}


@pytest.mark.parametrize("slots", [1, 3])
def test_the_best_after_an_epoch_go_on_and_the_others_are_pruned_there(tmp_path, slots):
    setup = Setup(tmp_path, TEN, pruner=TopKAfter(epochs=1, k=2), seeds=(0,))
    outcome = setup.run(resumes(rising), slots=slots)
    assert outcome.counts == {TrialState.COMPLETE: 2, TrialState.PRUNED: 8}
    whole = [r for r in setup.records() if r.state is TrialState.COMPLETE]
    assert sorted(r.params["lr"] for r in whole) == [0.45, 0.5]
    assert [[report.epoch for report in r.reports] for r in whole] == [[1, 2, 3]] * 2
    assert {len(r.reports) for r in setup.records() if r.state is TrialState.PRUNED} == {1}
    assert Counter(s.attempt for s in setup.launcher.submitted) == {1: 10, 2: 2}
    assert [r.attempts for r in whole] == [2, 2]


def test_of_every_batch_the_best_go_on_before_the_next_batch_is_asked(tmp_path):
    setup = Setup(tmp_path, TEN, pruner=TopKAfter(epochs=2, k=1, of=5), seeds=(0,))
    setup.run(resumes(rising), slots=1)
    order = [s.id.point for s in setup.launcher.submitted]
    assert order == [0, 1, 2, 3, 4, 2, 5, 6, 7, 8, 9, 8]


@pytest.mark.parametrize("moment", range(1, 24, 2))
def test_a_driver_killed_between_pauses_trains_nothing_twice(tmp_path, moment):
    script = resumes(rising)
    undisturbed = Setup(tmp_path / "calm", TEN, pruner=TopKAfter(epochs=1, k=2), seeds=(0, 1))
    undisturbed.folder.mkdir()
    expected = undisturbed.run(resumes(rising), slots=2)

    def kill(poll):
        if poll == moment:
            raise Killed

    setup = Setup(tmp_path, TEN, pruner=TopKAfter(epochs=1, k=2), seeds=(0, 1))
    with contextlib.suppress(Killed):
        setup.run(script, slots=2, on_poll=kill)
    outcome = setup.run(script, slots=2)
    assert (outcome.counts, outcome.best) == (expected.counts, expected.best)
    assert max(script.reached.values()) == 3


def test_more_points_later_let_the_search_with_pauses_go_on(tmp_path):
    space, random_at = {"lr": "interval(0.0, 1.0)"}, lambda n: optuna.samplers.RandomSampler(seed=n)
    script = resumes(rising)
    for points in (4, 8):
        setup = Setup(tmp_path, space, random_at, TopKAfter(1, 1, of=4), seeds=(0,), points=points)
        outcome = setup.run(script)
    assert outcome.counts == {TrialState.COMPLETE: 2, TrialState.PRUNED: 6}


def test_paused_points_wait_for_more_epochs_when_their_budget_is_used_up(tmp_path):
    space, random_at = {"lr": "interval(0.0, 1.0)"}, lambda n: optuna.samplers.RandomSampler(seed=n)
    script = resumes(rising)
    first = Setup(tmp_path, space, random_at, TopKAfter(1, 1, of=4), seeds=(0,), points=4, epochs=4)
    outcome = first.run(script, slots=1)
    assert outcome.counts == {TrialState.COMPLETE: 1, TrialState.PAUSED: 3}
    assert outcome.why == "budget.epochs = 4 is used up: 6 epochs, 4 points"
    again = Setup(tmp_path, space, random_at, TopKAfter(1, 1, of=4), seeds=(0,), points=4, epochs=4)
    again.run(script, slots=1)
    assert not again.todo
    more = Setup(tmp_path, space, random_at, TopKAfter(1, 1, of=4), seeds=(0,), points=4, epochs=100)
    assert more.run(script, slots=1).counts == {TrialState.COMPLETE: 1, TrialState.PRUNED: 3}


def test_a_budget_spent_on_first_epochs_still_brings_the_best_point_to_its_end(tmp_path):
    space, random_at = {"lr": "interval(0.0, 1.0)"}, lambda n: optuna.samplers.RandomSampler(seed=n)
    setup = Setup(tmp_path, space, random_at, AutoPruner(6), seeds=(0,), epochs=5)
    outcome = setup.run(resumes(rising), slots=2)
    assert outcome.counts[TrialState.COMPLETE] == 1
    assert outcome.best.params["lr"] == max(t.params["lr"] for t in setup.study().trials)


def test_an_objective_beside_the_first_that_is_not_finite_makes_its_point_infeasible(tmp_path):
    objective = Objective("valid/acc", others=(Objective("valid/cost", "minimize"),))
    setup = Setup(tmp_path, LR, objective=objective, seeds=(0,))

    def script(spec):
        yield Started(None, {}, 0.0)
        yield Report(1, 10, {"valid/acc": 0.5, "valid/cost": math.nan}, (), 1.0)
        yield COMPLETE

    outcome = setup.run(script)
    assert outcome.best is None
    assert all(t.constraints["infeasible"] == 1.0 for t in setup.study().trials)
    assert {(r.state, r.reason) for r in setup.records()} == {
        (TrialState.INFEASIBLE, "not compared: valid/cost is nan")
    }
    again = Setup(tmp_path, LR, objective=objective, seeds=(0,))
    again.run(script)
    assert not again.todo


def test_wilcoxon_stops_a_point_between_its_replicates(tmp_path):
    pruner = optuna.pruners.WilcoxonPruner(p_threshold=0.2, n_startup_steps=2)
    setup = Setup(tmp_path, {"lr": "choice(0.5, 0.1)"}, pruner=pruner, seeds=tuple(range(6)))
    outcome = setup.run(trains(lambda spec: [spec.params["lr"] + spec.id.seed / 100]), slots=1)
    trained = Counter(s.id.point for s in setup.launcher.submitted)
    assert trained[0] == 6
    assert 2 <= trained[1] < 6
    assert setup.study().trials[1].state == optuna.trial.TrialState.PRUNED
    assert outcome.best.point == 0
    assert outcome.counts == {TrialState.COMPLETE: sum(trained.values())}


def test_several_objectives_are_told_together_and_a_fact_may_be_one(tmp_path):
    objective = Objective("valid/acc", others=(Objective("parameters", "minimize"),))
    setup = Setup(tmp_path, TEN, objective=objective, seeds=(0, 1))
    outcome = setup.run(resumes(lambda spec: [spec.params["lr"]]))
    assert [t.values for t in setup.study().trials[:2]] == [[0.3, 100.0], [0.1, 200.0]]
    assert outcome.best.params == {"lr": 0.5}
    assert sorted(t.number for t in setup.study().best_trials) == [0, 2]


def test_a_diverged_point_is_told_the_worst_of_each_objective(tmp_path):
    objective = Objective("valid/acc", others=(Objective("parameters", "minimize"),))

    def script(spec):
        if spec.params["lr"] == 0.5:
            yield Started(None, {}, 0.0)
            yield TrialResult(TrialState.INFEASIBLE, "diverged at step 2")
        yield from resumes(lambda spec: [spec.params["lr"]])(spec)

    setup = Setup(tmp_path, {"lr": "choice(0.3, 0.1, 0.5)"}, objective=objective, seeds=(0,))
    setup.run(script, slots=1)
    assert setup.study().trials[2].values == [0.1, 200.0]


def falling(spec):
    return [spec.params["lr"] * (4 - epoch) for epoch in (1, 2, 3)]


@pytest.mark.parametrize("pruner", [TopKAfter(epochs=1, k=2), AutoPruner(3)], ids=["top_k_after", "auto"])
def test_of_a_minimized_objective_the_lowest_go_on(tmp_path, pruner):
    objective = Objective("valid/loss", "minimize")
    setup = Setup(tmp_path, TEN, pruner=pruner, objective=objective, seeds=(0,))
    outcome = setup.run(resumes(falling, metric="valid/loss"), slots=1)
    whole = sorted(r.params["lr"] for r in setup.records() if r.state is TrialState.COMPLETE)
    assert whole[:2] == [0.05, 0.1]
    assert 2 <= len(whole) < 8
    assert outcome.best.params == {"lr": 0.05}


def test_of_a_minimized_objective_a_diverged_point_is_told_the_highest(tmp_path):
    def script(spec):
        if spec.params["lr"] == 0.4:
            yield Started(None, {}, 0.0)
            yield TrialResult(TrialState.INFEASIBLE, "diverged at step 3")
        else:
            yield from trains([spec.params["lr"]], metric="valid/loss")(spec)

    setup = Setup(tmp_path, objective=Objective("valid/loss", "minimize"), seeds=(0,))
    outcome = setup.run(script, slots=1)
    assert setup.study().trials[2].value == 0.2
    assert (outcome.best.point, outcome.best.mean) == (0, 0.1)


def test_replicates_of_every_kind_count_as_they_ended_and_their_point_as_the_worst(tmp_path):
    ends = {
        0: TrialResult(TrialState.COMPLETE),
        1: TrialResult(TrialState.INFEASIBLE, "diverged"),
        2: TrialResult(TrialState.FAILED, "ValueError: no", retry=False),
    }

    def script(spec):
        yield Started(None, {}, 0.0)
        yield Report(1, 10, {"valid/acc": 0.5}, (), 1.0)
        yield ends[spec.id.seed]

    setup = Setup(tmp_path, {"lr": "choice(0.1)"}, seeds=(0, 1, 2))
    outcome = setup.run(script, slots=1)
    assert outcome.counts == {TrialState.COMPLETE: 1, TrialState.INFEASIBLE: 1, TrialState.FAILED: 1}
    (point,) = setup.study().trials
    assert (point.state, point.constraints) == (optuna.trial.TrialState.FAIL, {"infeasible": -1.0})
    assert point.user_attrs["told"]["trials"] == {"COMPLETE": 1, "INFEASIBLE": 1, "FAILED": 1}
    assert outcome.best is None
    assert setup.run(script).counts == outcome.counts


@pytest.mark.parametrize("pruner", [AutoPruner(), TopKAfter(1, 2)], ids=["auto", "top_k_after"])
@pytest.mark.parametrize("kill", [None, 2, 3, 5, 7, 8])
def test_a_trial_that_fails_after_every_pause_is_tried_twice_over_resumes_too(tmp_path, pruner, kill):
    def script(spec):
        yield Started(None, {}, 0.0)
        yield Report(1, 10, {"valid/acc": 0.5}, (), 1.0)
        yield TrialResult(TrialState.FAILED, "RuntimeError: boom", failed_at="RuntimeError at train.py:3")

    def stop(poll):
        assert poll < 100, "it never ends"
        if poll == kill:
            raise Killed

    setup = Setup(tmp_path, {"lr": "choice(0.1)"}, pruner=pruner, seeds=(0,))
    with contextlib.suppress(Killed):
        setup.run(script, slots=1, on_poll=stop)
    outcome = setup.run(script, slots=1, on_poll=lambda poll: stop(poll) if poll > 99 else None)
    assert outcome.counts == {TrialState.FAILED: 1}
    (record,) = setup.records()
    assert (record.facts["failures"], record.reason) == (2, "RuntimeError: boom")


@pytest.mark.parametrize(
    ("failed_at", "told"),
    [("ValueError at a.py:3", ("COMPLETE", 0.3, 1.0)), ("", ("FAIL", None, -1.0))],
    ids=["raised", "worker died"],
)
@pytest.mark.parametrize("kill", [None, 3, 5, 7])
def test_samplers_are_told_to_stay_away_from_what_raises_and_not_from_what_was_killed(tmp_path, failed_at, told, kill):
    def script(spec):
        yield Started(None, {}, 0.0)
        if spec.params["lr"] == 0.2 and spec.id.seed == 1:
            yield TrialResult(TrialState.FAILED, "why", retry=False, failed_at=failed_at)
        yield from list(trains([0.3])(spec))[1:]

    def stop(poll):
        if poll == kill:
            raise Killed

    setup = Setup(tmp_path)
    with contextlib.suppress(Killed):
        setup.run(script, on_poll=stop)
    outcome = setup.run(script)
    assert outcome.counts == {TrialState.COMPLETE: 5, TrialState.FAILED: 1}
    point = setup.study().trials[1]
    assert (point.state.name, point.value, point.constraints["infeasible"]) == told
    assert point.user_attrs["told"]["state"] == "FAILED"


def fails(spec):
    yield Started(None, {}, 0.0)
    yield TrialResult(TrialState.FAILED, "ValueError: no", retry=False, failed_at="ValueError at a.py:3")


def test_a_search_of_which_the_first_points_fail_alike_stops_and_tries_further_ones_when_it_is_run_again(tmp_path):
    search = {"space": {"lr": "range(0, 12)"}, "seeds": (0,), "failures": 3}
    setup = Setup(tmp_path, **search)
    outcome = setup.run(fails, slots=1)
    assert outcome.counts == {TrialState.FAILED: 3}
    assert outcome.error == outcome.why and "ValueError: no (ValueError at a.py:3)" in outcome.error
    outcome = setup.run(lambda spec: fails(spec) if spec.id.point in (3, 5, 7, 9) else trains([0.5])(spec), slots=1)
    assert outcome.counts == {TrialState.FAILED: 7, TrialState.COMPLETE: 5}
    assert outcome.error == ""


def test_one_region_that_fails_before_others_have_ended_does_not_stop_a_search(tmp_path):
    def script(spec):
        yield from fails(spec) if spec.id.point % 2 else trains([0.1, 0.2, 0.3])(spec)

    for pruner in (None, TopKAfter(1, 1)):
        folder = tmp_path / type(pruner).__name__
        folder.mkdir()
        setup = Setup(folder, {"lr": "range(0, 12)"}, pruner=pruner, seeds=(0,), failures=3)
        outcome = setup.run(script, slots=4)
        assert (outcome.counts[TrialState.FAILED], outcome.error) == (6, "")


def test_points_that_fail_alike_after_a_pause_stop_a_search(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        yield Report(1, 10, {"valid/acc": 0.5}, (), 1.0)
        yield from list(fails(spec))[1:]

    setup = Setup(tmp_path, {"lr": "range(0, 12)"}, pruner=TopKAfter(1, 8), seeds=(0,), failures=3)
    outcome = setup.run(script, slots=1)
    assert outcome.counts == {TrialState.FAILED: 3, TrialState.PAUSED: 9}
    assert outcome.error


@pytest.mark.parametrize(
    ("sampler", "most"),
    [
        (lambda n: optuna.samplers.TPESampler(seed=n, n_startup_trials=10), 0.15),
        (lambda n: AutoSampler(seed=0), 0.35),
    ],
    ids=["tpe", "auto"],
)
def test_samplers_with_a_model_leave_a_region_that_raises(tmp_path, sampler, most):
    def script(spec):
        x, y = spec.params["x"], spec.params["y"]
        good = trains([-((x - 0.2) ** 2) - (y - 0.6) ** 2])
        return fails(spec) if x > 0.4 and y > 0.3 else good(spec)

    space = {"x": "interval(0.0, 1.0)", "y": "interval(0.0, 1.0)"}
    setup = Setup(tmp_path, space, sampler, seeds=(0,), points=100)
    setup.run(script, slots=1)
    failed = [record.state is TrialState.FAILED for record in setup.records()]
    assert sum(failed[:30]) > 3  # of .42 by chance
    assert sum(failed[30:]) / 70 < most


def nine(spec):
    return [spec.params["lr"] * epoch for epoch in range(1, 10)]


BEST_FIRST = {"lr": f"choice({', '.join(f'{0.9 - i / 50:.2f}' for i in range(36))})"}


@pytest.mark.parametrize("limit", [{"points": 12}, {"patience": 10}], ids=["points", "patience"])
def test_points_that_wait_at_the_end_go_on_when_their_limit_is_raised(tmp_path, monkeypatch, limit):
    monkeypatch.setattr("hpsearch.search.auto_pruner.hedged_share", lambda worth, least: 0.0)  # by their ranks alone

    def grid(_):
        return Grid()

    pruner = AutoPruner(9, start=4, share=2)
    first = Setup(tmp_path, BEST_FIRST, grid, pruner, seeds=(0,), **limit)
    few = first.run(resumes(nine), slots=1)
    early = {r.id.point: r.state for r in first.records()}
    waiting = [point for point, state in early.items() if state is TrialState.PRUNED]
    assert len(waiting) > 5 and few.counts[TrialState.PRUNED] == len(waiting)

    same = Setup(tmp_path, BEST_FIRST, grid, pruner, seeds=(0,), **limit)
    assert same.run(resumes(nine), slots=1).counts == few.counts and not same.todo
    assert not same.launcher.submitted

    more = Setup(tmp_path, BEST_FIRST, grid, pruner, seeds=(0,))
    many = more.run(resumes(nine), slots=1)
    assert any("may go on" in line for line in more.observer.lines)
    assert many.why == "all 36 cells of the grid are done"
    whole = Setup(tmp_path / "whole", BEST_FIRST, grid, pruner, seeds=(0,))
    assert whole.run(resumes(nine), slots=1).counts == many.counts
    late, at_once = ({r.id.point: (r.state, len(r.reports)) for r in each.records()} for each in (more, whole))
    assert late == at_once
    assert [point for point in waiting if late[point][1] > 1] == [3, 4]  # of more points more go on
    end = Setup(tmp_path, BEST_FIRST, grid, pruner, seeds=(0,))
    assert end.run(resumes(nine), slots=1).counts == many.counts and not end.todo  # now nothing is left to wait for


@pytest.mark.parametrize("moment", range(60, 130, 10))
def test_who_goes_on_whatever_its_rank_does_so_after_a_kill(tmp_path, moment, monkeypatch):
    monkeypatch.setattr("hpsearch.search.auto_pruner.FREE", 0)
    space, random_at = {"lr": "interval(0.0, 1.0)"}, lambda n: optuna.samplers.RandomSampler(seed=n)

    def kill(poll):
        if poll == moment:
            raise Killed

    def setup():
        config = {"trainer": {"epochs": 8}}
        return Setup(tmp_path, space, random_at, AutoPruner(start=4), seeds=(0,), points=40, config=config)

    script = resumes(lambda spec: [spec.params["lr"] * epoch for epoch in range(1, 9)])
    with contextlib.suppress(Killed):
        setup().run(script, slots=1, on_poll=kill)
    hedged = {t.number: t.user_attrs["hedged"] for t in setup().study().trials if "hedged" in t.user_attrs}
    assert hedged
    outcome = setup().run(script, slots=1)
    came = {record.id.point: max(record.curve("valid/acc")) for record in setup().records()}
    assert {2, 4} <= set(hedged.values())
    assert all(came[point] >= epoch for point, epoch in hedged.items())
    assert sum(outcome.counts.values()) == 40


def test_a_trial_that_still_runs_elsewhere_and_was_told_to_wait_is_waited_for(tmp_path):
    """Its driver was killed as it had decided that; the next one hears of the pause, and only then it may go on."""

    def stop(poll):
        if poll == 2:  # the first point has reported its first epoch, and was told to wait there
            raise Killed

    setup = Setup(tmp_path, {"lr": "choice(0.1, 0.2)"}, pruner=TopKAfter(epochs=1, k=1), seeds=(0,))
    script = resumes(lambda spec: [spec.params["lr"]] * 3)
    with contextlib.suppress(Killed):
        setup.run(script, slots=1, on_poll=stop)
    before, trial = setup.launcher, TrialId(0, 0)
    assert trial in before.paused

    def taken_over(script, **options):
        launcher = FakeLauncher(script, **options)
        launcher.kept, launcher.running, launcher.paused = {trial}, before.running, before.paused
        launcher.on_poll = lambda poll: setattr(launcher, "kept", frozenset()) if poll == 0 else None
        return launcher

    outcome = setup.run(script, kind=taken_over, slots=1)
    lines, _ = read_events(setup.folder / "events" / f"{trial.stem}.jsonl")
    states = [line["state"] for line in lines if line["event"] == "state"]
    assert states == ["WAITING", "PAUSED", "PRUNED"]  # the killed one wrote the first
    assert [(spec.id.point, spec.attempt) for spec in setup.launcher.submitted] == [(1, 1), (1, 2)]
    assert outcome.counts == {TrialState.COMPLETE: 1, TrialState.PRUNED: 1}
