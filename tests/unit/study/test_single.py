"""A trial trained again: what differs from the record, bit for bit, but for what measures the machine."""

import math
from dataclasses import replace

import pytest

from hpsearch.base.types import Decision, Report, TrialId, TrialResult, TrialState
from hpsearch.config.compose import compose
from hpsearch.study.code import OwnCode
from hpsearch.study.single import _compared, _spec_in, _stop_where
from hpsearch.tracking.events import read_trials
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake


@pytest.fixture
def logged(tmp_path):
    record = Record(tmp_path / "studies" / "single")
    fake.open_study(record)
    fake.train(record, fake.spec(record.folder, 0, 0))
    record.close()
    (trial,) = read_trials(record.folder)
    return trial


def change(report, **metrics):
    return Report(report.epoch, report.step, {**report.metrics, **metrics}, report.steps, report.time + 9)


def compared(logged, again, state=TrialState.COMPLETE):
    return _compared("single/0/0", logged, tuple(again), TrialResult(state, "why"))


def test_the_same_curve_is_the_same_whatever_the_clock_said(logged):
    outcome = compared(logged, (change(report, epoch_sec=99.0) for report in logged.reports))
    assert outcome.same and outcome.largest == 0.0


@pytest.mark.parametrize(
    ("value", "largest"), [(math.nextafter(0.5, 1), math.nextafter(0.5, 1) - 0.5), (math.nan, math.inf)]
)
def test_the_last_bit_counts(logged, value, largest):
    first = [change(report, **{"valid/acc": 0.5}) for report in logged.reports]
    logged = replace(logged, reports=tuple(first))
    outcome = compared(logged, [change(first[0], **{"valid/acc": value}), *first[1:]])
    (line,) = outcome.differences
    assert line.startswith(f"epoch {first[0].epoch}: valid/acc logged 0.5, now ")
    assert outcome.largest == largest and not outcome.same


def test_a_missing_epoch_and_another_state_are_differences(logged):
    outcome = compared(logged, logged.reports[:-1], TrialState.INFEASIBLE)
    last = logged.reports[-1].epoch
    assert outcome.differences == (
        "state: logged COMPLETE, now INFEASIBLE (why)",
        f"epoch {last}: only in the record",
    )


def test_only_a_pruned_trial_is_stopped_where_it_was(logged):
    last = logged.reports[-1]
    assert _stop_where(logged)(logged.id, last) is Decision.CONTINUE
    pruned = replace(logged, state=TrialState.PRUNED)
    assert _stop_where(pruned)(logged.id, last) is Decision.STOP
    assert _stop_where(pruned)(logged.id, logged.reports[0]) is Decision.CONTINUE


def test_a_new_trial_gets_the_next_number_and_an_unfinished_one_goes_on(tmp_path):
    composition = compose(["tracker=none"])
    filled = composition.trial({}, 0)
    folder = tmp_path / "studies" / "single"
    assert _spec_in(folder, composition, filled, OwnCode(), print)[0].id == TrialId(0, 0)
    record = Record(folder)
    fake.open_study(record)
    fake.train(record, fake.spec(record.folder, 0, 0))
    record.flush()
    spec, unfinished = _spec_in(folder, composition, filled, OwnCode(), print)
    assert (spec.id, spec.attempt, unfinished) == (TrialId(1, 0), 1, None)
    fake.start(record, spec)
    record.close()
    spec, unfinished = _spec_in(folder, composition, filled, OwnCode(), print)
    assert (spec.id, spec.attempt, unfinished.id) == (TrialId(1, 0), 2, TrialId(1, 0))


def test_a_trial_that_a_limit_ended_runs_again_once_it_is_raised(tmp_path):
    filled = compose(["tracker=none"]).trial({}, 0)
    record = Record(tmp_path / "studies" / "single")
    fake.open_study(record)
    first = replace(fake.spec(record.folder, 0, 0), key=filled.key)
    record.spec(first, 0.0)
    record.state(first.id, TrialState.INFEASIBLE, 9.0, ended_by={"budget.trial_seconds": 5})
    record.close()
    for seconds, number in (("5", 1), ("6", 0), ("null", 0)):
        composition = compose(["tracker=none", f"budget.trial_seconds={seconds}"])
        spec, known = _spec_in(record.folder, composition, filled, OwnCode(), print)
        assert (spec.id.point, known is None) == (number, number == 1)
