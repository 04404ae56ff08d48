"""The pool alone: what it drops, what it keeps, what it tells."""

import errno
import itertools
import math
from dataclasses import replace

import pytest

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.outcome import failure
from hpsearch.base.types import Decision, Objective, Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.search.pool import Pool
from hpsearch.search.watch import UNLIMITED, TimeLimits
from hpsearch.tracking.record import Record
from tests.support.driver import Uneven
from tests.support.fake_launcher import FakeLauncher, trains


def spec(point: int, folder) -> TrialSpec:
    trial = TrialId(point, 0)
    return TrialSpec("s", trial, {"trainer": {"epochs": 3}}, {"lr": 0.1}, (), "key", str(folder / trial.stem))


ACC = Objective("valid/acc")


def make(
    folder,
    script,
    decide=lambda trial, report: Decision.CONTINUE,
    kind=FakeLauncher,
    objective=ACC,
    limits=UNLIMITED,
    tick=1.0,
    **launcher,
):
    lines, clock = [], itertools.count(1000.0)
    fake, record = kind(script, **launcher), Record(folder)
    pool = Pool(
        fake, record, objective, decide=decide, clock=lambda: next(clock), line=lines.append, limits=limits,
        timer=lambda: tick * fake.polls,
    )  # fmt: skip
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


