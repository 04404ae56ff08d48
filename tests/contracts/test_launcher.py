"""What every launcher owes the driver."""

import os
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from socket import gethostname

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, Report, Started, TrialId, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended, Launcher, Reported
from hpsearch.launch.inline import InlineLauncher
from hpsearch.launch.processes import ProcessLauncher
from hpsearch.launch.ray.launcher import RayLauncher
from hpsearch.launch.slurm.launcher import SlurmLauncher
from tests.support import trial_functions
from tests.support.ray_cluster import ray_cluster
from tests.support.waiting import WITHIN_SEC, events_until


def spec(point: int = 0, folder: str = "", **config) -> TrialSpec:
    return TrialSpec("study", TrialId(point, 0), {"epochs": 3} | config, {}, (), f"key{point}", folder)


class Record:
    """Drives a launcher for a while and remembers, per trial, what came in which order."""

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher
        self.deadline = time.monotonic() + WITHIN_SEC
        self.messages = defaultdict(list)
        self.results = {}

    def tick(self, answer=lambda trial, message: None) -> list:
        assert time.monotonic() < self.deadline, f"only {dict(self.messages)} and {self.results} came"
        events = self.launcher.poll(0.2)
        for event in events:
            if isinstance(event, Reported):
                assert event.trial not in self.results
                self.messages[event.trial].append(event.message)
                if decision := answer(event.trial, event.message):
                    self.launcher.decide(event.trial, decision)
            elif isinstance(event, Ended):
                assert event.trial not in self.results
                self.results[event.trial] = event.result
            else:
                pytest.fail(f"unexpected {event}")
        return events

    def until_ended(self, *trials: TrialId, answer=lambda trial, message: None) -> None:
        while not all(trial in self.results for trial in trials):
            self.tick(answer)

    def epochs(self, trial: TrialId) -> list[int]:
        assert isinstance(self.messages[trial][0], Started)
        return [message.epoch for message in self.messages[trial][1:]]


def always_continue(trial, message):
    return Decision.CONTINUE


