"""null is a value like any other: grown, told by another study, tried first, asked for and told."""

import pytest

import hpsearch
from hpsearch.base.types import TrialState

trained = []
OPTIONS = {"sampler": "grid", "pruner": "none", "tracker": "none", "overrides": ["launcher=inline"]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hpsearch.study.search.write_search_report", lambda _table, folder: folder / "report.html")
    trained.clear()


def train(clip=0.5, width=8):
    trained.append((clip, width))
    yield {"valid/acc": (0.9 if clip is None else 0.5 - clip / 10) + width / 1000}


def search(space, **given):
    return hpsearch.run_search(train, space=space, **(OPTIONS | given))


def test_a_study_with_null_grows_and_one_grows_into_null():
    search({"clip": "choice(null, 1)"}, name="s")
    assert trained == [(None, 8), (1, 8)]
    outcome = search({"clip": "choice(1, 2, null)", "width": "choice(8, 16)"}, name="s", grow="s")
    assert outcome.counts == {TrialState.COMPLETE: 6} and len(trained) == 6 and (None, 16) in trained
    assert outcome.best.params == {"clip": None, "width": 16}
    trained.clear()
    search({"clip": "choice(1, 2)"}, name="t")
    assert search({"clip": "choice(1, 2, null)"}, name="t", grow="t").best.params == {"clip": None}
    assert trained[2:] == [(None, 8)]


def test_points_with_null_are_told_by_another_study():
    search({"clip": "choice(null, 1)"}, name="s")
    given = {"points": 2, "sampler": "tpe", "overrides": ["launcher=inline", "sampler.prior=s"]}
    outcome = search({"clip": "choice(null, 1)"}, name="u", **given)
    assert outcome.best.params == {"clip": None} and {clip for clip, _ in trained[2:]} == {None, 1}


def test_null_is_tried_first_and_a_missing_key_is_its_default():
    first = [{"clip": None, "width": 16}, {"clip": 1, "width": 8}]
    space = {"clip": "choice(null, 1, 2)", "width": "choice(8, 16)"}
    search(space, name="s", points=3, sampler="random", first=first)
    assert trained[:2] == [(None, 16), (1, 8)]


def test_null_is_asked_for_told_and_replayed():
    with hpsearch.open_search(space={"clip": [None, 1]}, objective="acc", sampler="grid", name="o") as opened:
        while (trial := opened.ask()) is not None:
            opened.tell(trial, acc=0.9 if trial.params["clip"] is None else 0.5)
    assert opened.outcome.best.params == {"clip": None}
    trials = hpsearch.load_trials("o").sort_values("score")
    assert trials["args.clip"].isna().tolist() == [False, True] and trials.state.eq("COMPLETE").all()
    search({"clip": "choice(null, 1)"}, name="s")
    assert hpsearch.replay("s/0/0", train, overrides=["launcher=inline"]).same