def test_what_waits_in_a_worker_goes_on_there_and_others_take_the_slots_beside_it(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        if spec.id.point == 0 and spec.attempt == 1:
            yield TrialResult(TrialState.PAUSED, "told", held=True)
        yield Report(1, 1, {"valid/acc": 0.5}, (), 0.0)
        yield TrialResult(TrialState.COMPLETE)

    pool, fake, *_ = make(tmp_path, script)
    started, submit = [], fake.submit
    fake.submit = lambda slot, specs: (started.append((specs[0].id.point, slot)), submit(slot, specs))
    pool.add(spec(0, tmp_path))
    drain(pool)
    pool.add(spec(1, tmp_path))
    pool.submit()
    pool.add(replace(spec(0, tmp_path), attempt=2))
    assert (pool.free, pool.held_back, pool.is_backed_up) == (1, 1, False)
    pool.add(spec(2, tmp_path))
    assert {done.spec.id.point for done in drain(pool)} == {0, 1, 2}
    assert started == [(0, 0), (1, 0), (2, 1), (0, 0)]
    pool.end_waiting(TrialId(0, 0))
    assert fake.decisions == [], "nothing waits any more"


def test_what_is_given_up_while_it_waits_is_ended_where_it_waits(tmp_path):
    def script(spec):
        yield TrialResult(TrialState.PAUSED, "told", held=spec.id.point == 0)

    pool, fake, *_ = make(tmp_path, script)
    for point in range(2):
        pool.add(spec(point, tmp_path))
    drain(pool)
    for point in range(2):
        pool.end_waiting(TrialId(point, 0))
    assert fake.decisions == [(TrialId(0, 0), Decision.STOP)]


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
    pool.interrupt()
    (done,) = drain(pool)
    assert (done.result.state, done.score) == (TrialState.COMPLETE, 0.3)
    assert [r.epoch for r in record.trial(TrialId(0, 0)).reports] == [1, 2, 3]


def test_what_judges_trials_sees_the_reports_on_the_way_to_a_pause_too(tmp_path):
    seen = []

    def decide(trial, report):
        seen.append(report.epoch)
        return Decision.PAUSE if report.epoch == 1 else Decision.CONTINUE

    pool, fake, *_ = make(tmp_path, trains([0.1, 0.2, 0.3]), decide=decide)
    fake.decide = lambda trial, decision: fake.decisions.append((trial, decision))  # too late
    pool.add(spec(0, tmp_path))
    drain(pool)
    assert seen == [1, 2, 3]
    assert fake.decisions == [(TrialId(0, 0), Decision.PAUSE)]


def test_a_trial_that_declines_to_pause_is_judged_again_and_it_is_said_once(tmp_path):
    def script(spec):
        for message in trains([0.1, 0.2, 0.3, 0.4])(spec):
            declined = isinstance(message, Report) and message.epoch in (2, 4)
            yield replace(message, declined="no room") if declined else message

    def decide(trial, report):
        return Decision.PAUSE if report.epoch in (1, 3) else Decision.CONTINUE

    pool, fake, _, lines = make(tmp_path, script, decide=decide)
    fake.decide = lambda trial, decision: fake.decisions.append((trial, decision))  # it declines
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert (done.result.state, done.score) == (TrialState.COMPLETE, 0.4)
    assert fake.decisions == [(TrialId(0, 0), Decision.PAUSE)] * 2
    assert lines == ["points that are to wait train on to their next stage instead: no room"]


@pytest.mark.parametrize("asked", ["interrupt", "skip"])
def test_what_declines_to_pause_still_obeys_what_was_asked_meanwhile(tmp_path, asked):
    def script(spec):
        for message in trains([0.1, 0.2, 0.3])(spec):
            declined = isinstance(message, Report) and message.epoch == 2
            yield replace(message, declined="no room") if declined else message

    pool, fake, *_ = make(tmp_path, script, decide=lambda trial, report: Decision.PAUSE)
    pool.add(spec(0, tmp_path))
    pool.submit()
    while not fake.decisions:
        pool.poll(0.0)
    pool.interrupt() if asked == "interrupt" else pool.skip(TrialId(0, 0), "by hand")
    drain(pool)
    expected = Decision.LEAVE if asked == "interrupt" else Decision.STOP
    assert [decision for _, decision in fake.decisions] == [Decision.PAUSE, expected]


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
    assert (done.repeated, done.spent) == (2, 5), "it went on from epoch 0 after it had come to epoch 2"
    assert [r.metrics["valid/acc"] for r in record.trial(TrialId(0, 0)).reports] == [0.1, 0.2, 0.3]
    assert lines == ["trial s/0/0 failed: its worker died: killed by SIGKILL; trying again (1 of 2)"]


def test_a_complete_trial_without_a_finite_score_is_infeasible(tmp_path):
    pool, *_ = make(tmp_path, trains([0.1, math.inf]))
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert (done.result.state, done.result.reason) == (TrialState.INFEASIBLE, "valid/acc is inf")


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


def reports(*metrics, facts=None):
    def script(spec):
        yield Started(None, facts or {}, 0.0)
        for epoch, measured in enumerate(metrics, 1):
            yield Report(epoch, epoch, measured, (), 0.0)
        yield TrialResult(TrialState.COMPLETE)

    return script


LATE = [{"train/loss": 3.0}, {"train/loss": 2.0}, {"train/loss": 1.0, "valid/acc": 0.4}, {"train/loss": 0.5}]


def test_a_metric_may_come_every_few_epochs_and_all_of_them_count(tmp_path):
    pool, _, _, lines = make(tmp_path, reports(*LATE))
    for point in (0, 1):
        pool.add(spec(point, tmp_path))
    for done in drain(pool):
        assert (done.result.state, done.score, done.epochs) == (TrialState.COMPLETE, 0.4, 4)
    assert lines == [
        "objective.metric = 'valid/acc' is not in the first report (it has train/loss); a trial that ends without it "
        "is refused"
    ]


COST = Objective("valid/acc", others=(Objective("cost", "minimize"),))


@pytest.mark.parametrize(
    ("objective", "script", "told", "refused"),
    [
        (
            Objective("valid/ac"),
            reports({"valid/acc": 0.1}),
            "objective.metric = 'valid/ac' is not in the first report, did you mean 'valid/acc'?",
            r"objective.metric = 'valid/ac': no report has it, did you mean 'valid/acc'\? \(reported: valid/acc\)",
        ),
        (
            Objective("valid/acc", others=(Objective("speed"), Objective("costs"))),
            reports({"valid/acc": 0.1, "cost": 2.0}, facts={"speed": 3}),
            "objective.others[1].metric = 'costs' is not in the first report, did you mean 'cost'?",
            r"objective.others\[1\].metric = 'costs': no report has it, did you mean 'cost'\? \(reported: cost, val",
        ),
    ],
)
def test_a_metric_that_no_report_has_is_told_at_the_first_and_refused_at_the_end(
    tmp_path, objective, script, told, refused
):
    pool, _, record, lines = make(tmp_path, script, objective=objective)
    pool.add(spec(0, tmp_path))
    pool.submit()
    with pytest.raises(ConfigError, match=refused):
        drain(pool)
    pool.abandon()
    assert lines[0].startswith(told)
    assert record.trial(TrialId(0, 0)).state is TrialState.WAITING


@pytest.mark.parametrize("objective", [ACC, COST], ids=["one", "two"])
def test_a_single_trial_without_a_metric_that_others_have_is_failed(tmp_path, objective):
    def script(spec):
        yield from reports({"valid/acc": 0.1, "cost": 1.0} if spec.id.point != 1 else {"loss": 0.1})(spec)

    pool, fake, _, _ = make(tmp_path, script, objective=objective, slots=1)
    for point in range(3):
        pool.add(spec(point, tmp_path))
    done = {each.spec.id.point: each.result for each in drain(pool)}
    assert [done[point].state for point in range(3)] == [TrialState.COMPLETE, TrialState.FAILED, TrialState.COMPLETE]
    assert done[1].reason == "objective.metric = 'valid/acc': no report has it (reported: loss)"
    assert len(fake.submitted) == 3


def test_a_cost_of_a_trial_may_be_a_fact_that_it_has_at_its_end(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        yield Report(1, 1, {"valid/acc": 0.5}, (), 0.0)
        yield TrialResult(TrialState.COMPLETE, facts={"cost": 7})

    pool, *_ = make(tmp_path, script, objective=COST)
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert (done.result.state, done.scores) == (TrialState.COMPLETE, (0.5, 7.0))


@pytest.mark.parametrize("script", [reports(), reports({}, {})], ids=["no report", "empty ones"])
def test_a_trial_that_reports_nothing_is_failed_and_not_tried_again(tmp_path, script):
    pool, fake, record, lines = make(tmp_path, script)
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert done.result.state is record.trial(TrialId(0, 0)).state is TrialState.FAILED
    assert done.result.reason.startswith("nothing was reported")
    assert len(fake.submitted) == 1 and lines == [f"trial s/0/0 failed: {done.result.reason}"]


def test_a_trial_that_goes_on_at_its_end_has_reported_what_it_did_before(tmp_path):
    def script(spec):
        if spec.attempt == 1:
            yield from list(trains([0.1, 0.2])(spec))[:-1]
            yield "die"
        yield Started(2, {}, 0.0)
        yield TrialResult(TrialState.COMPLETE)

    pool, *_ = make(tmp_path, script, objective=ACC)
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert (done.result.state, done.score, done.epochs) == (TrialState.COMPLETE, 0.2, 2)


# A poll is a second of the timer.


def slow(polls_per_epoch, epochs=100):
    def script(spec):
        yield Started(None, {}, 1000.0)
        for epoch in range(1, epochs + 1):
            yield from [None] * (polls_per_epoch - 1)
            yield Report(epoch, epoch, {"valid/acc": 0.1}, (), 1000.0)
        yield TrialResult(TrialState.COMPLETE)

    return script


def hangs(after=1):
    def script(spec):
        yield Started(None, {}, 1000.0)
        for epoch in range(1, after + 1):
            yield Report(epoch, epoch, {"valid/acc": 0.1}, (), 1000.0)
        yield from itertools.repeat(None)

    return script


class Attached(Uneven):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.detached = False


def deaf(fake):
    """Its trials read no decision."""
    fake.decide = lambda trial, decision: fake.decisions.append((trial, decision))


def test_a_trial_over_its_time_is_told_to_stop_and_infeasible(tmp_path):
    pool, fake, record, _ = make(tmp_path, slow(3), kind=Uneven, limits=TimeLimits(trial_seconds=7))
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert (done.result.state, done.result.reason) == (
        TrialState.INFEASIBLE, "took too long: 7 s (budget.trial_seconds)"
    )  # fmt: skip
    assert done.result.ended_by == record.trial(TrialId(0, 0)).ended_by == {"budget.trial_seconds": 7}
    assert (len(fake.submitted), fake.killed, done.epochs) == (1, [], 2)


@pytest.mark.parametrize("script", [hangs(), slow(1)], ids=["hangs", "does not obey"])
def test_a_trial_that_does_not_stop_within_the_grace_is_killed_and_infeasible(tmp_path, script):
    pool, fake, _, _ = make(tmp_path, script, kind=Uneven, limits=TimeLimits(trial_seconds=7))
    deaf(fake)
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert done.result.state is TrialState.INFEASIBLE
    assert (len(fake.submitted), fake.killed) == (1, [TrialId(0, 0)])
    assert fake.decisions == [(TrialId(0, 0), Decision.STOP)]
    assert fake.polls == pytest.approx(7 + fake.grace_sec, abs=3)


def test_a_trial_that_ends_whole_before_it_reads_that_its_time_is_over_is_complete(tmp_path):
    pool, fake, _, _ = make(tmp_path, slow(3, epochs=2), kind=Uneven, limits=TimeLimits(trial_seconds=6))
    deaf(fake)
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert [decision for _, decision in fake.decisions] == [Decision.STOP]
    assert (done.result.state, done.score, dict(done.result.ended_by)) == (TrialState.COMPLETE, 0.1, {})


def test_a_silent_trial_is_killed_tried_again_and_failed(tmp_path):
    pool, fake, record, lines = make(tmp_path, hangs(), kind=Uneven, limits=TimeLimits(silent_seconds=5))
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert (done.result.state, done.result.reason) == (TrialState.FAILED, "no report for 5 s (budget.silent_seconds)")
    assert fake.killed == [TrialId(0, 0)] * 3 and len(fake.submitted) == 3
    assert lines[0] == "trial s/0/0 failed: no report for 5 s (budget.silent_seconds); trying again (1 of 2)"
    assert record.trial(TrialId(0, 0)).ended_by == {"budget.silent_seconds": 5}


def test_a_trial_that_reports_in_time_is_never_killed(tmp_path):
    limits = TimeLimits(trial_seconds=50, silent_seconds=5)
    pool, fake, _, _ = make(tmp_path, slow(4, epochs=10), kind=Uneven, limits=limits)
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert (done.result.state, fake.killed, fake.decisions) == (TrialState.COMPLETE, [], [])


def test_the_time_of_earlier_attempts_counts_and_that_of_a_pause_does_not(tmp_path):
    def script(spec):
        yield from list(slow(2, epochs=4)(spec))[: 100 if spec.attempt > 1 else -1]

    pool, _, record, _ = make(tmp_path, script, kind=Uneven, limits=TimeLimits(trial_seconds=12))
    record.spec(spec(0, tmp_path), 0.0)
    record.message(TrialId(0, 0), Started(None, {}, 100.0))
    record.state(TrialId(0, 0), TrialState.PAUSED, 107.0)  # 7 seconds, then a pause of any length
    pool.add(replace(spec(0, tmp_path), attempt=2))
    (done,) = drain(pool)
    assert (done.result.state, done.epochs) == (TrialState.INFEASIBLE, 2)  # 7 seconds before, 2 for an epoch


@pytest.mark.parametrize(("polls_per_epoch", "ended"), [(3, TrialState.PAUSED), (30, TrialState.WAITING)])
def test_a_pause_waits_for_the_longest_epoch_so_far_and_the_grace_and_no_longer(tmp_path, polls_per_epoch, ended):
    def script(spec):
        yield from (slow(7) if spec.id.point == 0 else slow(polls_per_epoch))(spec)

    pool, fake, record, lines = make(tmp_path, script, kind=Uneven)
    for point in (0, 1):
        pool.add(spec(point, tmp_path))
    pool.submit()
    for _ in range(10):
        pool.poll(0.0)
    pool.interrupt()
    assert lines == [
        "interrupted: running trials pause at the end of their epoch; what has not after 17 s is killed; "
        "once more to stop at once"
    ]
    finished = {done.spec.id.point: done.result for done in drain(pool)}
    assert finished[0].state is TrialState.PAUSED
    assert (finished[1].state, record.trial(TrialId(1, 0)).state) == (ended, ended)
    if ended is TrialState.WAITING:
        assert finished[1].reason == "interrupted"
        assert lines[1:] == ["trial s/1/0 did not pause in time and was killed"]
        assert fake.polls == 10 + 7 + fake.grace_sec + 1


def test_in_lockstep_the_trials_that_wait_for_a_hung_one_are_not_silent(tmp_path):
    def script(spec):
        yield from (hangs() if spec.id.point == 0 else slow(1, epochs=3))(spec)

    limits = TimeLimits(silent_seconds=5)
    pool, fake, _, _ = make(tmp_path, script, kind=Uneven, slots=2, lockstep=True, limits=limits)
    for point in (0, 1):
        pool.add(spec(point, tmp_path))
    states = {done.spec.id.point: done.result.state for done in drain(pool)}
    assert states == {0: TrialState.FAILED, 1: TrialState.COMPLETE}
    assert fake.killed == [TrialId(0, 0)] * 3


def test_where_trials_run_only_while_they_are_looked_at_silence_is_seen_at_the_next_report(tmp_path):
    pool, fake, _, _ = make(tmp_path, slow(1, epochs=2), kind=Attached, limits=TimeLimits(silent_seconds=5), tick=9)
    pool.add(spec(0, tmp_path))
    (done,) = drain(pool)
    assert (done.result.state, done.epochs, len(fake.submitted)) == (TrialState.FAILED, 1, 3)


def test_a_full_disk_ends_the_search_and_not_the_trial(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        yield failure(OSError(errno.ENOSPC, "No space left on device"), 0.0)

    pool, fake, record, _ = make(tmp_path, script)
    pool.add(spec(0, tmp_path))
    with pytest.raises(StorageError, match=r"no room to write: .*No space left on device; make room"):
        drain(pool)
    assert record.trial(TrialId(0, 0)).state is TrialState.RUNNING
    assert len(fake.submitted) == 1
