"""The driver with a scripted launcher: no torch, no processes, no waiting."""

import contextlib
import itertools
import json
import math
import os
import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import optuna
import pytest

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.types import Decision, Objective, Report, Started, TrialId, TrialResult, TrialState
from hpsearch.search.auto import AutoPruner
from hpsearch.search.extension import Extension
from hpsearch.search.pruners import TopKAfter
from hpsearch.search.samplers import Sobol
from tests.support.driver import COMPLETE, LR, Killed, Setup, Uneven, resumes
from tests.support.fake_launcher import trains


def test_a_grid_trains_every_point_once_per_seed_and_tells_the_mean(tmp_path):
    setup = Setup(tmp_path)
    outcome = setup.run(trains(lambda spec: [0.1, spec.params["lr"] + spec.id.seed / 100]))
    assert Counter(s.id for s in setup.launcher.submitted) == Counter(
        TrialId(point, seed) for point in range(3) for seed in range(2)
    )
    assert [t.value for t in setup.study().trials] == pytest.approx([0.105, 0.205, 0.405])
    assert (outcome.best.point, outcome.best.n) == (2, 2)
    assert outcome.best.sd == pytest.approx(0.01 / math.sqrt(2))
    assert outcome.counts == {TrialState.COMPLETE: 6}
    assert not outcome.interrupted


def test_a_finished_study_run_again_does_nothing(tmp_path):
    setup = Setup(tmp_path)
    first = setup.run(trains([0.5]))
    again = setup.run(trains([0.9]))
    assert not setup.todo
    assert setup.launcher.submitted == []
    assert again == first


def test_best_epoch_counts_when_the_objective_says_so(tmp_path):
    setup = Setup(tmp_path, objective=Objective("valid/acc", reduce="best"))
    setup.run(trains([0.2, 0.8, 0.3]))
    assert {t.value for t in setup.study().trials} == {0.8}


@pytest.mark.parametrize("moment", range(2, 26, 3))
def test_killed_at_any_poll_it_goes_on_and_ends_as_if_undisturbed(tmp_path, moment):
    def script(spec):
        return trains(lambda spec: [0.1, 0.2, spec.params["lr"] + spec.id.seed / 7])(spec)

    def kill(poll):
        if poll == moment:
            raise Killed

    calm = Setup(tmp_path / "calm")
    calm.folder.mkdir()
    expected = calm.run(script)
    setup = Setup(tmp_path / "killed")
    setup.folder.mkdir()
    with contextlib.suppress(Killed):
        setup.run(script, on_poll=kill)
    assert setup.run(script) == expected
    assert [t.value for t in setup.study().trials] == [t.value for t in calm.study().trials]
    for ours, theirs in zip(setup.records(), calm.records(), strict=True):
        assert (ours.id, ours.state, ours.score, ours.params) == (theirs.id, theirs.state, theirs.score, theirs.params)
        assert [r.metrics for r in ours.reports] == [r.metrics for r in theirs.reports]


class Disk:
    """What a power cut leaves of a folder: files as they were when the disk last confirmed them.

    The power goes when the disk is asked for the `last` time; files are there before what is in them.
    """

    def __init__(self, folder, kept, last):
        self.folder, self.kept, self.left = folder, kept, last

    def fsync(self, file):
        self.left -= 1
        if self.left == 0:
            raise Killed
        if self.left > 0:
            path = Path(f"/proc/self/fd/{file}").readlink()
            self._kept(path).write_bytes(path.read_bytes())
            for path in self.folder.rglob("*.*"):
                self._kept(path).touch()

    def _kept(self, path):
        kept = self.kept / path.relative_to(self.folder)
        kept.parent.mkdir(exist_ok=True, parents=True)
        return kept


