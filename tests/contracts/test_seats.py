"""What every launcher owes the driver whose workers train several trials by turns."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hpsearch.base.types import Decision, TrialId, TrialSpec, TrialState
from hpsearch.launch.base import Died, Ended, Launcher
from hpsearch.launch.inline import InlineLauncher
from hpsearch.launch.processes import ProcessLauncher
from hpsearch.launch.slurm.launcher import SlurmLauncher
from hpsearch.search.interrupts import interrupts
from tests.contracts.test_launcher import Record
from tests.contracts.test_launcher import spec as alone
from tests.support import trial_functions
from tests.support.waiting import events_until

LONG = {"epochs": 100_000}
WIDTH = 3


def spec(point: int = 0, folder: str = "", **config) -> TrialSpec:
    return replace(alone(point, folder, **config), width=WIDTH)


def shares(point: int, group: str, **config) -> TrialSpec:
    return spec(point, function="shares", group=group, **config)


def trial(point: int) -> TrialId:
    return TrialId(point, 0)


def seats(launcher: Launcher) -> tuple[int, ...]:
    """Return the slots of the first worker."""
    return tuple(range(0, launcher.slots, launcher.slots // WIDTH))


def submit(launcher: Launcher, *specs: TrialSpec) -> Record:
    """Start trials in the first worker, and return what comes of them."""
    for seat, each in zip(seats(launcher), specs, strict=False):
        launcher.submit(seat, (each,))
    return Record(launcher)


def in_rounds(record: Record, *trials: TrialId) -> None:
    """Answer as the driver does in lockstep: all trials at once, when all of them have reported or ended."""
    heard: set[TrialId] = set()
    while not set(trials) <= record.results.keys():
        heard |= {event.trial for event in record.tick()}
        if heard >= set(trials) - record.results.keys():
            for each in sorted(heard - record.results.keys()):
                record.launcher.decide(each, Decision.CONTINUE)
            heard = set()


def until_died(launcher: Launcher) -> Died:
    return events_until(launcher, lambda events: events and isinstance(events[-1], Died))[-1]


def together(record: Record, point: int) -> list[str]:
    """Return with whom a trial that shares trained each epoch."""
    return [next(iter(message.metrics)) for message in record.messages[trial(point)][1:]]


class SeatsContract:
    """Inherited by one test class per launcher, which makes the fixtures `push` and `lockstep`, of width 3."""

    def test_slots_lie_in_turn_with_the_workers(self, push):
        workers = push.slots // WIDTH
        assert push.free() == tuple(range(WIDTH * workers))
        for slot in push.free():
            push.submit(slot, (spec(slot),))
        assert push.free() == ()
        record = Record(push)
        record.until_ended(*map(trial, range(push.slots)))
        pids = [record.results[trial(slot)].facts["pid"] for slot in range(push.slots)]
        assert len(set(pids)) == workers and pids == pids[:workers] * WIDTH

    def test_trials_take_turns_and_each_is_told_its_own(self, push):
        record, heard = submit(push, *(spec(point, **LONG) for point in range(3))), []
        while min(heard.count(point) for point in range(3)) < 10:
            heard += [event.trial.point for event in record.tick()]
        begun = max(heard.index(point) for point in range(3)) + 1
        turns = [heard[place : place + 3] for place in range(begun, len(heard) - 2, 3)]
        assert {tuple(sorted(turn)) for turn in turns} == {(0, 1, 2)}
        push.decide(trial(1), Decision.STOP)
        push.decide(trial(2), Decision.PAUSE)
        record.until_ended(trial(1), trial(2))
        assert record.results[trial(1)].state is TrialState.PRUNED
        assert record.results[trial(2)].state is TrialState.PAUSED
        assert trial(0) not in record.results
        push.decide(trial(0), Decision.STOP)
        record.until_ended(trial(0))

    def test_one_joins_and_ends_while_others_run(self, push):
        record = submit(push, spec(0, **LONG), spec(1, **LONG))
        while len(record.messages[trial(1)]) < 3:
            record.tick()
        push.submit(seats(push)[2], (spec(2),))
        record.until_ended(trial(2))
        assert record.results[trial(2)].state is TrialState.COMPLETE and len(record.results) == 1
        push.submit(seats(push)[2], (spec(2),))  # its next attempt has a seat again
        for point in range(2):
            push.decide(trial(point), Decision.STOP)
        record = Record(push)
        record.until_ended(trial(0), trial(1), trial(2))

    def test_those_that_share_train_together_until_each_has_what_it_needs(self, lockstep):
        record = submit(lockstep, shares(0, "a", epochs=2), shares(1, "a", epochs=3), shares(2, "b", epochs=2))
        in_rounds(record, *map(trial, range(3)))
        assert together(record, 0) == ["with 0+1"] * 2
        assert together(record, 1) == ["with 0+1"] * 2 + ["with 1"]
        assert together(record, 2) == ["with 2"] * 2
        assert [message.step for message in record.messages[trial(1)][1:]] == [1, 2, 3]

    def test_in_lockstep_it_is_the_same_whenever_answers_come_and_a_turn_comes_at_once(self, lockstep):
        record = submit(lockstep, *(shares(point, "late", epochs=2) for point in range(3)))
        for _ in range(3):
            before = {trial: len(messages) for trial, messages in record.messages.items()}
            while sum(map(len, record.messages.values())) < sum(before.values()) + 3:
                events = record.tick()
            assert len(events) == 3 or not before  # what one turn brings is one frame
            for point in (2, 0):
                lockstep.decide(trial(point), Decision.CONTINUE)
            assert lockstep.poll(0.02) == []
            lockstep.decide(trial(1), Decision.CONTINUE)
        record.until_ended(*map(trial, range(3)))
        assert [together(record, point) for point in range(3)] == [["with 0+1+2"] * 2] * 3

    @pytest.mark.parametrize(
        ("fault", "reason"),
        {
            "raise_value_error": "ValueError: no such layer",
            "stuck": "Group was advanced, and none of 2 trials goes on",
        }.items(),
    )
    def test_what_goes_wrong_with_what_is_shared_fails_those_that_wait_for_it(self, lockstep, fault, reason):
        record = submit(lockstep, shares(0, fault), shares(1, fault, fault=fault), shares(2, "whole"))
        in_rounds(record, *map(trial, range(3)))
        results = [record.results[trial(point)] for point in range(3)]
        assert [result.state for result in results] == [TrialState.FAILED, TrialState.FAILED, TrialState.COMPLETE]
        assert {result.reason for result in results[:2]} == {reason}
        assert together(record, 2) == ["with 2"] * 3

    def test_the_error_of_one_is_its_own(self, push):
        broken = spec(1, at={2: "raise_value_error"})
        record = submit(push, spec(0), broken, spec(2, function="yields_too_few"))
        record.until_ended(*map(trial, range(3)))
        assert [record.results[trial(point)].state for point in range(3)] == [
            TrialState.COMPLETE,
            TrialState.FAILED,
            TrialState.FAILED,
        ]

    def test_whoever_kills_a_trial_is_told_for_which_one_the_worker_died(self, push):
        record = submit(push, *(spec(point, epoch_sec=0.001, **LONG) for point in range(3)))
        while len(record.messages) < 3:
            record.tick()
        push.kill(trial(1))
        died = until_died(push)
        assert died.killed == trial(1) and trial(1) in died.trials and died.slot in seats(push)
        left = {trial(0), trial(2)} - set(died.trials)
        for each in left:
            push.decide(each, Decision.STOP)
        record = Record(push)
        record.until_ended(*left)
        assert push.free() == tuple(range(push.slots))

    @pytest.mark.parametrize("killed", [False, True])
    def test_what_an_attempt_did_not_read_is_not_told_to_the_next(self, push, killed):
        submit(push, spec(1)).until_ended(trial(1))  # the worker has started
        record = submit(push, spec(0, **LONG) if killed else spec(0))
        time.sleep(0.0 if killed else 0.05)  # in another process it has ended by now
        push.decide(trial(0), Decision.STOP)
        if killed:
            push.kill(trial(0))
            # it may have obeyed before
            events_until(push, lambda events: any(isinstance(event, Died | Ended) for event in events))
        else:
            record.until_ended(trial(0))
        record = submit(push, spec(0))
        record.until_ended(trial(0))
        assert record.results[trial(0)].state is TrialState.COMPLETE

    def test_those_that_share_wait_for_each_other_and_for_no_other_group(self, push):
        first, second, third = seats(push)
        record = submit(push, shares(0, "joined", **LONG))
        while not record.messages:
            record.tick()
        push.submit(second, (shares(1, "joined"),))
        push.submit(third, (shares(2, "other"),))
        record.until_ended(trial(1), trial(2))
        assert trial(0) not in record.results and first not in push.free()
        assert together(record, 1) == ["with 0+1"] * 3
        assert together(record, 2) == ["with 2"] * 3
        push.decide(trial(0), Decision.STOP)
        record.until_ended(trial(0))

    def test_one_may_be_of_the_plain_loop_and_then_it_waits_for_nobody(self, push):
        plain = alone(1, function="shares", group="plain")
        record = submit(push, shares(0, "plain"), plain, alone(2))
        record.until_ended(*map(trial, range(3)))
        states = [record.results[trial(point)].state for point in range(3)]
        assert states == [TrialState.COMPLETE, TrialState.FAILED, TrialState.COMPLETE]
        assert "yielded (Wait" in record.results[trial(1)].reason


def started(launcher: Launcher) -> Iterator[Launcher]:
    launcher.start(trial_functions.by_name)
    launcher.widen(WIDTH)
    yield launcher
    launcher.stop(now=True)


class TestInlineSeats(SeatsContract):
    @pytest.fixture
    def push(self):
        yield from started(InlineLauncher())

    @pytest.fixture
    def lockstep(self):
        yield from started(InlineLauncher(lockstep=True))

    def test_ctrl_c_passes_what_is_shared(self, push):
        submit(push, shares(0, "interrupted", fault="interrupt"))
        with pytest.raises(KeyboardInterrupt):
            for _ in range(3):
                push.poll(0)

    def test_an_interrupt_of_a_trial_s_own_is_its_error_where_nobody_asked_to_stop(self, push):
        with interrupts():
            record = submit(push, spec(0, at={1: "interrupt"}), spec(1), shares(2, "its_own", fault="interrupt"))
            record.until_ended(*map(trial, range(3)))
        states = [record.results[trial(point)].state for point in range(3)]
        assert states == [TrialState.FAILED, TrialState.COMPLETE, TrialState.FAILED]

    def test_ctrl_c_in_the_midst_of_a_trial_ends_more_than_that(self, push):
        submit(push, spec(0, at={1: "interrupted"}))
        with pytest.raises(KeyboardInterrupt), interrupts():
            for _ in range(3):
                push.poll(0)


@pytest.fixture(scope="module")
def processes():
    yield from started(ProcessLauncher(workers=2))


@pytest.fixture(scope="module")
def processes_in_lockstep():
    yield from started(ProcessLauncher(workers=1, lockstep=True))


class TestProcessSeats(SeatsContract):
    @pytest.fixture
    def push(self, processes):
        yield processes
        assert processes.free() == tuple(range(processes.slots)), "nothing is left for the next test"

    @pytest.fixture
    def lockstep(self, processes_in_lockstep):
        return processes_in_lockstep

    def test_a_crash_takes_all_of_the_worker_along_and_nobody_ordered_it(self, push):
        submit(push, spec(0, **LONG), spec(1, at={2: "leave_by_os_exit"}), spec(2, **LONG))
        died = until_died(push)
        assert (died.trials, died.killed) == (tuple(map(trial, range(3))), None)
        assert "exit code 7" in died.detail
        assert push.free() == tuple(range(push.slots))

    def test_each_prints_into_its_own_log(self, push, tmp_path):
        printed = dict.fromkeys(range(1, 4), "print_its_point")
        folders = [tmp_path / str(point) for point in range(3)]
        record = submit(push, *(spec(point, str(folders[point]), at=printed) for point in range(3)))
        record.until_ended(*map(trial, range(3)))
        for point, folder in enumerate(folders):
            assert (folder / "log.txt").read_text() == f"point {point}\n" * 3

    def test_one_that_cannot_be_sent_fails_and_the_others_go_on(self, push):
        record = submit(push, spec(0, **LONG), spec(1, function="yields_a_lambda"))
        record.until_ended(trial(1))
        assert record.results[trial(1)].state is TrialState.FAILED and "lambda" in record.results[trial(1)].traceback
        push.decide(trial(0), Decision.STOP)
        record.until_ended(trial(0))
        assert record.results[trial(0)].state is TrialState.PRUNED


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    yield from in_jobs(tmp_path_factory.mktemp("jobs"), workers=2)


@pytest.fixture(scope="module")
def jobs_in_lockstep(tmp_path_factory):
    yield from in_jobs(tmp_path_factory.mktemp("jobs"), workers=1, lockstep=True)


def in_jobs(folder, **options) -> Iterator[Launcher]:
    pytest.importorskip("submitit")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        launcher = SlurmLauncher(executor="local", **options)
        for ready in started(launcher):
            assert events_until(launcher, lambda events: events or len(launcher.free()) == launcher.slots) == []
            yield ready


@pytest.mark.slurm
class TestSlurmSeats(TestProcessSeats):
    """Jobs hold ordinary worker processes: what holds of these holds there."""

    @pytest.fixture
    def push(self, jobs):
        yield jobs
        assert jobs.free() == tuple(range(jobs.slots)), "nothing is left for the next test"

    @pytest.fixture
    def lockstep(self, jobs_in_lockstep):
        return jobs_in_lockstep
