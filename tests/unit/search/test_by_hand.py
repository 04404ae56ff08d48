"""Points that are given up or added by hand, while a driver runs and between two."""

import contextlib

import optuna
import pytest

from hpsearch.base.errors import SpaceError, StorageError
from hpsearch.base.outcome import GIVEN_UP
from hpsearch.base.types import TrialId, TrialState
from hpsearch.search.by_hand import added, give_up
from hpsearch.search.optuna_internals import given_params
from hpsearch.search.pruners import TopKAfter
from hpsearch.search.requests import Request, leave, left
from hpsearch.search.samplers import Grid
from hpsearch.search.space import Space
from hpsearch.tracking.query import table_from_events
from tests.support.driver import Killed, Setup, resumes
from tests.support.fake_launcher import trains

RANDOM = {"space": {"lr": "interval(0, 1)"}, "sampler": lambda n: optuna.samplers.RandomSampler(seed=n), "seeds": (0,)}


def asking(folder, **requests):
    """Return what leaves each request at a poll: ``at_3=Request(...)``."""

    def on_poll(poll):
        if f"at_{poll}" in requests:
            leave(folder, requests[f"at_{poll}"])
        if requests.get("killed_at") == poll:
            raise Killed

    return on_poll


def states(setup):
    return {(r.id.point, r.id.seed): (r.state, r.reason) for r in setup.records()}


GRID = {"space": {"lr": "interval(0, 1)"}, "sampler": lambda n: Grid(points=4), "seeds": (0,)}


def long(spec):
    return trains([0.1] * 20 if spec.id.point == 0 else [0.5])(spec)


def test_a_request_is_read_once(tmp_path):
    leave(tmp_path, Request(skip=3))
    leave(tmp_path, Request(params={"lr": 0.5}))
    assert list(left(tmp_path)) == [Request(skip=3), Request(params={"lr": 0.5})]
    assert list(left(tmp_path)) == []


def test_a_point_that_trains_is_stopped_with_all_of_its_replicates(tmp_path):
    setup = Setup(tmp_path)
    outcome = setup.run(long, slots=1, on_poll=asking(tmp_path, at_3=Request(skip=0)))
    assert states(setup)[0, 0] == states(setup)[0, 1] == (TrialState.PRUNED, GIVEN_UP)
    assert {spec.id for spec in setup.launcher.submitted if spec.id.point == 0} == {TrialId(0, 0)}
    assert outcome.counts == {TrialState.COMPLETE: 4, TrialState.PRUNED: 2}
    assert [t.state.name for t in setup.study().trials] == ["PRUNED", "COMPLETE", "COMPLETE"]
    assert f"point 0 is {GIVEN_UP}" in setup.observer.lines
    assert repr(setup.run(long)) == repr(outcome) and not setup.todo


def test_a_queued_cell_never_starts_and_is_on_record_and_counted(tmp_path):
    setup, shown = Setup(tmp_path), []
    setup.observer.update = shown.append
    outcome = setup.run(trains([0.5]), slots=1, on_poll=asking(tmp_path, at_0=Request(skip=2)))
    assert {spec.id.point for spec in setup.launcher.submitted} == {0, 1}
    assert states(setup)[2, 0] == states(setup)[2, 1] == (TrialState.PRUNED, GIVEN_UP)
    assert outcome.counts == {TrialState.COMPLETE: 4, TrialState.PRUNED: 2}
    assert sum(shown[-1].counts.values()) == shown[-1].total == 6
    row = table_from_events(tmp_path).trials.set_index(["point", "seed"]).loc[(2, 0)]
    assert (row["state"], row["reason"], row["lr"]) == ("PRUNED", GIVEN_UP, 0.4)
    assert [t.state.name for t in setup.study().trials] == ["COMPLETE", "COMPLETE", "PRUNED"]
    assert repr(setup.run(trains([0.5]))) == repr(outcome) and not setup.todo


def test_a_point_that_waits_for_better_ones_is_given_up(tmp_path):
    pruner = TopKAfter(epochs=1, k=1, of=3)
    setup = Setup(tmp_path, {"lr": "choice(1, 2, 3)"}, pruner=pruner, seeds=(0,))
    values = resumes(lambda spec: [spec.params["lr"]] * 4)
    setup.run(values, slots=1, on_poll=asking(tmp_path, at_4=Request(skip=0)))
    assert states(setup)[0, 0] == (TrialState.PRUNED, GIVEN_UP)
    assert states(setup)[2, 0][0] is TrialState.COMPLETE


