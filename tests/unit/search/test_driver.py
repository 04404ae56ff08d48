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
from optuna.storages.journal._storage import JournalOperation

from hpsearch.base.errors import ConfigError
from hpsearch.base.files import LAYERS, LOG
from hpsearch.base.types import Decision, Objective, Report, Started, TrialId, TrialResult, TrialState
from hpsearch.search.samplers import Sobol
from hpsearch.search.watch import TimeLimits
from hpsearch.tracking.events import read_study
from tests.support.driver import COMPLETE, Killed, Setup, Uneven
from tests.support.fake_launcher import FakeLauncher, trains


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
    assert repr(again) == repr(first)  # an sd of nan among them


@pytest.mark.parametrize("elsewhere", [True, False])
def test_what_it_keeps_is_looked_through_once_where_trials_train_elsewhere(tmp_path, monkeypatch, elsewhere):
    entered = []

    @contextlib.contextmanager
    def set_aside():
        entered.append(True)
        yield
        entered.append(False)

    monkeypatch.setattr("hpsearch.search.driver.survivors_set_aside", set_aside)
    monkeypatch.setattr(FakeLauncher, "detached", property(lambda _: elsewhere, lambda *_: None), raising=False)
    Setup(tmp_path).run(trains([0.5]))
    assert entered == ([True, False] if elsewhere else [])


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


def test_the_disk_has_the_ends_of_a_point_before_the_score_that_is_told(tmp_path, monkeypatch):
    setup = Setup(tmp_path / "study", seeds=(0, 1), space={"lr": "choice(0.1, 0.2, 0.3, 0.4)"})
    setup.folder.mkdir()
    setup.tick_sec = 1.0
    disk, seen = Disk(setup.folder, tmp_path / "kept", last=10**9), []

    def fsync(file):
        disk.fsync(file)
        if Path(f"/proc/self/fd/{file}").readlink().name == "optuna.journal":
            lines = (disk.kept / "optuna.journal").read_text().splitlines()
            told = sum(json.loads(line).get("values") is not None for line in lines)
            files = (disk.kept / "events").glob("*-*-*.jsonl")
            ended = Counter(file.stem.split("-")[0] for file in files if '"COMPLETE"' in file.read_text())
            seen.append((told, sum(trials == 2 for trials in ended.values())))

    monkeypatch.setattr(os, "fsync", fsync)
    setup.run(trains(lambda spec: [0.1, spec.params["lr"] + spec.id.seed / 7]))
    assert all(told <= ended for told, ended in seen) and seen[-1] == (4, 4)


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


@pytest.mark.parametrize("file", [LAYERS, LOG])
def test_what_the_layers_did_and_what_was_printed_are_artifacts_of_a_trial_that_failed_too(tmp_path, file):
    def script(spec):
        yield Started(None, {}, 0.0)
        if spec.params["lr"] == 0.1:
            Path(spec.folder).mkdir(exist_ok=True)
            (Path(spec.folder) / file).write_text("[]")
            yield TrialResult(TrialState.FAILED, "ValueError: no", retry=False)
        yield from trains([0.5])(spec)

    setup = Setup(tmp_path, seeds=(0,))
    setup.run(script)
    assert [record.artifacts for record in setup.records()] == [(file,), (), ()]
    assert any(line.endswith(f"/{LOG})") and "(log: " in line for line in setup.observer.lines) == (file == LOG)


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
    assert setup.records()[0].facts["failures"] == 3
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
    assert [d for _, d in setup.launcher.decisions] == [Decision.LEAVE] * 2
    assert setup.run(trains([0.1, 0.2, 0.3])).counts == {TrialState.COMPLETE: 6}