class LauncherContract:
    """Inherited by one test class per launcher, which makes the fixtures `push` and `lockstep`."""

    def test_a_killed_trial_dies_with_its_batch_and_its_slot_works_again(self, push):
        pair = (spec(1, epochs=10_000, epoch_sec=0.01), spec(2, epochs=10_000))
        push.submit(0, pair)
        events_until(push, bool)
        push.kill(TrialId(2, 0))
        events = events_until(push, lambda events: events and isinstance(events[-1], Died))
        assert (events[-1].slot, events[-1].trials) == (0, (TrialId(1, 0), TrialId(2, 0)))
        push.kill(TrialId(2, 0))  # it has ended
        record = Record(push)
        push.submit(0, (spec(3),))
        record.until_ended(TrialId(3, 0))
        assert record.results[TrialId(3, 0)].state is TrialState.COMPLETE

    def test_push_trains_to_the_end_without_an_answer(self, push):
        record = Record(push)
        push.submit(0, (spec(5),))
        record.until_ended(TrialId(5, 0))
        assert record.epochs(TrialId(5, 0)) == [1, 2, 3]
        assert record.messages[TrialId(5, 0)][1] == Report(1, 10, {"loss": 6.0})
        assert record.results[TrialId(5, 0)].state is TrialState.COMPLETE

    def test_slot_is_taken_until_its_trial_ended(self, push):
        record = Record(push)
        assert push.free() == tuple(range(push.slots))
        push.submit(0, (spec(),))
        assert 0 not in push.free()
        with pytest.raises(RuntimeError, match="not free"):
            push.submit(0, (spec(1),))
        record.until_ended(TrialId(0, 0))
        assert push.free() == tuple(range(push.slots))

    def test_slot_is_used_again(self, push):
        record = Record(push)
        for point in range(5):
            push.submit(0, (spec(point),))
            record.until_ended(TrialId(point, 0))
        assert all(record.epochs(TrialId(point, 0)) == [1, 2, 3] for point in range(5))

    def test_every_slot_trains(self, push):
        record = Record(push)
        for slot in push.free():
            push.submit(slot, (spec(slot),))
        record.until_ended(*(TrialId(slot, 0) for slot in range(push.slots)))
        assert all(record.epochs(TrialId(slot, 0)) == [1, 2, 3] for slot in range(push.slots))

    @pytest.mark.parametrize(
        ("decision", "state"), [(Decision.STOP, TrialState.PRUNED), (Decision.PAUSE, TrialState.PAUSED)]
    )
    def test_push_decision_ends_the_trial_soon(self, push, decision, state):
        record = Record(push)
        push.submit(0, (spec(epochs=10_000, epoch_sec=0.01),))
        record.until_ended(TrialId(0, 0), answer=lambda trial, message: decision if message.epoch == 2 else None)
        assert record.results[TrialId(0, 0)].state is state
        assert 2 <= record.epochs(TrialId(0, 0))[-1] < 1000

    def test_later_continue_does_not_undo_a_stop(self, push):
        record = Record(push)
        push.submit(0, (spec(epochs=10_000, epoch_sec=0.01),))
        record.until_ended(
            TrialId(0, 0), answer=lambda trial, message: Decision.STOP if message.epoch == 1 else Decision.CONTINUE
        )
        assert record.results[TrialId(0, 0)].state is TrialState.PRUNED

    def test_lockstep_waits_for_every_answer(self, lockstep):
        record = Record(lockstep)
        lockstep.submit(0, (spec(epochs=2),))
        for expected in range(1, 4):
            while len(record.messages[TrialId(0, 0)]) < expected:
                record.tick()
            assert lockstep.poll(0.05) == []
            lockstep.decide(TrialId(0, 0), Decision.CONTINUE)
        record.until_ended(TrialId(0, 0))
        assert record.epochs(TrialId(0, 0)) == [1, 2]

    @pytest.mark.parametrize(
        ("decision", "state"), [(Decision.STOP, TrialState.PRUNED), (Decision.PAUSE, TrialState.PAUSED)]
    )
    def test_lockstep_decision_takes_effect_at_once(self, lockstep, decision, state):
        record = Record(lockstep)
        lockstep.submit(0, (spec(epochs=50),))
        record.until_ended(
            TrialId(0, 0),
            answer=lambda trial, message: decision if message.epoch == 2 else Decision.CONTINUE,
        )
        assert record.epochs(TrialId(0, 0)) == [1, 2]
        assert record.results[TrialId(0, 0)].state is state

    def test_paused_trial_goes_on_in_a_later_batch_without_old_decisions(self, lockstep):
        record = Record(lockstep)
        lockstep.submit(0, (spec(),))
        record.until_ended(TrialId(0, 0), answer=lambda trial, message: Decision.PAUSE)
        lockstep.decide(TrialId(0, 0), Decision.PAUSE)
        again = Record(lockstep)
        lockstep.submit(0, (spec(),))
        again.until_ended(TrialId(0, 0), answer=always_continue)
        assert again.epochs(TrialId(0, 0)) == [1, 2, 3]

    def test_batch_of_two_reports_for_both(self, push):
        record = Record(push)
        push.submit(0, (spec(1), spec(4)))
        record.until_ended(TrialId(1, 0), TrialId(4, 0))
        for point in (1, 4):
            assert record.epochs(TrialId(point, 0)) == [1, 2, 3]
            assert record.messages[TrialId(point, 0)][2].metrics == {"loss": point + 0.5}
        assert push.free() == tuple(range(push.slots))

    def test_lockstep_waits_for_the_answer_to_every_member(self, lockstep):
        record = Record(lockstep)
        lockstep.submit(0, (spec(1), spec(4)))
        while len(record.messages) < 2:
            record.tick()
        lockstep.decide(TrialId(1, 0), Decision.CONTINUE)
        assert lockstep.poll(0.1) == []
        lockstep.decide(TrialId(4, 0), Decision.STOP)
        record.until_ended(TrialId(1, 0), TrialId(4, 0))
        assert record.results[TrialId(1, 0)].state is TrialState.COMPLETE
        assert record.results[TrialId(4, 0)].state is TrialState.PRUNED

    def test_exception_becomes_a_failed_result(self, push):
        record = Record(push)
        push.submit(0, (spec(at={2: "raise_value_error"}),))
        record.until_ended(TrialId(0, 0))
        result = record.results[TrialId(0, 0)]
        assert record.epochs(TrialId(0, 0)) == [1]
        assert (result.state, result.reason, result.retry) == (TrialState.FAILED, "ValueError: no such layer", True)
        assert "in raise_value_error" in result.traceback
        line = trial_functions.raise_value_error.__code__.co_firstlineno + 1
        assert result.failed_at == f"ValueError at {trial_functions.__file__}:{line}"
        assert result.time > 1e9

    def test_error_for_the_user_is_not_tried_again(self, push):
        record = Record(push)
        push.submit(0, (spec(at={1: "raise_config_error"}),))
        record.until_ended(TrialId(0, 0))
        result = record.results[TrialId(0, 0)]
        assert (result.reason, result.retry) == ("model.width=0: it must be positive", False)

    @pytest.mark.parametrize(
        ("fault", "reason"),
        {
            "leave_by_sys_exit": "SystemExit: sys.exit(3): return from the function of a trial instead",
            "leave_without_a_code": "SystemExit: sys.exit(None): return from the function of a trial instead",
            "raise_what_is_no_exception": "Stopped: by a library",
            "raise_an_empty_error": "ValueError",
            "raise_an_error_without_message": "WithoutMessage",
            "raise_a_message_that_begins_with_an_empty_line": "ValueError: no such layer",
        }.items(),
    )
    def test_whatever_is_raised_fails_the_trial_only_and_its_reason_is_one_line(self, push, fault, reason):
        record = Record(push)
        push.submit(0, (spec(at={1: fault}),))
        record.until_ended(TrialId(0, 0))
        assert record.results[TrialId(0, 0)].reason == reason
        push.submit(0, (spec(1),))
        record.until_ended(TrialId(1, 0))
        assert record.results[TrialId(1, 0)].state is TrialState.COMPLETE

    @pytest.mark.parametrize("fault", ["raise_value_error", "note_folder"])
    def test_a_trial_that_changes_the_working_folder_does_so_for_itself(self, push, tmp_path, fault):
        record = Record(push)
        here = Path.cwd()
        push.submit(0, (spec(folder=str(tmp_path), at={1: "change_folder", 2: fault}),))
        record.until_ended(TrialId(0, 0))
        push.submit(0, (spec(1, folder=str(tmp_path), at={1: "note_folder"}),))
        record.until_ended(TrialId(1, 0))
        assert (tmp_path / "cwd").read_text() == str(here) == str(Path.cwd())

    def test_exception_fails_every_member(self, push):
        record = Record(push)
        push.submit(0, (spec(1, at={1: "raise_value_error"}), spec(2)))
        record.until_ended(TrialId(1, 0), TrialId(2, 0))
        assert {result.state for result in record.results.values()} == {TrialState.FAILED}

    @pytest.mark.parametrize("function", ["yields_too_few", "returns_nothing"])
    def test_trial_function_that_breaks_its_contract_fails_with_the_reason(self, push, function):
        record = Record(push)
        push.submit(0, (spec(function=function),))
        record.until_ended(TrialId(0, 0))
        result = record.results[TrialId(0, 0)]
        assert result.state is TrialState.FAILED
        assert result.reason.startswith("the trial function")
        assert not result.retry

    def test_decision_for_a_trial_that_ended_or_never_was_is_ignored(self, push):
        record = Record(push)
        push.submit(0, (spec(),))
        record.until_ended(TrialId(0, 0))
        push.decide(TrialId(0, 0), Decision.STOP)
        push.decide(TrialId(9, 9), Decision.STOP)
        push.submit(0, (spec(1),))
        record.until_ended(TrialId(1, 0))
        assert record.epochs(TrialId(1, 0)) == [1, 2, 3]

    def test_every_slot_is_on_a_machine(self, push):
        assert {push.machine(slot) for slot in push.free()} == {gethostname()}

    def test_idle_poll_returns_nothing(self, push):
        assert push.poll(0.01) == []

    def test_call_returns_the_result(self, push):
        assert push.call(trial_functions.add, 1, 2) == 3

    def test_call_between_trials(self, push):
        record = Record(push)
        push.submit(0, (spec(),))
        record.until_ended(TrialId(0, 0))
        assert push.call(trial_functions.add, "a", "b") == "ab"
        push.submit(0, (spec(1),))
        record.until_ended(TrialId(1, 0))

    def test_call_raises_an_error_for_the_user_as_itself(self, push):
        with pytest.raises(ConfigError, match=r"^no such option$"):
            push.call(trial_functions.refuse, "no such option")

    def test_call_raises_any_other_error_with_its_traceback(self, push):
        with pytest.raises(RuntimeError, match=r"(?s)in fail_to_add.*ZeroDivisionError: 1/0"):
            push.call(trial_functions.fail_to_add, 1, 0)
        assert push.free() == tuple(range(push.slots))

    def test_stop_in_the_middle_of_a_trial(self, push):
        record = Record(push)
        push.submit(0, (spec(epochs=10_000, epoch_sec=0.01),))
        while not record.messages:
            record.tick()
        push.stop(now=True)


