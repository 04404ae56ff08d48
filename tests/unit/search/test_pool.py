"""The pool alone: what it drops, what it keeps, what it tells."""

import itertools
import math

import pytest

from hpsearch.base.types import Decision, Objective, Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.search.pool import Pool, interrupts
from hpsearch.tracking.record import Record
from tests.support.driver import Uneven
from tests.support.fake_launcher import FakeLauncher, trains


def spec(point: int, folder) -> TrialSpec:
    trial = TrialId(point, 0)
    return TrialSpec("s", trial, {"trainer": {"epochs": 3}}, {"lr": 0.1}, (), "key", str(folder / trial.stem))


def make(folder, script, decide=lambda trial, report: Decision.CONTINUE, kind=FakeLauncher, **launcher):
    lines, clock = [], itertools.count(1000.0)
    fake, record = kind(script, **launcher), Record(folder)
    pool = Pool(fake, record, Objective("valid/acc"), decide=decide, clock=lambda: next(clock), line=lines.append)
    return pool, fake, record, lines


def drain(pool):
    finished = []
    pool.submit()
    while pool.busy:
        finished += pool.poll(0.0)
        pool.submit()
    return finished


def test_the_lowest_points_start_first_and_slots_are_never_overbooked(tmp_path):
    pool, fake, _, _ = make(tmp_path, trains([0.5]))
    for point in (3, 1, 2):
        pool.add(spec(point, tmp_path))
    assert pool.free == -1
    drain(pool)
    assert [s.id.point for s in fake.submitted] == [1, 2, 3]


def test_reports_after_a_stop_are_dropped_from_the_record(tmp_path):
    def stubborn(spec):
        yield Started(None, {}, 0.0)
        for epoch in range(1, 5):
            yield Report(epoch, epoch, {"valid/acc": epoch / 10}, (), 0.0)
        yield TrialResult(TrialState.COMPLETE)

    pool, fake, record, _ = make(
        tmp_path, stubborn, decide=lambda trial, report: Decision.STOP if report.epoch == 2 else Decision.CONTINUE
    )
    fake.decide = lambda trial, decision: fake.decisions.append((trial, decision))  # never obeys
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert done.result.state is TrialState.PRUNED
    assert [r.epoch for r in record.trial(TrialId(0, 0)).reports] == [1, 2]
    assert fake.decisions == [(TrialId(0, 0), Decision.STOP)]


def test_reports_that_arrive_after_a_pause_are_kept(tmp_path):
    pool, fake, record, _ = make(tmp_path, trains([0.1, 0.2, 0.3]))
    fake.decide = lambda trial, decision: None  # too late: the trial ends before it reads the decision
    pool.add(spec(0, tmp_path))
    pool.submit()
    pool.poll(0.0)
    pool.pause()
    (done,) = drain(pool)
    assert (done.result.state, done.score) == (TrialState.COMPLETE, 0.3)
    assert [r.epoch for r in record.trial(TrialId(0, 0)).reports] == [1, 2, 3]


def test_a_new_attempt_cuts_the_curve_back_to_its_checkpoint(tmp_path):
    def script(spec):
        if spec.attempt == 1:
            yield from list(trains([0.1, 0.2, 0.9])(spec))[:-1]
            yield "die"
        yield from trains([0.1, 0.2, 0.3], start=1)(spec)

    pool, _, record, lines = make(tmp_path, script)
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert (done.score, done.epochs, done.spec.attempt) == (0.3, 3, 2)
    assert [r.metrics["valid/acc"] for r in record.trial(TrialId(0, 0)).reports] == [0.1, 0.2, 0.3]
    assert lines == ["trial s/0/0 failed: its worker died: killed by SIGKILL; trying again (1 of 2)"]


def test_a_complete_trial_without_a_finite_score_is_infeasible(tmp_path):
    pool, *_ = make(tmp_path, trains([0.1, math.inf]))
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert (done.result.state, done.result.reason) == (TrialState.INFEASIBLE, "valid/acc is inf")


def test_the_second_interrupt_raises_and_handlers_are_restored():
    import os
    import signal

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts() as asked:
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.count == 1
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(("epochs", "wanted"), [((0, 1, 2, 3), 3), ((2, 4), 4), ((0,), 0), ((), 0)])
def test_the_epochs_of_a_trial_are_its_last_one_not_its_reports(tmp_path, epochs, wanted):
    def script(spec):
        yield Started(None, {}, 0.0)
        for epoch in epochs:
            yield Report(epoch, epoch * 10, {"valid/acc": 0.5}, (), 0.0)
        yield TrialResult(TrialState.COMPLETE)

    pool, *_ = make(tmp_path, script)
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert done.epochs == wanted


@pytest.mark.parametrize("slow", [0, 1])
def test_in_lockstep_a_round_is_handled_by_trial_whoever_spoke_first(tmp_path, slow):
    def script(spec):
        yield from [None] * (2 if spec.id.point == slow else 0)
        yield from trains([0.1, 0.2])(spec)

    pool, fake, *_ = make(tmp_path, script, kind=Uneven, slots=2, lockstep=True)
    for point in (0, 1):
        pool.add(spec(point, tmp_path))
    assert [done.spec.id.point for done in drain(pool)] == [0, 1]
    assert [trial.point for trial, _ in fake.decisions] == [0, 1] * 3