def test_two_interrupts_stop_at_once_and_the_next_run_finishes(tmp_path):
    setup = Setup(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        setup.run(trains([0.1, 0.2, 0.3]), on_poll=Interrupting(2, 3))
    assert {(r.state, r.reason) for r in setup.records()} == {(TrialState.WAITING, "interrupted")}
    assert setup.run(trains([0.1, 0.2, 0.3])).counts == {TrialState.COMPLETE: 6}


def hangs(spec):
    """Reports an epoch after 4 seconds, and then nothing; a poll is a second."""
    yield Started(None, {}, 1000.0)
    yield from [None] * 3
    yield Report(1, 10, {"valid/acc": 0.1}, (), 1000.0)
    yield from itertools.repeat(None)


def test_one_interrupt_ends_a_study_whose_trials_hang(tmp_path):
    setup = Setup(tmp_path)
    outcome = setup.run(hangs, Uneven, on_poll=Interrupting(20))
    assert outcome.interrupted
    assert setup.launcher.polls == pytest.approx(20 + 4 + setup.launcher.grace_sec, abs=2)
    assert {(r.state, r.reason) for r in setup.records()} == {(TrialState.WAITING, "interrupted")}
    assert "what has not after 14 s is killed; once more to stop at once" in setup.observer.lines[0]
    assert setup.run(trains([0.1, 0.2, 0.3])).counts == {TrialState.COMPLETE: 6}


def test_budget_seconds_ends_trials_that_hang_and_more_of_it_goes_on_with_them(tmp_path):
    setup = Setup(tmp_path, seconds=200)
    outcome = setup.run(hangs, Uneven)
    assert not outcome.interrupted
    assert outcome.why.startswith("budget.seconds = 200 is used up")
    assert len(setup.launcher.killed) == 2
    assert {(r.state, r.reason.partition(" is")[0]) for r in setup.records()} == {
        (TrialState.WAITING, "budget.seconds = 200")
    }
    assert any("what has not after 10 s is killed" in line for line in setup.observer.lines)
    again = Setup(tmp_path, seconds=200)
    again.run(hangs, Uneven)
    assert not again.todo and again.launcher.submitted == []
    more = Setup(tmp_path, seconds=10_000)
    assert more.run(trains([0.1, 0.2, 0.3])).counts == {TrialState.COMPLETE: 6}


def test_what_runs_when_the_time_is_up_pauses_at_the_end_of_its_epoch(tmp_path):
    def endless(spec):
        yield Started(None, {}, 1000.0)
        for epoch in itertools.count(1):
            yield Report(epoch, epoch, {"valid/acc": 0.1}, (), 1000.0)

    setup = Setup(tmp_path, seconds=200)
    setup.run(endless)
    assert {r.state for r in setup.records()} == {TrialState.PAUSED}
    assert setup.launcher.killed == []
    assert Setup(tmp_path, seconds=1000).run(trains([0.1, 0.2])).counts == {TrialState.COMPLETE: 6}


SOME_HANG = {"trial_seconds": 20}, {"silent_seconds": 10}


def slow_one(spec):
    """Point 1 hangs after its first epoch."""
    yield from hangs(spec) if spec.id.point == 1 and spec.id.seed == 1 else trains([0.1, 0.2, 0.3])(spec)


@pytest.mark.parametrize("limit", SOME_HANG, ids=["trial", "silent"])
def test_a_limit_that_is_raised_runs_again_what_it_ended_and_nothing_else(tmp_path, limit):
    key, seconds = next(iter(limit.items()))
    ended = TrialState.INFEASIBLE if key == "trial_seconds" else TrialState.FAILED
    setup = Setup(tmp_path, limits=TimeLimits(**limit))
    outcome = setup.run(slow_one, Uneven)
    assert outcome.counts == {TrialState.COMPLETE: 5, ended: 1}
    assert len(setup.launcher.killed) == (1 if ended is TrialState.INFEASIBLE else 3)
    state = "COMPLETE" if ended is TrialState.INFEASIBLE else "FAIL"  # told as infeasible, or not at all
    assert setup.study().trials[1].state.name == state
    for same in (seconds, seconds - 1):
        again = Setup(tmp_path, limits=TimeLimits(**{key: same}))
        assert again.run(trains([0.4])).counts == outcome.counts and not again.todo
    for raised in (seconds + 1, None):
        more = Setup(tmp_path, limits=TimeLimits(**{key: raised}))
        script = slow_one if raised else trains([0.1, 0.2, 0.3])
        after = more.run(script, Uneven)
        assert {each.id for each in more.launcher.submitted} == {TrialId(1, 1)}
        assert after.counts == (outcome.counts if raised else {TrialState.COMPLETE: 6})
        assert [trial.number for trial in more.study().trials] == [0, 1, 2]
    assert more.study().trials[1].value == pytest.approx(0.3)
    assert more.study().trials[1].constraints == {"infeasible": -1.0}
    record = more.records()[3]
    assert (record.id, record.state, "failures" in record.facts) == (TrialId(1, 1), TrialState.COMPLETE, False)


@pytest.mark.parametrize("kill", range(1, 12, 2))
def test_a_driver_killed_while_something_runs_again_goes_on_with_it(tmp_path, kill):
    Setup(tmp_path, limits=TimeLimits(trial_seconds=20)).run(slow_one, Uneven)

    def stop(poll):
        if poll == kill:
            raise Killed

    with contextlib.suppress(Killed):
        Setup(tmp_path).run(trains([0.1, 0.2, 0.3]), on_poll=stop)
    setup = Setup(tmp_path)
    assert setup.run(trains([0.1, 0.2, 0.3])).counts == {TrialState.COMPLETE: 6}
    assert {trial.value for trial in setup.study().trials} == {0.3}


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
    assert outcome.why == "budget.points = 8 is used up: 8 points"


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


def test_budget_seconds_counts_the_time_of_every_run(tmp_path):
    space = {"lr": "interval(0.0, 1.0)"}
    random_at = lambda n: optuna.samplers.RandomSampler(seed=n)  # noqa: E731
    Setup(tmp_path, space, random_at, seeds=(0,), seconds=60).run(trains([0.1]))
    trained = len(Setup(tmp_path, space, random_at).records())
    setup = Setup(tmp_path, space, random_at, seeds=(0,), seconds=60)
    outcome = setup.run(trains([0.1]))
    assert not setup.todo
    assert len(setup.records()) == trained
    assert outcome.why == f"budget.seconds = 60 is used up: 1 min, {trained} points"


@pytest.mark.parametrize("tick_sec", [-3600.0, 0.0, 3600.0])
def test_a_clock_that_is_set_neither_ends_nor_prolongs_a_search(tmp_path, tick_sec):
    setup = Setup(tmp_path, {"lr": "interval(0.0, 1.0)"}, lambda n: optuna.samplers.RandomSampler(seed=n),
                  seeds=(0,), seconds=60)  # fmt: skip
    setup.tick_sec = tick_sec
    outcome = setup.run(trains([0.1]), slots=1)
    assert setup.launcher.polls == 60  # a second each
    assert outcome.why.startswith("budget.seconds = 60 is used up: 1 min, ")
    assert setup.study().user_attrs["seconds"] == 60


def test_a_lost_journal_is_told_again_rather_than_trained_again(tmp_path):
    setup = Setup(tmp_path)
    first = setup.run(trains([0.5]))
    (tmp_path / "optuna.journal").write_text("")
    again = setup.run(trains([0.5]))
    assert not setup.launcher.submitted and (again.counts, again.best) == (first.counts, first.best)
    assert setup.observer.lines == ["points 0, 1, 2: not known to the search any more, told again from the event files"]


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


def reporting(epochs):
    def script(spec):
        yield Started(None, {}, 0.0)
        for epoch in epochs:
            yield Report(epoch, epoch * 10, {"valid/acc": 0.1 * (1 + epoch)}, (), float(epoch))
        yield COMPLETE

    return script


@pytest.mark.parametrize("epochs", [(0, 1, 2, 3), (1, 3), (3,)], ids=["with the untrained", "every other", "once"])
def test_budget_epochs_counts_the_epochs_trained_whatever_is_reported(tmp_path, epochs):
    space, random_at = {"lr": "interval(0.0, 1.0)"}, lambda n: optuna.samplers.RandomSampler(seed=n)
    plan = {"seeds": (0,), "points": 9, "epochs": 12}
    setup = Setup(tmp_path, space, random_at, **plan)
    assert setup.run(reporting(epochs), slots=1).why == "budget.epochs = 12 is used up: 12 epochs, 4 points"
    assert len(setup.records()) == 4
    again = Setup(tmp_path, space, random_at, **plan)
    again.run(reporting(epochs), slots=1)
    assert not again.todo and len(again.records()) == 4


def test_a_best_point_that_a_killed_driver_did_not_record_is_recorded_by_the_next(tmp_path):
    Setup(tmp_path, seeds=(0,)).run(trains([0.5]), slots=1)
    file = tmp_path / "events" / "study.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if '"event":"best"' not in line))
    assert "best" not in read_study(tmp_path)
    outcome = Setup(tmp_path, seeds=(0,)).run(trains([0.5]), slots=1)
    assert read_study(tmp_path)["best"]["point"] == outcome.best.point
    before = file.read_text()
    Setup(tmp_path, seeds=(0,)).run(trains([0.5]), slots=1)
    assert file.read_text() == before


def test_in_rounds_every_point_is_trained_once_before_any_is_again(tmp_path):
    setup = Setup(tmp_path, rounds=True, seeds=(0, 1, 2))
    outcome = setup.run(trains(lambda spec: [spec.params["lr"]]), slots=1)
    order = [(spec.id.seed, spec.id.point) for spec in setup.launcher.submitted]
    assert order == sorted(order) and len(order) == 9
    assert outcome.counts == {TrialState.COMPLETE: 9} and outcome.best.point == 2


class Late(FakeLauncher):
    """Workers that come one after the other, are there for a while, and then are all gone for a while."""

    def free(self):
        gone = 30 <= self.polls < 35
        return () if gone else tuple(slot for slot in super().free() if self.polls >= 5 + 3 * slot)


def test_workers_that_are_still_to_come_are_waited_for_and_no_point_is_chosen_long_before(tmp_path):
    setup = Setup(tmp_path, {"lr": "interval(0, 1)"}, lambda n: optuna.samplers.RandomSampler(0), points=12)
    asked = {}

    def look(poll):
        lines = map(json.loads, (tmp_path / "optuna.journal").read_text().splitlines())
        asked[poll] = sum(line["op_code"] == JournalOperation.CREATE_TRIAL for line in lines)

    outcome = setup.run(trains([0.5]), kind=Late, slots=8, on_poll=look)
    assert outcome.counts == {TrialState.COMPLETE: 24} and not outcome.interrupted
    assert asked[4] == 1  # one point: two trials of it, for whichever worker comes first
