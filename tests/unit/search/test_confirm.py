"""The end of a search over one seed: its best points over fresh seeds."""

import contextlib
import math

import pytest

from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import Objective, TrialId, TrialResult, TrialState
from hpsearch.search.confirm import set_of_one_seed
from hpsearch.search.plan import Plan
from hpsearch.search.results import Complete
from hpsearch.tracking.events import read_study
from tests.support.driver import Killed, Setup
from tests.support.fake_launcher import trains

RATES = {"lr": "choice(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)"}
FRESH = (1000, 1001, 1002)


def score(spec):
    """Seed 0 flatters the largest rate; over the fresh seeds 0.6 is best."""
    if spec.id.seed == 0:
        return spec.params["lr"]
    return {6: 0.3, 5: 0.5}.get(spec.id.point, 0.2) + (spec.id.seed - 1001) / 100


def script(spec):
    return trains(lambda spec: [0.1, score(spec)])(spec)


def setup_of(folder, **plan):
    folder.mkdir(exist_ok=True)
    return Setup(folder, RATES, **{"seeds": (0,), "confirm": 3, **plan})


def fresh_trials(setup):
    return [record.id for record in setup.records() if record.facts.get("purpose") == "confirm"]


def test_the_best_five_are_trained_over_fresh_seeds_and_the_best_mean_of_these_leads(tmp_path):
    setup = setup_of(tmp_path)
    outcome = setup.run(script)
    assert fresh_trials(setup) == [TrialId(point, seed) for point in range(2, 7) for seed in FRESH]
    assert (outcome.best.point, outcome.best.n, outcome.best.params) == (5, 3, {"lr": 0.6})
    assert outcome.best.mean == pytest.approx(0.5) and outcome.best.sd == pytest.approx(0.01)
    study = read_study(tmp_path)
    assert study["confirm"]["points"] == [6, 5, 4, 3, 2]
    assert (study["confirm"]["seeds"], study["confirm"]["why"]) == ([1000, 1001, 1002], "")
    assert (study["best"]["point"], study["best"]["n"]) == (5, 3)
    assert outcome.counts == {TrialState.COMPLETE: 22}
    assert setup.observer.lines[-1] == "the best 5 of 7 complete points are trained over 3 fresh seeds"


def test_samplers_are_told_the_score_of_the_one_seed(tmp_path):
    setup = setup_of(tmp_path)
    setup.run(script)
    assert [trial.value for trial in setup.study().trials] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])


def test_the_same_command_has_nothing_to_do_then(tmp_path):
    first = setup_of(tmp_path).run(script)
    setup = setup_of(tmp_path)
    again = setup.run(script)
    assert not setup.todo and setup.launcher.submitted == [] and again == first


@pytest.mark.parametrize("plan", [{"confirm": 0}, {"seeds": (0, 1)}, {"folds": (0, 1)}])
def test_nothing_is_confirmed_where_it_is_switched_off_or_points_have_several_trials(tmp_path, plan):
    setup = setup_of(tmp_path, **plan)
    setup.run(script)
    assert fresh_trials(setup) == [] and "confirm" not in read_study(tmp_path)


def test_several_objectives_have_no_best_to_confirm():
    both = Objective("valid/acc", others=(Objective("parameters", "minimize"),))
    assert Plan(both, (0,), confirm=3).fresh == () and Plan(Objective("valid/acc"), (0,), confirm=3).fresh == FRESH


def test_without_two_complete_points_nothing_was_chosen(tmp_path):
    setup = setup_of(tmp_path, points=1)
    assert setup.run(script).best.n == 1 and fresh_trials(setup) == []


@pytest.mark.parametrize("moment", range(3, 60, 5))
def test_killed_at_any_poll_it_ends_as_if_undisturbed(tmp_path, moment):
    def kill(poll):
        if poll == moment:
            raise Killed

    calm = setup_of(tmp_path / "calm")
    expected = calm.run(script)
    setup = setup_of(tmp_path / "killed")
    with contextlib.suppress(Killed):
        setup.run(script, on_poll=kill)
    assert setup_of(tmp_path / "killed").run(script) == expected
    assert [(each.id, each.score) for each in setup.records()] == [(each.id, each.score) for each in calm.records()]
    assert read_study(setup.folder)["best"]["point"] == 5 and read_study(setup.folder)["confirm"]["why"] == ""


def test_where_seeds_change_nothing_only_the_best_point_is_trained_again_and_it_is_said(tmp_path):
    setup = setup_of(tmp_path)
    outcome = setup.run(trains(lambda spec: [0.1, spec.params["lr"]]))
    assert fresh_trials(setup) == [TrialId(6, seed) for seed in FRESH]
    assert read_study(tmp_path)["confirm"]["why"] == NO_SEEDS
    assert (outcome.best.point, outcome.best.n) == (6, 1)


