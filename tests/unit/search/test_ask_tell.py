"""The Optuna study of a search: what is asked, told and widened."""

import optuna
import pytest
from optuna.samplers import RandomSampler

from hpsearch.base.outcome import PointOutcome
from hpsearch.base.types import TrialState
from hpsearch.search.ask_tell import AskTell
from hpsearch.search.extension import Extension, Ranges
from hpsearch.search.samplers import Grid, Manual
from hpsearch.search.space import Space

SMALL = Space.parse({"a": "choice(1, 2, 3)", "kind": "choice(x, y)"})
LINE = Space.parse({"lr": "interval(0.0, 1.0)"})


def opened(space=SMALL, sampler=lambda n: RandomSampler(seed=n), study=None, **ranges):
    study = study or optuna.create_study(study_name="s", direction="maximize")
    return AskTell(study, sampler, Ranges(space, **ranges), 0, line=print)


def test_a_queue_is_asked_in_order_to_its_end():
    asker = opened(sampler=lambda n: Grid())
    assert asker.enqueue()
    assert asker.size == 6
    asked = [SMALL.active(asker.ask().params) for _ in range(6)]
    assert asked == [SMALL.active(cell) for cell in SMALL.grid()]
    assert asker.why_used_up() == "all 6 cells of the grid are done"
    again = opened(sampler=lambda n: Grid(), study=asker.study)
    assert again.enqueue() and len(again.trials()) == 6


@pytest.mark.parametrize(
    ("sampler", "size"),
    [(lambda n: RandomSampler(seed=n), 6), (lambda n: Grid(), 6), (lambda n: Manual([{"a": 1, "kind": "y"}]), 3)],
    ids=["random", "grid", "manual"],
)
def test_points_to_try_first_come_first_and_no_second_time(sampler, size):
    first = [{"a": 3, "kind": "y"}, {"a": 2, "kind": "x"}]
    known = [SMALL.cell(point) for point in first]
    asker = opened(sampler=sampler, known=known)
    assert asker.enqueue() and asker.size == size
    asked = [SMALL.active(asker.ask().params)]
    again = opened(sampler=sampler, study=asker.study, known=known)
    again.asked = 1
    again.enqueue()
    again.reseed()
    while not again.why_used_up():
        asked.append(SMALL.active(again.ask().params))
    assert asked[:2] == first
    assert len({str(sorted(point.items())) for point in asked}) == len(asked) == size


def test_points_to_try_first_may_lie_beside_a_grid():
    asker = opened(LINE, sampler=lambda n: Grid(points=3), known=[{"lr": 0.1}])
    asker.enqueue()
    assert [asker.ask().params["lr"] for _ in range(asker.size)] == [0.1, 0.0, 0.5, 1.0]


def test_a_finite_space_is_used_up_and_an_interval_never():
    asker = opened()
    assert not asker.enqueue()
    for number in range(6):
        assert not asker.why_used_up(), number
        asker.ask()
    assert (asker.size, asker.why_used_up()) == (6, "all 6 points of the space are done")
    endless = opened(LINE)
    assert (endless.size, endless.why_used_up()) == (None, "")


def test_points_to_try_first_are_no_cells_of_a_grid_beside_them():
    asker = opened(LINE, sampler=lambda n: Grid(points=3), known=[{"lr": 0.1}, {"lr": 0.5}])
    asker.enqueue()
    asker.ask()
    assert asker.extent == "0 of 3 cells of the grid and 1 further point"
    while not asker.why_used_up():
        asker.ask()
    assert asker.why_used_up() == "all 3 cells of the grid and 1 further point are done"


