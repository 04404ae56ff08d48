"""What a recipe is refused for, and what its words may be."""

import pytest

from hpsearch.base.errors import HpsearchError
from hpsearch.config.compose import compose
from hpsearch.progress.display import Silent
from hpsearch.study.recipe import run_recipe
from hpsearch.study.recipe_checks import check_words


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
