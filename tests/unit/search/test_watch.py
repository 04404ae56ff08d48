"""The time of running trials, on a clock that the test turns."""

import pytest

from hpsearch.base.keys import SILENT_SECONDS, TRIAL_SECONDS
from hpsearch.base.types import Report, TrialId
from hpsearch.search.watch import START_SEC, STEP_SEC, TimeLimits, Watch

ONE, TWO = TrialId(1, 0), TrialId(2, 0)


class Clock:
    def __init__(self):
        self.now = 5000.0

    def __call__(self):
        return self.now


def watching(trial_seconds=None, silent_seconds=None, detached=True):
    clock = Clock()
    watch = Watch(TimeLimits(trial_seconds, silent_seconds), clock, detached)
    watch.advance()

    def passes(seconds, waiting=()):
        while seconds > 0:
            clock.now += min(seconds, 1.0) if detached else seconds
            seconds -= 1.0 if detached else seconds
            watch.advance(waiting)

    return watch, passes, clock


def test_a_trial_has_had_its_time_after_training_so_long_over_all_attempts():
    watch, passes, _ = watching(trial_seconds=30)
    watch.start(ONE, 0.0)
    watch.start(TWO, 25.0)
    for trial in (ONE, TWO):
        watch.heard(trial)
    passes(4)
    assert list(watch.overdue()) == []
    passes(1)
    assert list(watch.overdue()) == [(TWO, TRIAL_SECONDS)]
    watch.end(TWO)
    passes(24)
    assert list(watch.overdue()) == []
    passes(1)
    assert list(watch.overdue()) == [(ONE, TRIAL_SECONDS)]


def test_what_a_trial_has_trained_is_known_when_it_goes_on_whatever_its_record_says():
    watch, passes, _ = watching(trial_seconds=30)
    watch.start(ONE, 0.0)
    watch.heard(ONE)
    passes(20)
    watch.end(ONE)
    passes(500)
    watch.start(ONE, 3600.0)
    watch.heard(ONE)
    passes(9)
    assert list(watch.overdue()) == []
    passes(1)
    assert list(watch.overdue()) == [(ONE, TRIAL_SECONDS)]
    watch.end(ONE)
    watch.forget(ONE)
    watch.start(ONE, 29.0)
    watch.heard(ONE)
    passes(1)
    assert list(watch.overdue()) == [(ONE, TRIAL_SECONDS)]


def test_a_trial_is_silent_since_its_last_message():
    watch, passes, _ = watching(silent_seconds=10, trial_seconds=1000)
    watch.start(ONE, 0.0)
    watch.heard(ONE)
    passes(9)
    assert (watch.heard(ONE), watch.longest) == (False, 9.0)
    passes(9)
    assert list(watch.overdue()) == []
    passes(1)
    assert list(watch.overdue()) == [(ONE, SILENT_SECONDS)]


@pytest.mark.parametrize("limits", [{"trial_seconds": 5}, {"silent_seconds": 5}])
def test_until_its_first_message_a_trial_may_take_longer_for_imports_but_not_for_ever(limits):
    watch, passes, _ = watching(**limits)
    watch.start(ONE, 0.0)
    passes(START_SEC + 4)
    assert list(watch.overdue()) == []
    passes(1)
    assert [trial for trial, _ in watch.overdue()] == [ONE]
    watch.heard(ONE)
    assert list(watch.overdue()) == []
    assert watch.longest == 0.0


def test_time_in_which_a_trial_waits_for_its_answer_or_the_driver_stands_still_is_not_its_own():
    watch, passes, clock = watching(trial_seconds=20, silent_seconds=10)
    watch.start(ONE, 0.0)
    watch.start(TWO, 0.0)
    for trial in (ONE, TWO):
        watch.heard(trial)
    passes(7, waiting={TWO})
    clock.now += 7200
    watch.advance(waiting={TWO})
    assert list(watch.overdue()) == []
    passes(10 - 7 - STEP_SEC, waiting={TWO})
    assert list(watch.overdue()) == [(ONE, SILENT_SECONDS)]
    watch.heard(ONE)
    clock.now -= 100
    watch.advance()
    passes(9)
    assert list(watch.overdue()) == []
    passes(1)
    assert set(watch.overdue()) == {(ONE, SILENT_SECONDS), (TWO, SILENT_SECONDS)}
    watch.heard(ONE)
    assert set(watch.overdue()) == {(ONE, TRIAL_SECONDS), (TWO, SILENT_SECONDS)}


def test_in_this_process_a_step_is_as_long_as_a_trial_takes_to_its_next_report():
    watch, passes, _ = watching(trial_seconds=100, silent_seconds=50, detached=False)
    watch.start(ONE, 0.0)
    watch.heard(ONE)
    passes(60)
    assert watch.heard(ONE)
    passes(40)
    assert not watch.heard(ONE)
    assert list(watch.overdue()) == [(ONE, TRIAL_SECONDS)]


@pytest.mark.parametrize("every", [0.25, 0.5, 1, 2])
def test_an_epoch_takes_as_long_however_often_it_is_reported(every):
    watch, passes, _ = watching()
    watch.start(ONE, 0.0)
    watch.heard(ONE)
    passes(3)
    watch.heard(ONE, Report(0, 0, {}))
    for place in range(1, int(4 / every) + 1):
        passes(8 * every)
        watch.heard(ONE, Report(every * place, 0, {}))
    assert watch.longest == 8.0 * max(every, 1)  # what a trial may take until it pauses


def test_a_trial_that_begins_after_a_look_at_the_others_is_looked_at_in_its_time():
    now = [0.0]
    watch = Watch(TimeLimits(silent_seconds=5.0), lambda: now[0], detached=False)
    watch.advance()
    assert watch.overdue() == []
    watch.start(TrialId(0, 0), 0.0)
    watch.heard(TrialId(0, 0))
    for second in range(1, 8):
        now[0] = float(second)
        watch.advance()
        assert bool(watch.overdue()) is (second >= 5)


@pytest.mark.parametrize("limits", [{"trial_seconds": 5}, {"silent_seconds": 5}])
def test_a_trial_that_never_says_anything_is_looked_at_in_its_time_whatever_was_looked_at_before(limits):
    watch, passes, _ = watching(**limits)
    assert watch.overdue() == []
    watch.start(ONE, 0.0)
    passes(START_SEC + 5)
    assert [trial for trial, _ in watch.overdue()] == [ONE]
