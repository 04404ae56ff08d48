"""Trials that are asked for, trained outside and told: the driver of any search, one step at a time."""

import math
from contextlib import contextmanager

import optuna
import pytest

from hpsearch.base.errors import ConfigError, HpsearchError, StorageError
from hpsearch.base.types import Decision, Objective, TrialId, TrialState
from hpsearch.launch.outside import SESSION, SHELL, OutsideLauncher
from hpsearch.search.outside import OutsideSearch, trials_out
from hpsearch.tracking.events import read_trials
from tests.support.driver import Setup
from tests.support.fake_launcher import trains

INTERVAL = {"lr": "interval(0, 1)"}


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@contextmanager
def asking(setup, by=SESSION, clock=None, **launcher):
    clock = clock or Clock()
    made = OutsideLauncher(by=by, clock=clock, **launcher)
    made.keep(trials_out(setup.folder))
    with setup.driver(made) as driver:
        driver.resume()
        with driver.searching():
            search = OutsideSearch(driver, made, setup.record, setup.plan.objective, clock)
            yield search
            search.close()


def shell(setup, do, **given):
    """Ask or tell as one command of a shell does: open the search, do one thing, leave."""
    with asking(setup, by=SHELL, **given) as search:
        return do(search)


def value(lr):
    return (lr - 0.3) ** 2


def told(search, spec, measured=None):
    return search.tell(spec.id, {"valid/acc": value(spec.params["lr"])} if measured is None else measured)


def tpe(n):
    return optuna.samplers.TPESampler(seed=7 + n, n_startup_trials=3)


def test_the_same_values_told_give_the_points_of_a_search_that_trains_itself(tmp_path):
    setups = [Setup(tmp_path / name, INTERVAL, tpe, seeds=(0,), points=12) for name in ("inside", "outside")]
    for setup in setups:
        setup.folder.mkdir()
    inside = setups[0].run(trains(lambda spec: [value(spec.params["lr"])]), slots=1)
    with asking(setups[1]) as search:
        while spec := search.ask():
            told(search, spec)
    ours, theirs = ([(r.params, r.score) for r in setup.records()] for setup in setups)
    assert ours == theirs and len(ours) == 12
    assert inside.counts == {TrialState.COMPLETE: 12}
    ours, theirs = ([t.params for t in setup.study().trials] for setup in setups)
    assert ours == theirs


def test_single_commands_give_the_points_of_a_search_that_is_resumed_for_each(tmp_path):
    inside, outside = (Setup(tmp_path / name, INTERVAL, tpe, seeds=(0,)) for name in ("inside", "outside"))
    inside.folder.mkdir(), outside.folder.mkdir()
    for points in range(1, 7):
        inside.plan = Setup("", INTERVAL, seeds=(0,), points=points).plan
        inside.run(trains(lambda spec: [value(spec.params["lr"])]), slots=1)
        spec = shell(outside, lambda search: search.ask())
        shell(outside, lambda search, spec=spec: told(search, spec))
    assert [r.params for r in outside.records()] == [r.params for r in inside.records()]
    assert [r.attempts for r in outside.records()] == [1] * 6


def test_asked_in_parallel_every_cell_of_a_grid_is_handed_out_once_and_then_none(tmp_path):
    with asking(Setup(tmp_path, seeds=(0,))) as search:
        specs = [search.ask() for _ in range(3)]
        assert sorted(spec.params["lr"] for spec in specs) == [0.1, 0.2, 0.4]
        assert search.ask() is None and not search.is_over
        assert search.why_none == "all 3 cells of the grid are done; 3 trials are not told yet"
        for spec in reversed(specs):
            assert told(search, spec).score == value(spec.params["lr"])
        assert search.ask() is None and search.is_over
        assert search.why_none == "all 3 cells of the grid are done"


def test_every_seed_of_a_point_is_asked_for_and_the_point_is_their_mean(tmp_path):
    setup = Setup(tmp_path, seeds=(0, 1))
    with asking(setup) as search:
        ids = []
        while spec := search.ask():
            ids.append(spec.id)
            search.tell(spec.id, {"valid/acc": spec.params["lr"] + spec.id.seed})
    assert ids == [TrialId(point, seed) for point in range(3) for seed in (0, 1)]
    assert [t.value for t in setup.study().trials] == pytest.approx([0.6, 0.7, 0.9])


