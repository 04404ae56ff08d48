"""Every row of the list of what must be configurable composes, builds, trains two steps and can be searched."""

import re

import pandas as pd
import pytest
import safetensors.torch
import torch

from hpsearch import run_study
from hpsearch.base.grammar import value_text
from hpsearch.base.keys import NOT_SEARCHED
from hpsearch.base.types import TrialState
from hpsearch.config.compose import compose
from hpsearch.config.groups import CONF, describe_groups
from hpsearch.models.mlp import MLP
from hpsearch.search.space import Space
from hpsearch.study.option_files import read_option
from hpsearch.study.plan import plan_search
from hpsearch.trial.build import prepare
from hpsearch.trial.loop import train
from tests.support.coverage_rows import ROWS
from tests.support.jobs import drive
from tests.support.vision import install

GROUPS = ("model", "init", "optimizer", "scheduler", "regularizer", "loss", "metric", "data", "augment", "finetune")
SMALL = {
    "data.train_size": "64",
    "data.batch_size": "32",
    "data.valid_fraction": "0.05",
    "trainer.epochs": "2",
    "trainer.eval_initial": "false",
    "trainer.device": "cpu",
    "storage": "memory",
    "tracker": "none",
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Weights of the default model on the default data."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "best.safetensors"
    safetensors.torch.save_file(MLP((1, 8, 8), 10).state_dict(), path)
    return str(path)


def key_of(word):
    return re.split(r"=", word.lstrip("+~"), maxsplit=1)[0]


def searched(row):
    """The key that the row's space varies."""
    return re.sub(r"^space(\[[^\]]*\])*\.", "", key_of(row.space)) if row.space else None


def words_of(row, checkpoint):
    """Overrides of a study that searches the row's space, on little data; what it searches is not fixed."""
    own = [word.replace("CHECKPOINT", checkpoint) for word in row.words if key_of(word) != searched(row)]
    given = {key_of(word) for word in own} | {searched(row)}
    small = [f"{key}={value}" for key, value in SMALL.items() if key not in given]
    return ("+study=lr_sweep", "~space", row.space or "space.optimizer.lr=choice(0.01, 0.02)", *small, *own)


def is_that_of(row, point):
    """Whether a point of the row's space has the value that the row's own words give."""
    key = searched(row)
    given = [word.partition("=")[2].replace(" ", "") for word in row.words if key_of(word) == key]
    return given == [value_text(point[key]).replace(" ", "")] if given and key in point else False


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.section} {row.name}")
def test_a_row_trains_two_steps_and_can_be_searched(row, checkpoint, tmp_path, monkeypatch):
    if {"model=torchvision", "model=timm"} & set(row.words):
        install(monkeypatch, tmp_path / "cache")
    search = plan_search(compose(words_of(row, checkpoint)))
    points = [search.space.active(point) for point in search.space.grid(2)]
    filled = search.composition.trial(next((point for point in points if is_that_of(row, point)), points[0]), 0)
    assert not row.space or all(searched(row) in point for point in points)
    job = prepare(filled.config, filled.key, tmp_path)
    messages, result = drive(train(job))
    assert result.state is TrialState.COMPLETE, result.reason
    assert messages[-1].step >= (2 if job.epochs else 0)


def test_there_is_no_row_twice():
    names = [(row.section, row.name) for row in ROWS]
    assert len(set(names)) == len(names)
    assert {row.section for row in ROWS} == set(range(1, 9))


def selected():
    """Options by group that the rows' words select."""
    found = {group: set() for group in GROUPS}
    for row in ROWS:
        for word in row.words:
            group, _, value = word.lstrip("+").partition("=")
            if group in found:
                found[group] |= set(value.strip("[]").replace(" ", "").split(","))
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_has_a_row_and_every_row_an_option(group):
    options = {file.stem for file in (CONF / group).glob("*.yaml")}
    rows = selected()[group]
    assert not options - rows, f"conf/{group} has options without a row in tests/coverage_rows.py"
    assert not rows - options, f"rows of tests/coverage_rows.py name options that conf/{group} does not have"