class TestInlineLauncher(LauncherContract):
    @pytest.fixture
    def push(self):
        launcher = InlineLauncher()
        launcher.start(trial_functions.by_name)
        yield launcher
        launcher.stop()

    @pytest.fixture
    def lockstep(self):
        launcher = InlineLauncher(lockstep=True)
        launcher.start(trial_functions.by_name)
        yield launcher
        launcher.stop()


class WorkerContract(LauncherContract):
    """Inherited by launchers that train in processes of their own, two at least."""

    def test_a_worker_that_is_killed_in_an_epoch_costs_its_trial_an_attempt_and_nobody_else_anything(self, push):
        dying, calm = TrialId(1, 0), TrialId(2, 0)
        push.submit(0, (spec(1, epochs=5, at={3: "be_killed"}),))
        push.submit(1, (spec(2, epochs=50, epoch_sec=0.01),))

        def is_over(events):
            """Whether both have ended, the one that died in its next attempt."""
            if any(isinstance(event, Died) for event in events) and 0 in push.free() and not again:
                again.append(push.submit(0, (replace(spec(1, epochs=5), attempt=2),)))
            return sum(isinstance(event, Ended) for event in events) == 2

        again = []
        events = events_until(push, is_over)
        (died,) = [event for event in events if isinstance(event, Died)]
        assert (died.slot, died.trials, died.killed) == (0, (dying,), None)
        assert "was killed by SIGKILL" in died.detail.splitlines()[0]
        said = {trial: [each for each in events if getattr(each, "trial", None) == trial] for trial in (dying, calm)}
        assert [each.message.epoch for each in said[dying][:-1]] == [None, 1, 2, None, 1, 2, 3, 4, 5]
        assert [each.message.epoch for each in said[calm][:-1]] == [None, *range(1, 51)]
        assert events.index(said[dying][2]) < events.index(died) < events.index(said[dying][3])
        before, after, other = (each.message.facts["pid"] for each in (*said[dying][:4:3], said[calm][0]))
        assert before not in (after, other)
        assert all(said[trial][-1].result.state is TrialState.COMPLETE for trial in (dying, calm))
        assert said[calm][-1].result.facts["pid"] == other
        assert push.free() == tuple(range(push.slots))
        assert push.poll(0.05) == []