def test_a_pruner_stops_a_trial_and_what_it_is_told_then_does_not_count(tmp_path):
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0)
    setup = Setup(tmp_path, seeds=(0,), pruner=pruner)
    with asking(setup) as search:
        first, second = search.ask(), search.ask()
        assert search.report(first.id, {"valid/acc": 0.8}) is Decision.CONTINUE
        search.report(first.id, {"valid/acc": 0.9})
        search.tell(first.id, {})
        assert search.report(second.id, {"valid/acc": 0.2}, epoch=1) is Decision.STOP
        assert search.report(second.id, {"valid/acc": 0.99}) is Decision.STOP
        ended = search.tell(second.id, {"valid/acc": 0.99})
    assert (ended.state, ended.reason) == (TrialState.PRUNED, "stopped after epoch 1")
    assert [[(r.epoch, dict(r.metrics)) for r in each.reports] for each in setup.records()[:2]] == [
        [(1, {"valid/acc": 0.8}), (2, {"valid/acc": 0.9})], [(1, {"valid/acc": 0.2})],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("last", "epochs", "score", "facts"),
    [
        ({}, [5, 6], 0.5, {}),
        ({"valid/acc": 0.75}, [5, 6], 0.75, {}),
        ({"valid/acc": 0.75, "seconds": 2}, [5, 6], 0.75, {"seconds": 2}),
        ({"seconds": 2}, [5, 6], 0.5, {"seconds": 2}),
    ],
)
def test_a_trial_with_a_curve_is_worth_what_it_is_told_at_its_end(tmp_path, last, epochs, score, facts):
    setup = Setup(tmp_path, seeds=(0,))
    with asking(setup) as search:
        spec = search.ask()
        search.report(spec.id, {"valid/acc": 0.4}, epoch=5)
        search.report(spec.id, {"valid/acc": 0.5}, epoch=6)
        search.tell(spec.id, last)
    (record,) = setup.records()
    assert ([r.epoch for r in record.reports], record.score) == (epochs, score)
    assert {name: record.facts[name] for name in record.facts if name != "asked_by"} == facts
    assert setup.study().trials[0].value == score


def test_of_a_trial_whose_reports_lack_the_objective_it_is_one_more_report(tmp_path):
    setup = Setup(tmp_path, seeds=(0,))
    with asking(setup) as search:
        spec = search.ask()
        search.report(spec.id, {"train/loss": 3}, epoch=5)
        search.tell(spec.id, {"valid/acc": 0.5, "train/loss": 2})
    (record,) = setup.records()
    assert [(r.epoch, dict(r.metrics)) for r in record.reports] == [
        (5, {"train/loss": 3}), (6, {"valid/acc": 0.5, "train/loss": 2}),
    ]  # fmt: skip
    assert record.score == 0.5