@pytest.mark.parametrize(
    ("outcome", "state", "values", "constraint"),
    [
        (PointOutcome(TrialState.COMPLETE, (0.7,), n=1), "COMPLETE", [0.7], -1.0),
        (PointOutcome(TrialState.INFEASIBLE, (0.1,)), "COMPLETE", [0.1], 1.0),
        (PointOutcome(TrialState.PRUNED), "PRUNED", None, -1.0),
        (PointOutcome(TrialState.FAILED), "FAIL", None, -1.0),
    ],
)
def test_what_optuna_is_told_of_each_outcome(outcome, state, values, constraint):
    asker = opened()
    asker.tell(asker.ask(), outcome)
    (trial,) = asker.trials()
    assert (trial.state, trial.values) == (optuna.trial.TrialState[state], values)
    assert trial.constraints == {"infeasible": constraint}


def test_a_running_point_is_opened_again_with_what_was_drawn():
    asker = opened()
    asked = asker.ask()
    again = asker.reopen(asker.trials()[0])
    assert (again.number, again.params) == (0, asked.params)


def test_ranges_are_widened_after_so_many_points_since_the_last_time():
    asker = opened(LINE, extension=Extension(edges=True, after=3, times=2))
    widened = []
    for _ in range(8):
        asker.ask()
        found = asker.widen({"lr": asker.space.ends()["lr"][1]})
        widened.append([widening.new for widening in found])
    assert [n for n, found in enumerate(widened, 1) if found] == [3, 6]
    assert widened[2] + widened[5] == [(0.0, 1.5), (0.0, 2.0)]
    assert (asker.study.study_name, len(asker.trials())) == ("s+2", 8)
    resumed = opened(asker.space, study=asker.study, original=LINE, extension=Extension(edges=True, after=3, times=3))
    resumed.asked = 8
    assert not resumed.widen({"lr": 2.0})
    resumed.asked = 9
    assert [widening.new for widening in resumed.widen({"lr": 2.0})] == [(0.0, 2.5)]  # steps of the first range


FAILED, TRAINED = PointOutcome(TrialState.FAILED), PointOutcome(TrialState.COMPLETE, (0.1,), n=1)
DIVERGED, PRUNED = PointOutcome(TrialState.INFEASIBLE, (0.1,)), PointOutcome(TrialState.PRUNED)


@pytest.mark.parametrize(
    ("beyond", "taken_back"),
    [
        ([FAILED, FAILED, FAILED], True),
        ([FAILED, DIVERGED, DIVERGED], True),
        ([FAILED, FAILED], False),
        ([FAILED, FAILED, None], False),
        ([FAILED, TRAINED, FAILED, FAILED], False),
        ([FAILED, PRUNED, FAILED, FAILED], False),
    ],
    ids=["failed", "diverged", "few", "one still runs", "one trained", "one was pruned"],
)
@pytest.mark.parametrize("resumed", [False, True])
def test_a_widening_is_taken_back_when_every_point_beyond_failed(beyond, taken_back, resumed):
    extension = Extension(edges=True, after=1, times=1)
    asker = opened(LINE, extension=extension)
    asker.tell(asker.ask(), TRAINED)
    assert asker.widen({"lr": 1.0}) and asker.space.ends()["lr"] == (0.0, 1.5)
    if resumed:
        asker = opened(asker.space, study=asker.study, original=LINE, extension=extension)
    back = []
    for outcome in beyond:
        asker.study.enqueue_trial({"lr": 1.2})
        trial = asker.ask()
        if outcome is not None:
            asker.tell(trial, outcome)
        back += asker.take_back()
    assert [(each.new, each.failed) for each in back] == ([((0.0, 1.0), 3)] if taken_back else [])
    assert asker.space.ends()["lr"] == (0.0, 1.0 if taken_back else 1.5)
    asker.asked += 1
    assert not asker.widen({"lr": 1.0}) or not taken_back


def test_a_queue_and_a_best_value_inside_widen_nothing():
    assert not opened(LINE, sampler=lambda n: Grid(points=3), extension=Extension(edges=True, after=1)).widen({
        "lr": 1.0
    })
    asker = opened(LINE, extension=Extension(edges=True, after=1))
    asker.ask()
    assert not asker.widen({"lr": 0.5})
    assert asker.study.study_name == "s"
