"""What the stages of a recipe are given, and an ablation that is read and computed once."""

from types import SimpleNamespace

import pytest

from hpsearch.config.compose import compose
from hpsearch.progress.display import Silent
from hpsearch.study import recipe_context as module
from hpsearch.study.recipe_context import RecipeContext
from tests.support import synthetic

RECIPE = {"name": "r", "uid": "1"}


def context(*words, factorial=None, keep=None):
    return RecipeContext(compose(["+study=recipe", "study.name=r", *words]), None, Silent(), RECIPE, factorial, keep)


@pytest.fixture
def searches(monkeypatch, tmp_path):
    """Replaces the search of a stage; returns the compositions that were searched, and where each is kept."""
    monkeypatch.chdir(tmp_path)
    asked = []

    def search(composition, observer, launcher, recipe, kept):
        asked.append((composition, kept))
        return SimpleNamespace(interrupted=composition.study_name == "r.cut"), composition.study_name

    monkeypatch.setattr(module, "run_one_search", search)
    return asked


def test_a_stage_searches_its_space_under_the_name_of_the_recipe(searches):
    given = context("seed=4", "sampler.n_startup_trials=5", "sampler=tpe")
    assert given.search("fine", ["study.seeds=2", "seed=7"], {"optimizer.lr": "choice(1, 2)"}) == "r.fine"
    ((composition, kept),) = searches
    assert kept is None
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
    assert searches[0][0].config["study"]["restart"] is restart


def test_a_stage_that_has_lost_the_line_that_opened_it_goes_on(searches, monkeypatch):
    monkeypatch.setattr(module, "read_study", lambda folder: {"uid": "2"})
    context().search("fine", [], {"optimizer.lr": "choice(1, 2)"})
    assert searches[0][0].config["study"]["restart"] is False


def test_where_a_stage_is_kept_is_asked_with_the_words_and_the_space_that_its_study_is_made_of(searches):
    asked, space = [], {"optimizer.lr": "choice(1, 2)"}
    given = context(keep=lambda *stage: asked.append(stage) or "kept")
    given.search("fine", ["seed=7"], space)
    ((composition, kept),) = searches
    assert kept == "kept"
    ((name, words, there),) = asked
    assert (name, there) == ("r.fine", space)
    assert given.composition.of_stage(words, there).config == composition.config


def test_an_interrupted_search_interrupts_the_recipe(searches):
    with pytest.raises(KeyboardInterrupt):
        context().search("cut", [], {"optimizer.lr": "choice(1, 2)"})


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