@pytest.mark.parametrize("score", [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_infeasible(tmp_path, score):
    setup = Setup(tmp_path, seeds=(0,))
    with asking(setup) as search:
        for measured in ({"valid/acc": 0.5}, {"valid/acc": score}):
            ended = search.tell(search.ask().id, measured)
    assert (ended.state, ended.reason) == (TrialState.INFEASIBLE, f"valid/acc is {score}")
    assert setup.study().trials[1].constraints["infeasible"] == 1


def test_after_a_report_of_it_one_that_is_not_finite_counts(tmp_path):
    with asking(Setup(tmp_path, seeds=(0,))) as search:
        spec = search.ask()
        search.report(spec.id, {"valid/acc": 0.5})
        assert search.tell(spec.id, {"valid/acc": math.nan}).state is TrialState.INFEASIBLE


def test_a_failed_trial_is_not_handed_out_again_and_samplers_stay_away_from_it(tmp_path):
    setup = Setup(tmp_path, seeds=(0,))
    with asking(setup) as search:
        search.tell(search.ask().id, {"valid/acc": 0.5})
        ended = search.tell(search.ask().id, {}, failed="no such\nfile")
        assert (ended.state, ended.reason, ended.attempts) == (TrialState.FAILED, "no such file", 1)
        assert search.ask().id == TrialId(2, 0)
    assert setup.study().trials[1].constraints["infeasible"] == 1


def test_first_points_that_fail_alike_end_the_search(tmp_path):
    with asking(Setup(tmp_path, INTERVAL, tpe, seeds=(0,), points=9, failures=3)) as search:
        for _ in range(3):
            search.tell(search.ask().id, {}, failed="no GPU")
        assert search.ask() is None
        assert search.why_none == "budget.failures = 3: so many points failed alike and none worked: no GPU"


def test_first_points_that_fail_alike_end_the_search_over_all_its_sessions(tmp_path):
    def fails(search):
        search.tell(search.ask().id, {}, failed="no GPU")

    setup = Setup(tmp_path, INTERVAL, tpe, seeds=(0,), points=9, failures=3, recalls_failures=True)
    for _ in range(3):
        shell(setup, fails)
    assert shell(setup, lambda search: (search.ask(), search.why_none)) == (
        None,
        "budget.failures = 3: so many points failed alike and none worked: no GPU",
    )
    more = Setup(tmp_path, INTERVAL, tpe, seeds=(0,), points=9, failures=4, recalls_failures=True)
    shell(more, lambda search: told(search, search.ask()))
    assert shell(setup, lambda search: search.ask()) is not None, "one has worked"


def test_several_objectives_are_told_together(tmp_path):
    objective = Objective("valid/acc", others=(Objective("seconds", "minimize"),))
    setup = Setup(tmp_path, seeds=(0,), objective=objective)
    with asking(setup) as search:
        spec = search.ask()
        with pytest.raises(ConfigError, match=r"objective.others\[0\].metric = 'seconds': no report has it"):
            search.tell(spec.id, {"valid/acc": 0.5})
        search.tell(spec.id, {"valid/acc": 0.5, "seconds": 3})
    assert setup.study().trials[0].values == [0.5, 3.0]


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        ({"acc": 0.5}, "objective.metric = 'valid/acc': no report has it \\(reported: acc\\)"),
        ({}, "trial .*/0/0: nothing was told of it; it needs valid/acc=0.5"),
    ],
)
def test_what_cannot_be_told_is_refused_and_the_trial_stays_out(tmp_path, measured, message):
    with asking(Setup(tmp_path, seeds=(0,))) as search:
        spec = search.ask()
        with pytest.raises(ConfigError, match=message):
            search.tell(spec.id, measured)
        assert search.tell(spec.id, {"valid/acc": 0.5}).state is TrialState.COMPLETE


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epoch": -1}, "epoch = -1: must be a whole number >= 0"),
        ({"epoch": 1.5}, "epoch = 1.5"),
        ({"metrics": {}}, "trial .*/0/0: a report needs a number, such as valid/acc=0.5"),
    ],
)
def test_what_cannot_be_reported_is_refused(tmp_path, given, message):
    with asking(Setup(tmp_path, seeds=(0,))) as search:
        spec = search.ask()
        with pytest.raises(ConfigError, match=message):
            search.report(spec.id, **({"metrics": {"valid/acc": 0.1}} | given))


def test_a_trial_that_a_pruner_stopped_has_ended_though_nobody_tells_it(tmp_path):
    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=0)
    setup = Setup(tmp_path, seeds=(0,), pruner=pruner)
    first, second = (shell(setup, lambda search: search.ask()) for _ in range(2))
    for value in (0.8, 0.9):
        shell(setup, lambda search, value=value: search.report(first.id, {"valid/acc": value}))
    shell(setup, lambda search: search.tell(first.id, {}))
    assert shell(setup, lambda search: search.report(second.id, {"valid/acc": 0.2})) is Decision.STOP
    assert [r.state for r in setup.records()] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert shell(setup, lambda search: search.tell(second.id, {"valid/acc": 0.99})).state is TrialState.PRUNED


def test_told_twice_or_never_asked_is_refused(tmp_path):
    with asking(Setup(tmp_path, seeds=(0,))) as search:
        spec = search.ask()
        told(search, spec)
        with pytest.raises(StorageError, match=r"trial .*/0/0 has ended already: COMPLETE"):
            told(search, spec)
        assert search.report(spec.id, {"valid/acc": 0.5}) is Decision.STOP
        for strange in (TrialId(1, 0), TrialId(0, 1), TrialId(7, 0)):
            with pytest.raises(StorageError, match="was never asked for"):
                search.tell(strange, {"valid/acc": 0.5})


def test_what_a_session_asked_and_did_not_tell_is_asked_again_first(tmp_path):
    setup = Setup(tmp_path, seeds=(0,))
    with asking(setup) as search:
        specs = [search.ask(), search.ask()]
        search.report(specs[1].id, {"valid/acc": 0.1})
        told(search, specs[0])
    assert [r.state for r in setup.records()] == [TrialState.COMPLETE, TrialState.WAITING]
    with asking(setup) as search:
        again = search.ask()
        assert (again.id, again.params, again.attempt) == (specs[1].id, specs[1].params, 2)
        assert search.tell(again.id, {"valid/acc": 0.5}).attempts == 2
    assert [len(r.reports) for r in setup.records()] == [1, 1]  # the second attempt began from scratch


def test_of_a_session_that_was_killed_too(tmp_path):
    setup = Setup(tmp_path, seeds=(0,))
    with asking(setup) as search:
        spec = search.ask()
        text = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for path, content in text.items():
        path.write_bytes(content)
    assert [r.state for r in setup.records()] == [TrialState.RUNNING]
    with asking(setup) as search:
        assert search.ask().id == spec.id