@pytest.mark.parametrize("tick_sec", [1.0, 0.006], ids=["every_tick", "now_and_then"])
@pytest.mark.parametrize("last", range(2, 20))
def test_after_a_power_cut_it_goes_on_and_ends_as_if_undisturbed(tmp_path, monkeypatch, last, tick_sec):
    script = trains(lambda spec: [0.1, 0.2, spec.params["lr"] + spec.id.seed / 7])
    search = {"space": {"lr": "interval(0.1, 0.9)"}, "sampler": lambda _: Sobol(seed=0), "points": 4}
    calm = Setup(tmp_path / "calm", **search)
    calm.folder.mkdir()
    expected = calm.run(script)
    cut_off = Setup(tmp_path / "cut", **search)
    cut_off.folder.mkdir()
    cut_off.tick_sec = tick_sec
    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(os, "fsync", Disk(cut_off.folder, tmp_path / "kept", last).fsync)
        cut_off.run(script)
    setup = Setup(tmp_path / "kept", **search)
    assert setup.run(script) == expected
    assert [t.value for t in setup.study().trials] == [t.value for t in calm.study().trials]
    assert Counter(s.id for s in setup.launcher.submitted) <= Counter(r.id for r in calm.records())
    if tick_sec == 1:
        for ours, theirs in zip(setup.records(), calm.records(), strict=True):
            assert (ours.id, ours.state, ours.score, ours.params) == (
                theirs.id,
                theirs.state,
                theirs.score,
                theirs.params,
            )
            assert [r.metrics for r in ours.reports] == [r.metrics for r in theirs.reports]


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


def test_a_score_that_is_not_finite_is_infeasible_too(tmp_path):
    setup = Setup(tmp_path, objective=Objective("valid/loss", "minimize"))
    setup.run(trains([1.0, float("nan")], metric="valid/loss"))
    assert {r.state for r in setup.records()} == {TrialState.INFEASIBLE}
    assert setup.records()[0].reason == "valid/loss is nan"