@pytest.mark.parametrize(
    ("number", "line"),
    [(0, "point 0 is not given up: it has ended"), (9, "point 9 is not given up: the study has 3 points so far")],
)
def test_a_point_that_has_ended_or_is_not_there_is_left_alone(tmp_path, number, line):
    setup = Setup(tmp_path)
    outcome = setup.run(trains([0.5]), slots=1, on_poll=asking(tmp_path, at_8=Request(skip=number)))
    assert outcome.counts == {TrialState.COMPLETE: 6}
    assert line in setup.observer.lines


def test_a_point_is_added_whatever_the_budget_and_never_proposed_again(tmp_path):
    setup = Setup(tmp_path, {"a": "choice(1, 2, 3)"}, RANDOM["sampler"], seeds=(0, 1), points=2)
    outcome = setup.run(trains([0.5]), slots=1, on_poll=asking(tmp_path, at_1=Request(params={"a": 2})))
    assert len(states(setup)) == 2 * len({r.params["a"] for r in setup.records()})
    assert 2 in {r.params["a"] for r in setup.records()}
    assert outcome.counts == {TrialState.COMPLETE: len(states(setup))}


def test_what_is_added_is_trained_once_though_a_queue_holds_it_too(tmp_path):
    setup = Setup(tmp_path)
    setup.run(trains([0.5]), slots=1, on_poll=asking(tmp_path, at_1=Request(params={"lr": 0.4})))
    rates = [r.params["lr"] for r in setup.records() if r.id.seed == 0]
    assert sorted(rates) == [0.1, 0.2, 0.4]
    assert "point 2 is added by hand: lr=0.4" in setup.observer.lines
    setup.run(trains([0.5]))
    assert len(setup.records()) == 6


@pytest.mark.parametrize("asked", [[Request(params={"lr": 0.3})], [Request(skip=2), Request(params={"lr": 0.3})]])
def test_every_cell_is_trained_though_one_of_them_is_added_too(tmp_path, asked):
    space = {"lr": "choice(0.1, 0.2, 0.3, 0.4, 0.5)"}
    Setup(tmp_path, space, seeds=(0,), points=2).run(trains([0.5]), slots=1)
    for request in asked:
        leave(tmp_path, request)
    setup = Setup(tmp_path, space, seeds=(0,))
    setup.run(trains([0.5]), slots=1)
    complete = [record.params["lr"] for record in setup.records() if record.state is TrialState.COMPLETE]
    assert sorted(complete) == [0.1, 0.2, 0.3, 0.4, 0.5]


@pytest.mark.parametrize(
    ("limits", "asked", "why", "counts"),
    [
        ({}, {"at_0": Request(skip=3)}, "all 4 cells of the grid have ended, 1 of them given up by hand", 3),
        (
            {},
            {"at_0": Request(skip=3), "at_1": Request(params={"lr": 0.1})},
            "all 4 cells of the grid and 1 further point have ended, 1 of them given up by hand",
            4,
        ),
        ({}, {"at_1": Request(params={"lr": 0.1})}, "all 4 cells of the grid and 1 further point are done", 5),
        ({}, {"at_0": Request(skip=3), "at_1": Request(params={"lr": 1.0})}, "all 4 cells of the grid are done", 4),
        (
            {"points": 3},
            {"at_1": Request(params={"lr": 0.1})},
            "budget.points = 3 is used up: 2 of 4 cells of the grid and 1 further point",
            3,
        ),
    ],
)
def test_the_end_tells_cells_from_further_points_and_what_was_given_up(tmp_path, limits, asked, why, counts):
    setup = Setup(tmp_path, **GRID, **limits)
    outcome = setup.run(trains([0.5]), slots=1, on_poll=asking(tmp_path, **asked))
    given_up = {TrialState.PRUNED: 1} if any(request.skip is not None for request in asked.values()) else {}
    assert (outcome.why, outcome.counts) == (why, {TrialState.COMPLETE: counts} | given_up)
    assert setup.run(trains([0.5])).why == why and not setup.todo


