"""A study that shells ask and tell: what it says of itself between two commands."""

import json
import shlex
from pathlib import Path

import pytest

from hpsearch import load_trials
from hpsearch.cli import run

ASK = ["ask", "mine", "sampler=random", "objective.metric=acc", "tracker=none"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shell(capsys):
    def say(*words, code=0):
        assert run(words) == code, capsys.readouterr().err
        printed = capsys.readouterr()
        return json.loads(printed.out, parse_constant=pytest.fail) if code == 0 else printed.err

    return say


def test_a_study_that_has_grown_says_the_command_of_its_space_and_may_grow_again(shell, capsys):
    shell(*ASK, "space.x=interval(0, 1)")
    shell(*ASK, "space.x=interval(0, 2)", "study.grow=mine")
    assert run(["report", "mine"]) == 0 and capsys.readouterr().out
    lines = Path("studies/mine/README.md").read_text().splitlines()
    again = shlex.split(next(line for line in lines if line.startswith("python -m hpsearch ask")))
    shell("tell", "mine", "0/0", "acc=0.5")
    assert shell(*again[3:])["trial"] == "2/0"
    assert shell(*ASK, "space.x=interval(0, 4)", "study.grow=mine")["trial"] == "3/0"
    assert load_trials("mine").state.tolist() == ["COMPLETE", "RUNNING", "RUNNING", "RUNNING"]


def test_a_study_that_has_grown_once_grows_no_further_unasked(shell):
    shell(*ASK, "space.x=interval(0, 1)")
    shell(*ASK, "space.x=interval(0, 2)", "study.grow=mine")
    assert "was started with another configuration" in shell(*ASK, "space.x=interval(0, 3)", code=2)
    assert shell("ask", "mine")["trial"] == "2/0"


def test_a_score_that_is_no_number_of_json_is_null(shell):
    shell(*ASK, "space.x=interval(0, 1)")
    told = {"trial": "0/0", "state": "INFEASIBLE", "score": None, "best": None}
    assert shell("tell", "mine", "0/0", "acc=nan") == told
