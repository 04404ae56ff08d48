"""The pool where workers train several trials: who goes on, who is charged, and who runs alone."""

import pytest

from hpsearch.base.outcome import Failures
from hpsearch.base.types import Report, Started, TrialId, TrialResult, TrialState
from hpsearch.search.places import Places
from hpsearch.search.watch import TimeLimits
from tests.support.driver import Uneven
from tests.support.fake_launcher import WideLauncher, trains
from tests.unit.search.test_pool import drain, make, spec

CRASHING = TrialId(2, 0)


def endless(spec):
    yield Started(None, {}, 0.0)
    for epoch in range(1, 1000):
        yield Report(epoch, epoch, {"valid/acc": 0.5}, (), float(epoch))


def crashes(times):
    """Trials of two epochs; point 2 brings its worker down in its first attempts."""

    def script(spec):
        yield Started(None, {}, 0.0)
        if spec.id == CRASHING and spec.attempt <= times:
            yield "die"
        for epoch in (1, 2):
            yield Report(epoch, epoch, {"valid/acc": 0.5}, (), float(epoch))
        yield TrialResult(TrialState.COMPLETE)

    return script


class UnevenWide(Uneven, WideLauncher):
    """Its trials are silent for some polls."""


def make_wide(folder, script, points=6, kind=WideLauncher, **options):
    pool, fake, record, lines = make(folder, script, kind=kind, **options)
    for point in range(points):
        pool.add(spec(point, folder))
    return pool, fake, record, lines


def charged(record) -> list[int]:
    """Return by point how many failures its trial is charged with."""
    return [Failures.of(record.facts(TrialId(point, 0))).count for point in range(6)]


def test_every_spec_has_the_width_of_the_launcher(tmp_path):
    pool, fake, record, _ = make_wide(tmp_path, trains([0.5]))
    drain(pool)
    record.close()
    assert [(each.id.point, each.width) for each in fake.submitted] == [(point, 3) for point in range(6)]
    written = [path.read_text() for path in tmp_path.rglob("*.jsonl")]
    assert len(written) >= 6 and not any("width" in text for text in written)  # no part of what a trial is


def test_after_a_crash_that_nobody_ordered_each_is_charged_and_runs_by_itself(tmp_path):
    pool, fake, record, _ = make_wide(tmp_path, crashes(1), points=10)
    together, submit = [], fake.submit
    fake.submit = lambda slot, specs: (submit(slot, specs), together.append(list(fake.beside(slot).values())))
    finished = drain(pool)
    assert [done.result.state for done in finished] == [TrialState.COMPLETE] * 10
    assert charged(record) == [1, 0, 1, 0, 1, 0]  # slots 0, 2 and 4 are of one worker
    again = [each for each in fake.submitted if each.attempt == 2]
    assert {each.id.point for each in again} == {0, 2, 4} and {each.width for each in again} == {3}
    assert {len(specs) for specs in together if any(each.attempt == 2 for each in specs)} == {1}


def test_who_crashes_again_and_again_takes_no_other_along(tmp_path):
    pool, _, record, _ = make_wide(tmp_path, crashes(9))
    states = {done.spec.id.point: done.result.state for done in drain(pool)}
    assert states == {point: TrialState.COMPLETE for point in range(6)} | {2: TrialState.FAILED}
    assert charged(record) == [1, 0, 3, 0, 1, 0]