def test_a_dying_worker_is_retried_and_its_trial_keeps_its_number(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        yield Report(1, 10, {"valid/acc": 0.3}, (), 0.0)
        if spec.attempt < 3:
            yield "die"
        yield Report(2, 20, {"valid/acc": 0.4}, (), 0.0)
        yield COMPLETE

    setup = Setup(tmp_path, seeds=(0,))
    outcome = setup.run(script)
    assert outcome.counts == {TrialState.COMPLETE: 3}
    assert [(r.id.point, r.attempts, [x.epoch for x in r.reports]) for r in setup.records()] == [
        (point, 3, [1, 2]) for point in range(3)
    ]
    assert "trying again (1 of 2)" in setup.observer.lines[0]


def test_a_trial_that_keeps_failing_stays_failed_with_its_traceback(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        if spec.params["lr"] == 0.1:
            yield TrialResult(TrialState.FAILED, "ValueError: no", "Traceback ...")
        yield from trains([0.5])(spec)

    setup = Setup(tmp_path, seeds=(0,))
    outcome = setup.run(script)
    assert outcome.counts == {TrialState.COMPLETE: 2, TrialState.FAILED: 1}
    record = setup.records()[0]
    assert (record.state, record.reason, record.traceback, record.attempts) == (
        TrialState.FAILED, "ValueError: no", "Traceback ...", 3
    )  # fmt: skip
    assert setup.study().trials[0].state == optuna.trial.TrialState.FAIL
    assert setup.run(trains([0.9])).counts == outcome.counts


def test_an_error_of_the_configuration_is_not_retried(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        yield TrialResult(TrialState.FAILED, "ConfigError: too small", retry=False)

    setup = Setup(tmp_path, seeds=(0,))
    setup.run(script)
    assert len(setup.launcher.submitted) == 3


def test_failures_count_across_drivers_but_a_dead_driver_costs_none(tmp_path):
    setup = Setup(tmp_path, space={"lr": "choice(0.1)"}, seeds=(0,))

    def kill(poll):
        if poll == 3:
            raise Killed

    def dies(spec):
        yield Started(None, {}, 0.0)
        yield "die"

    with pytest.raises(Killed):
        setup.run(dies, on_poll=kill)  # the first attempt died, the second was cut off with its driver
    setup.run(dies)
    assert setup.records()[0].state is TrialState.FAILED
    assert setup.records()[0].facts["failures"] == 2
    assert len(setup.launcher.submitted) == 2  # attempt 3 is the second failure, attempt 4 the third


class Interrupting:
    """Sends this process an interrupt at chosen polls."""

    def __init__(self, *polls):
        self.polls = polls

    def __call__(self, poll):
        import os
        import signal

        if poll in self.polls:
            os.kill(os.getpid(), signal.SIGINT)


def test_one_interrupt_pauses_what_runs_and_the_next_run_finishes_it(tmp_path):
    setup = Setup(tmp_path)
    outcome = setup.run(trains([0.1, 0.2, 0.3]), on_poll=Interrupting(2))
    assert outcome.interrupted
    assert {r.state for r in setup.records()} == {TrialState.PAUSED}
    assert [d for _, d in setup.launcher.decisions] == [Decision.PAUSE] * 2
    assert setup.run(trains([0.1, 0.2, 0.3])).counts == {TrialState.COMPLETE: 6}


def test_two_interrupts_stop_at_once_and_the_next_run_finishes(tmp_path):
    setup = Setup(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        setup.run(trains([0.1, 0.2, 0.3]), on_poll=Interrupting(2, 3))
    assert {(r.state, r.reason) for r in setup.records()} == {(TrialState.WAITING, "interrupted")}
    assert setup.run(trains([0.1, 0.2, 0.3])).counts == {TrialState.COMPLETE: 6}


def test_a_pruner_stops_the_first_replicate_and_the_others_never_start(tmp_path):
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0)
    setup = Setup(tmp_path, space={"lr": "choice(0.4, 0.1)"}, pruner=pruner)
    outcome = setup.run(trains(lambda spec: [spec.params["lr"]] * 3), slots=1)
    assert outcome.counts == {TrialState.COMPLETE: 2, TrialState.PRUNED: 1}
    assert [s.id for s in setup.launcher.submitted] == [TrialId(0, 0), TrialId(0, 1), TrialId(1, 0)]
    pruned = setup.records()[-1]
    assert (pruned.id, pruned.state, len(pruned.reports)) == (TrialId(1, 0), TrialState.PRUNED, 1)
    assert setup.study().trials[1].state == optuna.trial.TrialState.PRUNED


def test_without_a_metric_that_the_objective_names_the_study_stops_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"objective.metric = 'valid/ac': no report has it, did you mean 'valid/acc'"):
        Setup(tmp_path, objective=Objective("valid/ac")).run(trains([0.3]))


def test_random_search_ends_with_its_budget_and_a_resumed_one_draws_new_points(tmp_path):
    def sampler(n):
        return optuna.samplers.RandomSampler(seed=n)

    space = {"lr": "interval(0.0, 1.0)"}
    Setup(tmp_path, space, sampler, seeds=(0,), points=4).run(trains([0.3]))
    setup = Setup(tmp_path, space, sampler, seeds=(0,), points=8)
    outcome = setup.run(trains([0.3]))
    drawn = [t.params["lr"] for t in setup.study().trials]
    assert len(set(drawn)) == 8
    assert outcome.why == "budget.points = 8 is used up"


def test_a_small_space_is_used_up_without_repeating_a_point(tmp_path):
    setup = Setup(tmp_path, {"a": "choice(1, 2, 3)", "b": "choice(x, y)"},
                  lambda n: optuna.samplers.TPESampler(seed=0, n_startup_trials=2), seeds=(0,))  # fmt: skip
    outcome = setup.run(trains([0.3]))
    points = [json.dumps(r.params, sort_keys=True) for r in setup.records()]
    assert len(points) == len(set(points)) == 6
    assert outcome.why == "all 6 points of the space are done"


@pytest.mark.parametrize(
    ("limit", "points"), [({"epochs": 6}, 2), ({"target": 0.3}, 1), ({"target": 0.9}, 5), ({"seconds": 0}, 0)]
)
def test_budgets_end_the_search_between_points(tmp_path, limit, points):
    setup = Setup(tmp_path, {"lr": "interval(0.0, 1.0)"}, lambda n: optuna.samplers.RandomSampler(seed=n),
                  seeds=(0,), **({"points": 5} | limit))  # fmt: skip
    setup.run(trains([0.1, 0.2, 0.3]), slots=1)
    assert len(setup.records()) == points


def test_in_lockstep_the_study_does_not_depend_on_who_is_faster(tmp_path):
    def script(slow, spec):
        yield Started(None, {}, 0.0)
        for epoch in range(1, 2 + spec.id.point % 3):
            yield from itertools.repeat(None, 3 if spec.id.point % 2 == slow else 0)
            yield Report(epoch, epoch, {"valid/acc": spec.params["lr"] * epoch}, (), 0.0)
        yield COMPLETE

    seen = []
    for slow in (0, 1):
        folder = tmp_path / str(slow)
        folder.mkdir()
        tpe = optuna.samplers.TPESampler(seed=0, n_startup_trials=3)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
        setup = Setup(folder, {"lr": "interval(0.0, 1.0)"}, lambda n, tpe=tpe: tpe, pruner, seeds=(0,), points=12)
        setup.run(partial(script, slow), Uneven, lockstep=True)
        seen.append([(r.params, r.state, r.score) for r in setup.records()])
    assert json.dumps(seen[0]) == json.dumps(seen[1])


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


def test_budget_seconds_counts_the_time_of_every_run(tmp_path):
    space = {"lr": "interval(0.0, 1.0)"}
    random_at = lambda n: optuna.samplers.RandomSampler(seed=n)  # noqa: E731
    Setup(tmp_path, space, random_at, seeds=(0,), seconds=60).run(trains([0.1]))
    trained = len(Setup(tmp_path, space, random_at).records())
    setup = Setup(tmp_path, space, random_at, seeds=(0,), seconds=60)
    outcome = setup.run(trains([0.1]))
    assert not setup.todo
    assert (len(setup.records()), outcome.why) == (trained, "budget.seconds = 60 is used up")


def test_without_any_score_a_diverged_point_is_told_no_better_than_its_first_loss(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        yield TrialResult(TrialState.INFEASIBLE, "diverged at step 2", facts={"first_loss": 2.3})

    setup = Setup(tmp_path, objective=Objective("valid/loss", "minimize"))
    setup.run(script)
    assert {t.value for t in setup.study().trials} == {2.3}


def test_a_lost_journal_is_refused_rather_than_trained_again(tmp_path):
    setup = Setup(tmp_path)
    setup.run(trains([0.5]))
    (tmp_path / "optuna.journal").write_text("")
    with pytest.raises(StorageError, match="the event files know point 2, the search only 0 points"):
        setup.run(trains([0.5]))


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
    assert len(setup.launcher.submitted) == 10 + 2


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
    assert outcome.why == "budget.epochs = 4 is used up"
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
    outcome = setup.run(trains([0.5]))
    assert outcome.best is None
    assert all(t.constraints["infeasible"] == 1.0 for t in setup.study().trials)
    assert "no finite valid/cost" in setup.observer.lines[0]
    again = Setup(tmp_path, LR, objective=objective, seeds=(0,))
    again.run(trains([0.5]))
    assert not again.todo


def test_a_killed_driver_forgets_little_of_the_time_it_searched(tmp_path):
    space, random_at = {"lr": "interval(0.0, 1.0)"}, lambda n: optuna.samplers.RandomSampler(seed=n)

    killed = tmp_path / "killed"

    def kill(poll):
        if poll == 12:
            shutil.copytree(tmp_path, killed)  # what a kill leaves, before the driver can say anything
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        Setup(tmp_path, space, random_at, seeds=(0,), seconds=1000).run(trains([0.1]), on_poll=kill)
    ran = Setup(tmp_path, space, random_at).study().user_attrs["seconds"]
    assert ran > 10
    assert (
        ran - Setup(killed, space, random_at).study().user_attrs.get("seconds", 0.0) < 20
    )  # by a second at every look


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


def test_a_best_point_at_an_edge_widens_the_range_and_keeps_every_point(tmp_path):
    space, random_at = {"lr": "tag(log, interval(1e-3, 1e-2))"}, lambda n: optuna.samplers.RandomSampler(seed=n)
    setup = Setup(tmp_path, space, random_at, seeds=(0,), points=40, extension=Extension(after=10, times=1))
    setup.run(trains(lambda spec: [spec.params["lr"]]), slots=3)
    study = setup.study()
    rates = [t.params["lr"] for t in study.trials]
    assert [t.number for t in study.trials] == list(range(40))
    assert study.study_name == "s+1"
    assert max(rates[:10]) <= 1e-2 < max(rates) <= 1e-1
    assert {(t.distributions["lr"].low, t.distributions["lr"].high) for t in study.trials} == {(1e-3, 1e-1)}
    assert len({r.key for r in setup.records()}) == 40
    assert any("now searched from 0.001 to 0.1" in line for line in setup.observer.lines)


@pytest.mark.parametrize("moment", range(4, 30, 3))
def test_a_driver_killed_around_a_widening_goes_on_in_the_wider_range(tmp_path, moment):
    space, random_at = {"lr": "tag(log, interval(1e-3, 1e-2))"}, lambda n: optuna.samplers.RandomSampler(seed=n)

    def kill(poll):
        if poll == moment:
            raise Killed

    setup = Setup(tmp_path, space, random_at, seeds=(0,), points=40, extension=Extension(after=8, times=1))
    with contextlib.suppress(Killed):
        setup.run(trains(lambda spec: [spec.params["lr"]]), slots=2, on_poll=kill)
    setup.run(trains(lambda spec: [spec.params["lr"]]), slots=2)
    records = setup.records()
    assert len({r.key for r in records}) == len(records) == 40
    assert {r.state for r in records} == {TrialState.COMPLETE}
    assert max(r.params["lr"] for r in records) > 1e-2