def test_a_point_that_fails_on_a_fresh_seed_does_not_lead(tmp_path):
    def fails(spec):
        if spec.id == TrialId(5, 1001):
            yield from [TrialResult(TrialState.INFEASIBLE, "diverged")]
        else:
            yield from script(spec)

    outcome = setup_of(tmp_path).run(fails)
    assert outcome.best.point == 6 and outcome.best.mean == pytest.approx(0.3)
    assert outcome.counts[TrialState.INFEASIBLE] == 1


def test_where_none_comes_through_the_best_of_the_search_stays(tmp_path):
    def fails(spec):
        yield from script(spec) if spec.id.seed == 0 else [TrialResult(TrialState.INFEASIBLE, "diverged")]

    outcome = setup_of(tmp_path).run(fails)
    assert (outcome.best.point, outcome.best.n) == (6, 1)


def test_epochs_are_kept_for_it_and_whole_points_are_trained_as_far_as_they_reach(tmp_path):
    config = {"trainer": {"epochs": 2}}
    setup = setup_of(tmp_path, epochs=40, trial_epochs=2, config=config)  # all 7 points take 14
    setup.run(script)
    assert len(fresh_trials(setup)) == 12 and read_study(tmp_path)["confirm"]["why"] == "budget.epochs = 40 is used up"
    assert {trial.point for trial in fresh_trials(setup)} == {6, 5, 4, 3}


def test_the_search_ends_before_the_epochs_that_are_kept(tmp_path):
    setup = setup_of(tmp_path, epochs=18, trial_epochs=2, config={"trainer": {"epochs": 2}})
    outcome = setup.run(script, slots=1)
    assert outcome.why == "budget.epochs = 18 is used up: 18 epochs, 6 of 7 cells of the grid"
    assert {trial.point for trial in fresh_trials(setup)} == {5}


@pytest.mark.parametrize(
    ("epochs", "trial_epochs", "searched"), [(100, 2, 80), (40, 4, 28), (30, 10, 30), (9, None, 7.2)]
)
def test_a_fifth_is_kept_or_one_point_unless_that_takes_more_than_a_third(epochs, trial_epochs, searched):
    plan = Plan(Objective("valid/acc"), (0,), epochs=epochs, seconds=10.0, confirm=3, trial_epochs=trial_epochs)
    assert plan.search_epochs == pytest.approx(searched) and plan.search_seconds == pytest.approx(8.0)
    assert Plan(Objective("valid/acc"), (0, 1), epochs=epochs, seconds=10.0, confirm=3).search_seconds == 10.0


def test_a_search_that_goes_on_confirms_what_is_best_then(tmp_path):
    setup_of(tmp_path, points=4).run(script)
    setup = setup_of(tmp_path)
    outcome = setup.run(script)
    assert [trial.point for trial in fresh_trials(setup)] == [point for point in range(7) for _ in FRESH]
    assert outcome.best.point == 5 and read_study(tmp_path)["confirm"]["points"] == [6, 5, 4, 3, 2]


def test_cut_off_by_its_time_it_leads_with_what_is_whole_and_goes_on_with_more(tmp_path):
    whole = setup_of(tmp_path / "whole").run(script)
    setup = setup_of(tmp_path / "cut", seconds=45.0)
    outcome = setup.run(script)
    assert "budget.seconds = 45 is used up" in outcome.why
    assert outcome.counts == {TrialState.COMPLETE: 20, TrialState.WAITING: 2}
    assert "budget.seconds = 45 is used up" in read_study(setup.folder)["confirm"]["why"]
    assert outcome.best.n == 3
    assert setup_of(tmp_path / "cut").run(script) == whole


def complete(*means):
    return [Complete(point, mean, math.nan, point + 1) for point, mean in enumerate(means)]


def test_accuracies_far_from_the_best_are_left_out_where_the_samples_are_known():
    maximize, minimize = Objective("valid/acc"), Objective("valid/loss", "minimize")
    points = complete(0.1, 0.95, 0.97, 0.5, 0.96, 0.94, 0.955)
    assert set_of_one_seed(maximize, points, 360) == [2, 4, 6, 1, 5]
    assert set_of_one_seed(maximize, points[:4], 360) == [2, 1]
    assert set_of_one_seed(maximize, points[:4], None) == [2, 1, 3, 0]
    assert set_of_one_seed(minimize, points, None) == [0, 3, 5, 1, 6]
    assert set_of_one_seed(maximize, complete(0.1, 0.97), 360) == [1, 0]
