"""The sampler for who names none: what is proposed."""

import numpy as np
import optuna
import pytest

from hpsearch.search.auto import AutoSampler
from hpsearch.search.effects import main_effects
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.samplers import Sobol
from hpsearch.search.space import Space

WIDE = Space.parse({"lr": "tag(log, interval(1e-4, 1))", "momentum": "interval(0, 1)"})


def sampled(sampler, count, score=lambda trial: trial.params["momentum"], waits=False):
    study = optuna.create_study(direction="maximize", sampler=UniqueSampler(sampler, WIDE, 0))
    points = []
    for _ in range(count):
        trial = study.ask(WIDE.distributions())
        points.append(trial.params)
        if waits:
            trial.report(score(trial), step=1)
        else:
            study.tell(trial, score(trial))
    return points


def test_the_first_points_are_evenly_spread():
    assert sampled(AutoSampler(startup=16, seed=3), 16) == sampled(Sobol(seed=3), 16)


KINDS = Space.parse({"lr": "tag(log, interval(1e-4, 1))", "kind": "choice(a, b, c)", "kind=a/depth": "range(1, 9)"})
REGIONS = {
    "choice": (lambda point: point["kind"] == "a", 10),
    "most rates": (lambda point: point["lr"] > 1e-3, 24),
    "none": (lambda point: False, 0),
}


def failing(sampler, seed, fails, count=32):
    """Return how many of the first proposals fail."""
    study = optuna.create_study(direction="maximize", sampler=UniqueSampler(sampler, KINDS, seed))
    failed = []
    for _ in range(count):
        trial = study.ask(KINDS.distributions())
        failed.append(fails(trial.params))
        trial.set_constraint("infeasible", 1.0 if failed[-1] else -1.0)
        study.tell(trial, -9.0 if failed[-1] else trial.params["lr"])
    return sum(failed)


@pytest.mark.parametrize("region", REGIONS)
def test_where_points_fail_none_is_spread_once_three_neighbours_have_failed(region):
    fails, spread = REGIONS[region]
    auto, sobol = (sum(failing(kind(seed=s), s, fails) for s in range(4)) for kind in (AutoSampler, Sobol))
    assert sobol == pytest.approx(4 * spread, abs=6)
    assert auto < 0.8 * sobol or sobol == 0


def test_the_model_learns_from_points_that_ended():
    points = sampled(AutoSampler(startup=16, seed=3), 96)
    model = [point["momentum"] for point in points[17::2]]
    spread = [point["momentum"] for point in points[16::2]]
    assert sum(model) / len(model) > 0.8
    assert sum(spread) / len(spread) == pytest.approx(0.5, abs=0.05)


def test_offspring_stays_near_the_best_of_the_points_that_wait():
    points = sampled(AutoSampler(startup=16, seed=3, spread=0.05), 96, waits=True)
    children = [point["momentum"] for point in points[17::2]]
    assert sum(children[8:]) / len(children[8:]) > 0.85
    spread = [point["momentum"] for point in points[16::2]]
    assert sum(spread) / len(spread) == pytest.approx(0.5, abs=0.05)


def test_who_came_further_is_a_parent_first_and_who_is_infeasible_never():
    study = optuna.create_study(
        direction="maximize", sampler=UniqueSampler(AutoSampler(startup=4, parents=1, spread=1e-6), WIDE, 0)
    )
    trials = [study.ask(WIDE.distributions()) for _ in range(4)]
    for place, trial in enumerate(trials):
        trial.report(float(place), step=1)
    trials[1].report(0.0, step=2)
    trials[3].set_constraint("infeasible", 1.0)
    study.tell(trials[3], 9.0)
    study.ask(WIDE.distributions())
    assert study.ask(WIDE.distributions()).params == pytest.approx(trials[1].params, rel=1e-3)


def test_a_child_of_one_parent_without_a_move_is_its_parent_in_any_space():
    space = Space.parse({
        "a": "tag(log, int(interval(1, 1000)))",
        "b": "choice(x, y, z)",
        "c": "range(0, 10)",
        "b=x/d": "choice([1], [2])",
    })
    parameters = {p.name: p for p in space.parameters}
    for share in (0.0, 0.13, 0.5, 0.77, 0.999):
        for p in parameters.values():
            assert p.from_unit(p.to_unit(p.from_unit(share))) == p.from_unit(share)
            assert 0 <= p.to_unit(p.from_unit(share)) <= 1


