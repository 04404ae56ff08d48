"""`hpsearch try` and `hpsearch skip`: beside a study that runs, and between two runs of it."""

import pandas as pd
import pytest

import hpsearch
from hpsearch.base.errors import HpsearchError
from hpsearch.base.types import TrialState
from hpsearch.cli import run
from hpsearch.study.by_hand import skip_point, try_point
from hpsearch.tracking.events import read_trials


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search(function, **given):
    options = {"points": 3, "sampler": "random", "pruner": "none", "tracker": "none", "name": "s", "seed": 1}
    given["overrides"] = ["launcher=inline", *given.get("overrides", ())]
    return hpsearch.run_search(function, space={"lr": "interval(0, 1)"}, **(options | given))


def test_a_running_study_is_asked_and_does_it():
    answers = []

    def train(lr, folder):
        for epoch in range(20):
            if folder.name.startswith("0-") and epoch == 1:
                answers.extend([skip_point("s/0"), try_point("s", ["lr=0.25"])])
            yield {"valid/acc": lr}
            if not folder.name.startswith("0-") and epoch == 1:
                return

    outcome = search(train)
    assert answers[0].startswith("the running study 's' is asked to give up point 0")
    assert answers[1].startswith("the running study 's' is asked to try ") and answers[1].endswith("lr=0.25")
    assert outcome.counts == {TrialState.COMPLETE: 2, TrialState.PRUNED: 1}
    assert 0.25 in [r.params[next(iter(r.params))] for r in read_trials(outcome.folder)]


def calm(lr):
    yield {"valid/acc": lr}


def test_between_two_runs_it_is_done_at_once(capsys):
    first = search(calm, points=2)
    assert run(["try", "s", "lr=0.25"]) == 0
    printed = capsys.readouterr().out
    assert "point 2 of study 's' will be trained, whatever its budget" in printed and "python -m hpsearch" in printed
    outcome = search(calm, points=2)
    assert outcome.counts == {TrialState.COMPLETE: 3} and first.counts == {TrialState.COMPLETE: 2}
    assert run(["try", "s", "lr=0.75"]) == 0 and run(["skip", "s/3"]) == 0
    assert "point 3 of study 's' is given up by hand" in capsys.readouterr().out
    assert search(calm, points=2).counts == {TrialState.COMPLETE: 3, TrialState.PRUNED: 1}
    rows = pd.read_csv(outcome.folder / "trials.csv").set_index("point")
    assert rows.loc[3, ["state", "reason", "args.lr"]].tolist() == ["PRUNED", "given up by hand", 0.75]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["skip", "s"], "'s': must be STUDY/POINT, such as lr_sweep/7"),
        (["skip", "s/0"], "point 0 of study 's' is not given up: it has ended"),
        (["skip", "s/7"], "point 7 is not given up: the study has 2 points so far"),
        (["skip", "t/0"], "no study 't'"),
        (["skip"], "STUDY/POINT is missing"),
        (["try", "s"], "lr is missing"),
        (["try", "s", "lr=2"], "lr = 2 is not in interval(0"),
        (["try", "s", "rate=2"], "rate is not searched"),
        (["try", "s", "lr=0.5", "lr=0.6"], "is given twice"),
        (["try", "s", "lr=choice(0.5, 0.6)"], "is a search expression"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(words, message, capsys):
    search(calm, points=2)
    capsys.readouterr()
    assert run(words) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_a_study_in_memory_cannot_be_asked_once_it_has_ended():
    search(calm, points=2, storage="memory")
    with pytest.raises(HpsearchError, match="study 's' cannot go on: it was searched with storage=memory"):
        try_point("s", ["lr=0.25"])