def test_what_was_asked_in_a_session_that_ended_may_be_told_in_the_next_one(tmp_path):
    setup = Setup(tmp_path, seeds=(0,))
    with asking(setup) as search:
        specs = [search.ask(), search.ask()]
        search.report(specs[1].id, {"valid/acc": 0.1})
    with asking(setup) as search:
        assert search.report(specs[1].id, {"valid/acc": 0.2}) is Decision.CONTINUE
        told(search, specs[1])
        assert search.ask().id == specs[0].id
    assert [[report.epoch for report in r.reports] for r in setup.records()] == [[], [1, 2]]


def test_after_an_error_nothing_is_lost(tmp_path):
    setup = Setup(tmp_path, seeds=(0,))
    with pytest.raises(ZeroDivisionError), asking(setup) as search:
        told(search, search.ask())
        spec = search.ask()
        raise ZeroDivisionError
    assert [r.state for r in setup.records()] == [TrialState.COMPLETE, TrialState.WAITING]
    with asking(setup) as search:
        assert search.ask().id == spec.id


def test_what_a_shell_was_handed_stays_out_until_it_is_told(tmp_path):
    setup = Setup(tmp_path, seeds=(0,))
    first, second = (shell(setup, lambda search: search.ask()) for _ in range(2))
    assert first.id != second.id
    assert [r.state for r in setup.records()] == [TrialState.RUNNING] * 2
    shell(setup, lambda search: search.report(second.id, {"valid/acc": 0.1}))
    with asking(setup) as search:  # a session leaves it alone
        assert search.ask().id == TrialId(2, 0)
    assert shell(setup, lambda search: search.ask()).id == TrialId(2, 0)  # which the session did not tell
    assert shell(setup, lambda search: search.ask()) is None
    shell(setup, lambda search: told(search, second))
    assert setup.records()[1].attempts == 1 and len(setup.records()[1].reports) == 1


def test_a_trial_that_was_silent_for_too_long_is_handed_out_again_so_often_and_then_failed(tmp_path):
    clock, setup = Clock(), Setup(tmp_path, seeds=(0,))
    given = {"clock": clock, "silent_sec": 60, "retries": 1}
    first = shell(setup, lambda search: search.ask(), **given)
    clock.now += 50
    shell(setup, lambda search: search.report(first.id, {"valid/acc": 0.1}), **given)
    clock.now += 50
    assert shell(setup, lambda search: search.ask(), **given).id == TrialId(1, 0)
    clock.now += 20
    again = shell(setup, lambda search: search.ask(), **given)
    assert (again.id, again.attempt) == (first.id, 2)
    clock.now += 61
    assert shell(setup, lambda search: search.ask(), **given).id == TrialId(1, 0)
    lost = setup.records()[0]
    assert lost.state is TrialState.FAILED
    assert lost.reason == "its worker died: nothing was heard of it for 1 min (budget.silent_seconds)"


def test_a_trial_that_comes_late_is_still_taken_and_the_next_one_to_tell_it_refused(tmp_path):
    clock, setup = Clock(), Setup(tmp_path, seeds=(0,))
    with asking(setup, clock=clock, silent_sec=60) as search:
        spec = search.ask()
        clock.now += 100
        assert search.ask().id == spec.id
        told(search, spec)
        with pytest.raises(StorageError, match="has ended already"):
            told(search, spec)


def test_a_point_given_up_by_hand_is_not_waited_for(tmp_path):
    from hpsearch.search.requests import Request, leave

    setup = Setup(tmp_path, seeds=(0,))
    with asking(setup) as search:
        spec = search.ask()
        leave(tmp_path, Request(skip=spec.id.point))
        assert search.ask().id == TrialId(1, 0)
        assert search.report(spec.id, {"valid/acc": 0.5}) is Decision.STOP
        ended = told(search, spec)
    assert (ended.state, ended.reason) == (TrialState.PRUNED, "given up by hand")


def test_a_launcher_of_nothing_refuses_to_run_and_hands_out_what_is_wanted_only(tmp_path):
    launcher = OutsideLauncher()
    assert (launcher.slots, launcher.free()) == (0, ())
    with pytest.raises(HpsearchError, match="trials are trained outside"):
        launcher.call(read_trials, tmp_path)
    with pytest.raises(RuntimeError, match="slot 0 is not free"):
        launcher.submit(0, ())
    launcher.want()
    assert (launcher.slots, launcher.free()) == (1, (0,)) and launcher.take() is None
    assert launcher.slots == 0