def test_several_objectives_have_parents_too():
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=UniqueSampler(AutoSampler(startup=8, spread=0, seed=1), WIDE, 0)
    )
    for _ in range(8):
        trial = study.ask(WIDE.distributions())
        trial.set_constraint("infeasible", -1.0)
        study.tell(trial, [trial.params["momentum"], trial.params["momentum"] ** 2 if trial.number % 2 else 5.0])
    study.ask(WIDE.distributions())
    assert study.ask(WIDE.distributions()).params.keys() == {"lr", "momentum"}


def test_the_same_seed_gives_the_same_points():
    assert sampled(AutoSampler(startup=8, seed=3), 40) == sampled(AutoSampler(startup=8, seed=3), 40)
    assert sampled(AutoSampler(startup=8, seed=3), 40) != sampled(AutoSampler(startup=8, seed=4), 40)


def test_a_small_space_is_tried_entirely():
    space = Space.parse({"a": "choice(1, 2, 3)", "kind": "choice(x, y)", "kind=x/b": "choice(0.1, 0.2)"})
    study = optuna.create_study(sampler=UniqueSampler(AutoSampler(startup=4, seed=0), space, 0))
    seen = set()
    for _ in range(space.size()):
        trial = study.ask(space.distributions())
        seen.add(str(space.active(trial.params)))
        study.tell(trial, 0.0)
    assert len(seen) == space.size()


SUMS = Space.parse({f"x{i}": "choice(0, 1, 9)" for i in range(4)})


def asked_of_sums(sampler, count, pause=frozenset()):
    """Ask and tell the sum of a point's values; points in `pause` wait after a report."""
    study = optuna.create_study(direction="maximize", sampler=UniqueSampler(sampler, SUMS, 0))
    points = []
    for number in range(count):
        trial = study.ask(SUMS.distributions())
        points.append(SUMS.active(trial.params))
        score = float(sum(points[-1].values()))
        if number in pause:
            trial.report(score, step=1)
        else:
            study.tell(trial, score)
    return study, points


def test_in_a_small_space_the_best_of_all_that_were_not_tried_comes_after_a_few():
    sampler = AutoSampler(few=8, seed=3)
    study, points = asked_of_sums(sampler, 8)
    assert points == asked_of_sums(Sobol(seed=3), 8)[1]
    told = [trial.params for trial in study.trials]
    for ask in range(2):
        trial = study.ask(SUMS.distributions())
        cells = [cell for cell in SUMS.cells() if SUMS.active(cell) not in points]
        effects = main_effects(SUMS, told, [sum(point.values()) for point in points[:8]], cells)
        scores = sampler.promise(study, trial, cells) if ask else effects
        assert trial.params == cells[int(np.argmax(scores))]
        points.append(SUMS.active(trial.params))
    assert points[8] == dict.fromkeys(points[8], 9)
    assert max(sum(each.values()) for each in asked_of_sums(AutoSampler(few=8, seed=3), 20)[1]) == 36


def test_where_most_points_wait_a_small_space_is_searched_as_a_large_one():
    waiting = set(range(40)) - set(range(0, 40, 3))
    small, points = asked_of_sums(AutoSampler(few=8, seed=3), 32, waiting)
    assert points == asked_of_sums(Sobol(seed=3), 32)[1]
    assert sum(trial.state is optuna.trial.TrialState.COMPLETE for trial in small.trials) > 8


@pytest.mark.parametrize("pause", [frozenset(), frozenset(range(6))])
def test_asked_again_the_model_and_the_offspring_are_others(pause):
    table = {"x": "interval(0, 1)", "y": "interval(0, 1)"}
    space = Space.parse(table)

    def asked(times):
        sampler = AutoSampler(startup=4, seed=3)
        study = optuna.create_study(direction="maximize", sampler=UniqueSampler(sampler, space, 0))
        for number in range(5):
            trial = study.ask(space.distributions())
            if number in pause:
                trial.report(trial.params["x"], step=1)
            else:
                study.tell(trial, trial.params["x"])
        trial = study.ask()
        return [tuple(sampler.sample_relative(study, trial, space.distributions()).values()) for _ in range(times)]

    again = asked(3)
    assert len(set(again)) == 3 and again == asked(3)