def test_a_point_given_up_and_added_again_leaves_the_others_of_a_finite_space_to_be_tried(tmp_path):
    setup = Setup(tmp_path, {"a": "choice(1, 2, 3)"}, RANDOM["sampler"], seeds=(0,))

    def on_poll(poll):
        if poll == 2:
            (record,) = setup.records()
            leave(tmp_path, Request(skip=0))
            leave(tmp_path, Request(params=record.params))

    outcome = setup.run(long, slots=1, on_poll=on_poll)
    assert outcome.counts == {TrialState.COMPLETE: 3, TrialState.PRUNED: 1}
    assert outcome.why == "all 3 points of the space are done"
    assert sorted(r.params["a"] for r in setup.records() if r.state is TrialState.COMPLETE) == [1, 2, 3]


@pytest.mark.parametrize(("rates", "total"), [([], 2), ([0.1], 3), ([0.1, 0.2, 0.3], 5)])
def test_progress_counts_what_is_added_beyond_the_budget_among_all(tmp_path, rates, total):
    setup, shown = Setup(tmp_path, points=2, **RANDOM), []
    setup.observer.update = shown.append
    requests = {f"at_{poll}": Request(params={"lr": rate}) for poll, rate in enumerate(rates, 3)}
    setup.run(trains([0.1] * 4), slots=2, on_poll=asking(tmp_path, **requests))
    assert all(sum(each.counts.values()) <= each.total for each in shown)
    assert shown[-1].total == shown[-1].counts[TrialState.COMPLETE] == total


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"lr": 0.1}, "lr=0.1: point 0 has these values"),
        ({"lr": 0.3}, "lr = 0.3 is not in choice(0.1,0.2,0.4)"),
        ({}, "lr is missing"),
    ],
)
def test_a_point_that_is_there_or_outside_is_not_added(tmp_path, params, line):
    setup = Setup(tmp_path)
    outcome = setup.run(trains([0.5]), slots=1, on_poll=asking(tmp_path, at_1=Request(params=params)))
    assert outcome.counts == {TrialState.COMPLETE: 6}
    assert line in [text.replace(", ", ",") if "choice" in text else text for text in setup.observer.lines]


@pytest.mark.parametrize("killed_at", range(3, 9))
def test_a_driver_killed_around_a_request_goes_on_as_asked(tmp_path, killed_at):
    setup = Setup(tmp_path, points=3, **RANDOM)
    asked = {"at_3": Request(skip=0), "at_4": Request(params={"lr": 0.25})}
    with contextlib.suppress(Killed):
        setup.run(long, slots=1, on_poll=asking(tmp_path, killed_at=killed_at, **asked))
    if killed_at == 3:
        leave(tmp_path, asked["at_4"])
    setup.run(long, slots=1)
    assert states(setup)[0, 0] == (TrialState.PRUNED, GIVEN_UP)
    assert [r.params["lr"] for r in setup.records()].count(0.25) == 1
    assert {r.state for r in setup.records() if r.id.point} == {TrialState.COMPLETE}


def test_between_two_drivers_a_point_is_given_up_or_added_in_the_optuna_study():
    space = Space.parse({"x": "interval(0, 1)", "kind": "choice(a, b)", "kind=b/y": "choice(1, 2)"})
    study = optuna.create_study()
    done, running = (study.ask(space.distributions()) for _ in range(2))
    study.tell(done, 0.5)
    study.enqueue_trial({"x": 0.5, "kind": "a"})
    with pytest.raises(StorageError, match="point 0 is not given up: it has ended"):
        give_up(study, done.number)
    assert give_up(study, running.number).number == 1
    trial = added(study, space, {"x": 0.5, "kind": "a"})
    assert (trial.number, trial.state.name, space.active(given_params(trial))) == (
        2,
        "RUNNING",
        {"x": 0.5, "kind": "a"},
    )
    assert study.trials[1].user_attrs == {"skipped": True} and not study.trials[2].user_attrs
    trial = added(study, space, {"x": 0.25, "kind": "a"})
    assert (trial.number, trial.state.name, space.active(trial.params)) == (3, "RUNNING", {"x": 0.25, "kind": "a"})
    with pytest.raises(SpaceError, match=r"x=0\.5, kind=a: point 2 has these values"):
        added(study, space, {"x": 0.5, "kind": "a"})
    with pytest.raises(SpaceError, match="y is missing"):
        added(study, space, {"x": 0.5, "kind": "b"})