def all_up(launcher: Launcher) -> None:
    """Wait until every worker may be given something to do; nothing else happens before."""
    assert events_until(launcher, lambda events: events or len(launcher.free()) == launcher.slots) == []


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


class TestProcessLauncher(WorkerContract):
    @pytest.fixture
    def push(self, logs):
        launcher = ProcessLauncher(workers=2, log_folder=logs)
        launcher.start(trial_functions.by_name)
        yield launcher
        launcher.stop(now=True)

    @pytest.fixture
    def lockstep(self, logs):
        launcher = ProcessLauncher(workers=1, lockstep=True, log_folder=logs)
        launcher.start(trial_functions.by_name)
        yield launcher
        launcher.stop(now=True)


@pytest.fixture(scope="module")
def cluster():
    with ray_cluster(2, 2) as cluster:
        yield cluster


class Borrowed:
    """A started launcher that one test after another takes, as starting one takes seconds."""

    def __init__(self, *args, **options):
        self.make = lambda: RayLauncher(*args, **options)
        self.launcher = None

    def taken(self):
        if self.launcher is None:
            self.launcher = self.make()
            self.launcher.start(trial_functions.by_name)
            all_up(self.launcher)
        return self.launcher

    def back(self):
        if self.launcher.free() != tuple(range(self.launcher.slots)):  # a test stopped it, or what it began goes on
            self.end()

    def end(self):
        if self.launcher is not None:
            self.launcher.stop(now=True)
            self.launcher = None


@pytest.fixture(scope="module")
def ray_push(cluster):
    borrowed = Borrowed(cluster.address, workers=2)
    yield borrowed
    borrowed.end()


@pytest.fixture(scope="module")
def ray_lockstep(cluster):
    borrowed = Borrowed(cluster.address, workers=1, lockstep=True)
    yield borrowed
    borrowed.end()


@pytest.mark.ray
class TestRayLauncher(WorkerContract):
    @pytest.fixture
    def push(self, ray_push):
        yield ray_push.taken()
        ray_push.back()

    @pytest.fixture
    def lockstep(self, ray_lockstep):
        yield ray_lockstep.taken()
        ray_lockstep.back()


EXECUTOR = "slurm" if os.environ.get("HPSEARCH_SLURM") else "local"


@pytest.mark.slurm
class TestSlurmLauncher(WorkerContract):
    """By submitit's executor of local processes; by Slurm where HPSEARCH_SLURM=1 says that it runs here."""

    @pytest.fixture(autouse=True)
    def shared(self, tmp_path, monkeypatch):
        pytest.importorskip("submitit")
        monkeypatch.chdir(tmp_path)

    @pytest.fixture
    def push(self, shared):
        yield from in_jobs(SlurmLauncher(workers=2, executor=EXECUTOR))

    @pytest.fixture
    def lockstep(self, shared):
        yield from in_jobs(SlurmLauncher(workers=1, executor=EXECUTOR, lockstep=True))


def in_jobs(launcher):
    launcher.start(trial_functions.by_name)
    all_up(launcher)
    yield launcher
    launcher.stop(now=True)
