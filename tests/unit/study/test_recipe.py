"""What the stages of a recipe are given, and an ablation that is read and computed once."""

from types import SimpleNamespace

import pytest

from hpsearch.base.errors import HpsearchError
from hpsearch.config.compose import compose
from hpsearch.progress.display import Silent
from hpsearch.study import recipe as module
from hpsearch.study.recipe import RecipeContext, run_recipe
from hpsearch.study.recipe_checks import check_words
from tests.support import synthetic

RECIPE = {"name": "r", "uid": "1"}


def context(*words, factorial=None):
    return RecipeContext(compose(["+study=recipe", "study.name=r", *words]), None, Silent(), RECIPE, factorial)


@pytest.fixture
def searches(monkeypatch, tmp_path):
    """Replaces the search of a stage; returns the compositions that were searched."""
    monkeypatch.chdir(tmp_path)
    asked = []

    def search(composition, observer, launcher, recipe):
        asked.append(composition)
        return SimpleNamespace(interrupted=composition.study_name == "r.cut"), composition.study_name

    monkeypatch.setattr(module, "run_one_search", search)
    return asked


def test_a_stage_searches_its_space_under_the_name_of_the_recipe(searches):
    given = context("seed=4", "sampler.n_startup_trials=5", "sampler=tpe")
    assert given.search("fine", ["study.seeds=2", "seed=7"], {"optimizer.lr": "choice(1, 2)"}) == "r.fine"
    (composition,) = searches
    config = composition.config
    assert (composition.study_name, composition.space) == ("r.fine", {"optimizer.lr": "choice(1, 2)"})
    assert (config["seed"], config["study"]["seeds"], config["study"]["restart"]) == (7, 2, False)
    assert config["stages"] == {} and config["sampler"]["n_startup_trials"] == 5
    assert config["study"]["question"] == given.composition.config["study"]["question"]


@pytest.mark.parametrize(("within", "restart"), [(RECIPE, False), ({"name": "r", "uid": "0"}, True), (None, True)])
def test_a_stage_of_an_earlier_recipe_starts_over(searches, monkeypatch, within, restart):
    opened = {"uid": "2", "created": 1.0}
    monkeypatch.setattr(module, "read_study", lambda folder: {**opened, "within": within} if within else opened)
    context().search("fine", [], {"optimizer.lr": "choice(1, 2)"})
    assert searches[0].config["study"]["restart"] is restart


def test_a_stage_that_has_lost_the_line_that_opened_it_goes_on(searches, monkeypatch):
    monkeypatch.setattr(module, "read_study", lambda folder: {"uid": "2"})
    context().search("fine", [], {"optimizer.lr": "choice(1, 2)"})
    assert searches[0].config["study"]["restart"] is False


def test_an_interrupted_search_interrupts_the_recipe(searches):
    with pytest.raises(KeyboardInterrupt):
        context().search("cut", [], {"optimizer.lr": "choice(1, 2)"})


def test_what_holds_for_every_search_may_be_set_for_a_recipe():
    composition = compose((
        "+study=recipe",
        "budget.trial_seconds=5",
        "budget.silent_seconds=6",
        "budget.failures=null",
    ))
    check_words(composition, ablates=False)
    stage = composition.of_stage(["budget.points=3"], {"optimizer.lr": "choice(1, 2)"})
    budget = stage.config["budget"]
    assert (budget["trial_seconds"], budget["silent_seconds"], budget["failures"], budget["points"]) == (5, 6, None, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("stage=[overfit_small]",), "stages belong to a study: add"),
        (("+study=recipe", "sampler=grid"), "every stage brings its own sampler, pruner and budget"),
        (("+study=batch_momentum", "budget.points=3"), "see ablation.points, ablation.seeds and ablation.epochs"),
        (("+study=recipe", "stage=[confirm]"), "confirm needs "),
        (("+study=recipe", "space.optimizer.nonsense=choice(1, 2)"), "no such key"),
    ],
)
def test_a_recipe_that_cannot_run_is_refused_before_anything(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(HpsearchError, match=message):
        run_recipe(compose(words), Silent())
    assert list(tmp_path.iterdir()) == []


def test_an_ablation_is_computed_from_the_tables_of_this_run(monkeypatch):
    computed = []
    monkeypatch.setattr(module, "ablation_of", lambda arms, tuning: computed.append((arms, tuning)) or "found")
    monkeypatch.setattr(module, "table_of", lambda name: name)
    arms = synthetic.ablation()
    held, retuned = context(factorial=SimpleNamespace(retuned=False)), context(factorial=SimpleNamespace(retuned=True))
    assert held.ablation(arms) == retuned.ablation(arms) == "found"
    assert [tuning for _, tuning in computed] == [None, "r.tune"]
    retuned._tables["tune"] = "searched in this run"
    retuned.ablation(arms)
    assert computed[-1][1] == "searched in this run" and retuned.found == "found"
