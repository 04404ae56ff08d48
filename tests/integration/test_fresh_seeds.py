"""A search over one seed as users run it: its best points over fresh seeds, on every page."""

import random

import pytest

from hpsearch import compare, load_trials, replay, run_search
from hpsearch.cli import run
from hpsearch.reports.summary.numbers import find
from hpsearch.reports.summary.sentences import answer, caveats
from hpsearch.study.tables import table_of
from hpsearch.tracking.query import table_from_mlflow

SPACE = {"lr": "choice(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, fresh_seeds):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noisy(lr, seed):
    """Seed 0 flatters 0.6 by .2; the truth is best at 0.3."""
    lucky = 0.2 if (seed, lr) == (0, 0.6) else 0.0
    for _ in range(3):
        yield {"valid/acc": 0.9 - (lr - 0.3) ** 2 + lucky + random.Random(f"{seed} {lr}").gauss(0, 0.005)}


def search(function=noisy, **given):
    options = {"space": SPACE, "sampler": "grid", "pruner": "none", "tracker": "none", "name": "s"}
    return run_search(function, **(options | {"overrides": ["launcher=inline", *given.pop("words", ())]} | given))


def test_the_answer_quotes_fresh_seeds_and_says_by_which_seed_the_point_was_chosen(folder):
    outcome = search()
    assert outcome.best.params == {"lr": 0.3} and outcome.best.n == 3
    assert sorted(params["lr"] for params in outcome.as_good) == [0.2, 0.4]
    assert outcome.answer.startswith("lr = 0.3 has the highest valid/acc over 3 fresh seeds: 0.9")
    assert "it was chosen by seed 0, as one of the best of 6 points, at 0." in outcome.answer
    assert "; of the 5 so trained " in outcome.answer and "may be as good" in outcome.answer
    readme = (folder / "studies" / "s" / "README.md").read_text()
    assert outcome.answer in readme and "Over fresh seeds:" in readme
    assert "The best of seed 0, lr = 0.6, was chosen at 1.0" in readme and "too good" in readme
    page = (folder / "studies" / "s" / "report.html").read_text()
    assert "Best valid/acc over 3 fresh seeds" in page and "One seed per point" not in page


def test_the_table_tells_the_trials_of_fresh_seeds_and_each_can_be_trained_again():
    search()
    trials = load_trials("s")
    fresh = trials[trials["purpose"] == "confirm"]
    assert len(trials) == 21 and sorted(set(fresh["seed"])) == [1000, 1001, 1002]
    assert replay("s/2/1001", noisy).same


def test_the_report_is_the_same_when_it_is_written_again(folder):
    search()
    readme = folder / "studies" / "s" / "README.md"
    before = readme.read_text()
    readme.unlink()
    assert run(["report", "s"]) == 0
    assert readme.read_text() == before
    again = search()
    assert again.already_complete and again.best.n == 3


def test_the_list_names_the_mean_over_fresh_seeds(capsys):
    search()
    assert run(["list"]) == 0
    assert "(3 trials) at lr=0.3; 2 others may be as good" in capsys.readouterr().out


def test_a_search_can_be_confirmed_later_and_with_more_seeds():
    assert search(words=["study.confirm=0"]).best.n == 1
    assert search().best.n == 3
    assert search(words=["study.confirm=5"]).best.n == 5


def test_without_budget_for_it_the_page_says_so():
    outcome = search(words=["budget.epochs=18", "study.confirm=7"])
    assert outcome.best.n == 1 and len(load_trials("s")) == 5
    (line,) = [line for line in caveats(find(table_of("s")).summary, {}) if "not trained over fresh seeds" in line]
    assert line.startswith("Its best points were not trained over fresh seeds (study.confirm = 7): budget.epochs = 18")


def test_an_objective_of_optuna_is_given_what_it_asked_for():
    def objective(trial):
        x = trial.suggest_float("x", -1, 1)
        kind = trial.suggest_categorical("kind", ["a", "b"])
        return (x - 0.5) ** 2 + (kind == "a") + random.random() * 1e-3

    outcome = run_search(
        objective, direction="minimize", points=6, tracker="none", overrides=["launcher=inline"], name="o"
    )
    assert outcome.best.n == 3 and outcome.exit_code == 0
    trials = load_trials("o")
    assert trials.groupby("point")["args.x"].nunique().max() == 1


def test_with_a_pruner_that_lets_points_wait_only_complete_ones_are_trained_again():
    outcome = search(pruner="auto", sampler="tpe", points=12, space={"lr": "interval(0, 1)"})
    trials = load_trials("s")
    fresh = trials[trials["purpose"] == "confirm"]
    searched = trials[trials["purpose"].isna()].set_index("point")["state"]
    assert len(fresh) and set(searched[fresh["point"].unique()]) == {"COMPLETE"}
    assert outcome.best.n == 3 and set(trials["state"]) <= {"COMPLETE", "PRUNED"}


def test_two_searches_are_compared_over_the_fresh_seeds_that_both_have():
    search(name="one")
    search(lambda lr, seed: next(noisy(lr, seed))["valid/acc"] - 0.1 - 0.001 * (seed % 3), name="two")
    assert "one is better than two" in (said := str(compare("one", "two")))
    assert said.count("(n = 3)") == 2 and "paired over 3 seeds" in said


def test_a_tracking_store_has_the_same(folder):
    outcome = search(tracker="mlflow", space={"lr": "choice(0.1, 0.3)"}, words=["study.confirm=2"])
    table = table_from_mlflow(None, "s")
    assert answer(find(table).summary) == outcome.answer
    assert (table.trials["purpose"] == "confirm").sum() == 4