def test_the_attempt_after_one_by_itself_is_again_one_among_others(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        if spec.attempt < 4:
            yield "die" if spec.attempt < 3 else Report(1, 1, {"valid/acc": 0.5}, (), 1.0)
        yield TrialResult(TrialState.PAUSED if spec.attempt == 3 else TrialState.COMPLETE)

    pool, fake, _, _ = make_wide(tmp_path, script, points=1)
    (paused,) = drain(pool)
    pool.go_on(paused.spec, paused.curve)
    drain(pool)
    assert [each.width for each in fake.submitted] == [3, 3, 1, 3]


def test_one_that_runs_by_itself_takes_all_slots_of_its_worker(tmp_path):
    pool, fake, _, _ = make_wide(tmp_path, crashes(1), points=3)
    pool.submit()
    assert pool.free == 3
    while not any(each.attempt == 2 for each in fake.submitted):
        pool.poll(0.0)
        pool.submit()
    # points 0 and 2 were in the worker that crashed, point 1 runs in the other one
    assert [each.id.point for each in fake.submitted[3:]] == [0]
    assert pool.free == 6 - 3 - 1 - 1


def test_those_beside_one_that_is_killed_go_on_and_are_not_charged(tmp_path):
    def script(spec):
        yield from endless(spec) if spec.id.point == 2 else trains([0.5] * 9)(spec)

    pool, fake, record, _ = make_wide(tmp_path, script)
    fake.grace_sec = 1.0
    decide = fake.decide
    fake.decide = lambda trial, decision: None if trial == CRASHING else decide(trial, decision)
    pool.submit()
    pool.poll(0.0)
    pool.skip(CRASHING, "given up")
    states = {done.spec.id.point: done.result.state for done in drain(pool)}
    assert fake.killed == [CRASHING] and charged(record) == [0] * 6
    assert states == {point: TrialState.COMPLETE for point in range(6)} | {2: TrialState.PRUNED}
    assert {each.id.point for each in fake.submitted if each.attempt == 2} == {0, 4}
    assert {each.width for each in fake.submitted} == {3}


@pytest.mark.parametrize("killed", [CRASHING, TrialId(0, 0)])
def test_one_that_is_given_up_while_it_goes_down_with_another_stays_given_up(tmp_path, killed):
    pool, fake, _, _ = make_wide(tmp_path, endless)
    fake.grace_sec = 2.0
    fake.decide = lambda trial, decision: None
    pool.submit()
    pool.poll(0.0)
    pool.skip(CRASHING, "given up")
    fake.kill(killed)
    (done,) = pool.poll(0.0)
    assert (done.spec.id, done.result.state, done.result.reason) == (CRASHING, TrialState.PRUNED, "given up")
    pool.submit()
    assert {each.id.point for each in fake.submitted[6:]} == {0, 4}


def test_all_that_do_not_pause_in_time_wait(tmp_path):
    pool, fake, record, _ = make_wide(tmp_path, endless)
    fake.grace_sec = 1.0
    fake.decide = lambda trial, decision: None
    pool.submit()
    pool.poll(0.0)
    pool.pause("the time is up")
    finished = []
    while pool.busy:
        finished += pool.poll(0.0)
    assert {done.result.state for done in finished} == {TrialState.WAITING} and len(finished) == 6
    assert charged(record) == [0] * 6 and len(fake.killed) <= 6


def test_an_error_of_its_own_is_tried_again_by_the_plain_loop_beside_the_others(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        if spec.id == CRASHING and spec.attempt == 1:
            yield TrialResult(TrialState.FAILED, "ValueError: no", failed_at="line 1")
        yield from [Report(epoch, epoch, {"valid/acc": 0.5}, (), 1.0) for epoch in range(1, 9)]
        yield TrialResult(TrialState.COMPLETE)

    pool, fake, record, _ = make_wide(tmp_path, script)
    for _ in range(4):
        pool.submit()
        pool.poll(0.0)
    assert [(each.id, each.width) for each in fake.submitted[6:]] == [(CRASHING, 1)]
    assert len(fake.running) == 6
    drain(pool)
    assert charged(record) == [0, 0, 1, 0, 0, 0]


def test_one_that_hangs_is_charged_and_hangs_by_itself_from_then_on(tmp_path):
    def hangs(spec):
        hung = spec.id == CRASHING and spec.attempt < 3
        yield from [Started(None, {}, 0.0), *[None] * 100] if hung else trains([0.5] * 9)(spec)

    pool, fake, record, _ = make_wide(tmp_path, hangs, kind=UnevenWide, limits=TimeLimits(silent_seconds=5))
    states = {done.spec.id.point: done.result.state for done in drain(pool)}
    assert states == {point: TrialState.COMPLETE for point in range(6)}
    assert fake.killed == [CRASHING] * 2 and charged(record) == [0, 0, 2, 0, 0, 0]
    assert [each.width for each in fake.submitted if each.id == CRASHING] == [3, 3, 1]


def test_what_needs_a_worker_of_its_own_takes_the_first_that_is_idle(tmp_path):
    places = Places(WideLauncher(endless))
    places.lose({CRASHING: TrialResult(TrialState.FAILED), TrialId(3, 0): TrialResult(TrialState.WAITING)})
    order = places.in_order([TrialId(3, 0), TrialId(1, 0), CRASHING])
    assert [trial.point for trial in order] == [2, 1, 3]
