"""A study over folds: a point is trained once per seed and fold, and its score is their mean."""

import pytest

from hpsearch import load_trials, run_study
from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.config.compose import compose
from hpsearch.study.plan import plan_search

STUDY = ("+study=lr_sweep", "study.name=folds", "launcher=inline", "tracker=none", "trainer.device=cpu")
SMALL = ("space.optimizer.lr=choice(0.01, 0.1)", "data.train_size=80", "trainer.epochs=1", "model.hidden=[8]")
FOLDS = ("data.folds=3", "study.seeds=2")


def test_every_point_is_trained_once_per_seed_and_fold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = (*STUDY, *SMALL, *FOLDS, "augment=[flip,crop]")
    outcome = run_study(words)
    trials = load_trials("folds")
    replicates = trials.groupby("point")[["seed", "fold"]].apply(lambda t: sorted(map(tuple, t.to_numpy().tolist())))
    assert replicates.tolist() == 2 * [[(seed, fold) for seed in range(2) for fold in range(3)]]
    means = trials.groupby("point")["score"].mean()
    assert outcome.best.mean == pytest.approx(means.max()) and outcome.best.n == 6
    digests = trials.groupby("fold")["data.digest"].unique()
    assert [len(each) for each in digests] == [1, 1, 1] and trials["data.digest"].nunique() == 3
    assert trials.loc[trials["fold"] == 2, "command"].str.contains("fold=2").all()
    pictures = sorted(path.parent.name.partition("-")[0] for path in (tmp_path / "studies").rglob("augmented.png"))
    assert pictures == ["0", "1"]
    assert run_study(words).already_complete


def test_folds_are_planned():
    assert plan_search(compose((*STUDY, *FOLDS))).plan.folds == (0, 1, 2)
    assert plan_search(compose(STUDY)).plan.folds == (0,)


def test_what_cannot_be_planned():
    with pytest.raises(ConfigError, match=r"fold = 1: a study trains every fold of data\.folds"):
        plan_search(compose((*STUDY, "data.folds=3", "fold=1")))
    with pytest.raises(SpaceError, match=r"data\.folds cannot be searched: folds are replicates"):
        compose((*STUDY, "space.data.folds=choice(2, 3)"))
    with pytest.raises(ConfigError, match=r"data\.folds = 1: must be a whole number >= 2"):
        compose((*STUDY, "data.folds=1"))