ELSEWHERE = {
    "trainer": "tests/integration/own_code",
    "sampler": "tests/unit/search",
    "pruner": "tests/unit/search",
    "objective": "tests/unit/search",
    "launcher": "tests/contracts",
    "tracker": "tests/contracts",
    "storage": "tests/unit/search",
    "stage": "tests/unit/study/stages",
    "study": "tests/unit/study",
}
"""Groups that are no part of a trial's training, and where their options are tried."""


def test_every_group_is_walked_or_tried_elsewhere():
    assert {*describe_groups()} == {*GROUPS, *ELSEWHERE}


def groups_of_keys():
    """Groups whose keys are searched; in a short run those with few keys."""
    short = ("augment", "init", "loss")
    groups = sorted({*GROUPS} - {"data", "metric"})
    return [pytest.param(group, marks=[] if group in short else [pytest.mark.long]) for group in groups]


@pytest.mark.parametrize("group", groups_of_keys())
def test_every_key_of_every_option_can_be_searched_by_its_name(group):
    """Of whatever options there are: all keys of an option in one space, each at its default.

    Of data and metrics many keys decide what points are compared on, and are refused with that reason.
    """
    for option in describe_groups()[group]:
        keys = [each for each in read_option(group, option).keys if each.value not in ("", "???")]
        keys = [each for each in keys if not ({each.key, group} & NOT_SEARCHED.keys()) and "_target_" not in each.key]
        words = [f"space.{each.key}=choice({each.value})" for each in keys]
        composition = compose(["+study=lr_sweep", "~space", f"{group}={option}", *words])
        assert len(composition.space) == len(words)
        composition.check_space(Space.parse(composition.space, composition.where).ends())


@pytest.mark.parametrize("group", ["sampler", "pruner"])
def test_a_search_is_planned_with_every_sampler_and_pruner(group):
    for option in describe_groups()[group]:
        points = ["sampler.points=[{optimizer.lr: 0.1}]"] if option == "manual" else []
        points = ["~space", "space.optimizer.lr=choice(0.1, 0.2)"] if option == "brute_force" else points
        points = ["space.optimizer.weight_decay=interval(0, 1)"] if option == "cmaes" else points
        search = plan_search(compose(["+study=lr_sweep", "budget.points=5", f"{group}={option}", *points]))
        assert search.space.parameters


def walked():
    """All rows that vary something; in a short run an optimizer and a regularizer."""
    short = [{row.section: row for row in reversed(ROWS) if row.space}[section] for section in (3, 5)]
    return [
        pytest.param(row, id=f"{row.section} {row.name}", marks=[] if row in short else [pytest.mark.long])
        for row in ROWS
        if row.space
    ]


@pytest.mark.parametrize("row", walked())
def test_a_row_is_searched_and_its_report_says_what_was_varied(row, checkpoint, tmp_path, monkeypatch):
    if {"model=torchvision", "model=timm"} & set(row.words):
        install(monkeypatch, tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    given = [word for word in words_of(row, checkpoint) if not word.startswith(("storage=", "trainer.epochs="))]
    more = ("trainer.epochs=1", "study.seeds=1", "study.confirm=0", "study.name=row", "launcher=inline")
    outcome = run_study([*given, *more, *(("budget.points=2",) if "interval(" in row.space else ())])
    assert outcome.exit_code == 0
    text = (tmp_path / "studies" / "row" / "README.md").read_text(encoding="utf-8")
    assert searched(row) in text
    trials = pd.read_csv(tmp_path / "studies" / "row" / "trials.csv")
    assert {"COMPLETE"} == {*trials["state"].str.upper()}
    (column,) = [name for name in trials.columns if name.removeprefix("params.") == searched(row)]
    assert trials[column].nunique(dropna=False) >= 2
