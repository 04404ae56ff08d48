"""A study that an earlier version left, killed in its third trial, is read, gone on with and trained again."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from hpsearch import Silent, load_curves, load_trials, replay, run_study
from hpsearch.base.errors import StorageError
from hpsearch.base.formats import FORMAT, KEY, TAG
from hpsearch.cli import run
from hpsearch.search.storage import JournalStore
from hpsearch.study.folder import read_yaml
from hpsearch.tracking.events import read_study, read_trial
from hpsearch.tracking.query import studies
from hpsearch.trial.checkpoint import load_weights
from tests.golden.freeze_study import EXPECTED, NAME, WORDS, expected

FROZEN = Path(__file__).with_name("frozen_1")
CLOSE = 1e-4
"""Other processors round otherwise."""
HERE = ("launcher=inline", "tracker=none")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A copy of the study, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(FROZEN, tmp_path / "studies" / NAME))


def test_its_tables_are_what_they_were(study):
    assert expected() == json.loads((study / EXPECTED).read_text())


def test_it_is_listed(study):
    (found,) = studies(study.parent)
    assert (found.name, dict(found.counts), found.best.point) == (NAME, {"COMPLETE": 2, "RUNNING": 1}, 1)


def test_its_best_trial_is_trained_again_from_its_record(study):
    again = replay(f"{NAME}/1/0", overrides=HERE, observer=Silent())
    assert [report.epoch for report in again.again] == [0, 1, 2, 3]
    assert again.largest < CLOSE and all(line.startswith("epoch") for line in again.differences)


def test_the_same_command_goes_on_with_it_from_its_checkpoint(study):
    before, ended = load_curves(NAME).query("point == 2"), load_trials(NAME).query("state == 'COMPLETE'")
    outcome = run_study(WORDS, observer=Silent())
    trials, curves = load_trials(NAME), load_curves(NAME).query("point == 2")
    assert outcome.exit_code == 0 and trials["state"].tolist() == ["COMPLETE"] * 3
    assert trials["attempts"].tolist() == [1, 1, 2]
    lines = [json.loads(line) for line in (study / "events" / "2-0-0.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["event"] == "start"] == [None, 1], "from its checkpoint"
    assert trials["score"][:2].tolist() == ended["score"].tolist()
    kept = before.query("epoch <= 1").reset_index(drop=True)
    pd.testing.assert_frame_equal(curves[:2].reset_index(drop=True)[kept.columns], kept)
    assert curves["epoch"].tolist() == [0, 1, 2, 3]


@pytest.mark.slow
def test_its_report_is_written(study, capsys):
    assert run(["report", NAME]) == 0, capsys.readouterr()
    assert "0.1" in (study / "README.md").read_text() and (study / "report.html").is_file()


@pytest.mark.slow
def test_it_is_sent_to_a_store_and_read_from_there(study):
    assert run(["sync", NAME, "tracker=mlflow"]) == 0
    there = load_trials(NAME, uri="sqlite:///mlflow.db")
    assert there["score"].tolist()[:2] == load_trials(NAME)["score"].tolist()[:2]
    from mlflow import MlflowClient

    client = MlflowClient("sqlite:///mlflow.db")
    for run_id in there["run_id"]:
        assert client.get_run(run_id).data.tags[TAG] == str(FORMAT)
    client.set_tag(there["run_id"][0], TAG, str(FORMAT + 1))
    with pytest.raises(StorageError, match=rf"^run '\w+': is of format {FORMAT + 1}, .*: update hpsearch$"):
        load_trials(NAME, uri="sqlite:///mlflow.db")


def edit_line(path, change):
    """Change the first line of a file of JSON lines; the seal of the last one is none of it any more."""
    first, *rest = path.read_text().splitlines()
    event = json.loads(first)
    change(event)
    path.write_text("\n".join([json.dumps(event, separators=(",", ":")), *rest, ""]))


def edit_yaml(path, change):
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def edit_weights(path, change):
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    content = {KEY: int(metadata[TAG])}
    change(content)
    save_file(load_file(path), path, {**metadata, TAG: str(content[KEY])})


def edit_state(path, change):
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)


def edit_journal(path, change):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    attributes = next(line["user_attr"] for line in lines if TAG in line.get("user_attr", {}))
    content = {KEY: attributes[TAG]}
    change(content)
    attributes[TAG] = content[KEY]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


FILES = {
    "study.yaml": (edit_yaml, read_yaml),
    "events/study.jsonl": (edit_line, lambda path: read_study(path.parents[1])),
    "events/0-0-0.jsonl": (edit_line, read_trial),
    "optuna.journal": (edit_journal, lambda path: JournalStore().open(path.parent)),
    "trials/0-0-0/best.safetensors": (edit_weights, lambda path: load_weights(path, "", torch.nn.Linear(1, 1))),
    "trials/2-0-0/last.pt": (edit_state, lambda path: load_weights(path, "", torch.nn.Linear(1, 1))),
}


@pytest.mark.parametrize("name", FILES)
def test_every_file_says_its_format_and_one_of_a_newer_format_is_refused_in_one_line(name, study):
    edit, read = FILES[name]
    path, found = study / name, []
    edit(path, lambda content: found.append(content[KEY]))
    assert found == [1]
    edit(path, lambda content: content.update({KEY: FORMAT + 1}))
    with pytest.raises(StorageError) as refused:
        read(path)
    said = f"is of format {FORMAT + 1}, and this hpsearch reads formats up to {FORMAT}: update hpsearch"
    assert str(refused.value) == f"{path}: {said}"


@pytest.mark.parametrize("value", [-1, "one", True])
@pytest.mark.parametrize("name", FILES)
def test_no_number_of_a_format_is_refused_in_one_line(name, value, study):
    edit, read = FILES[name]
    edit(study / name, lambda content: content.update({KEY: value}))
    with pytest.raises(StorageError, match=rf"{Path(name).name}: format = .* is no format") as refused:
        read(study / name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["study.yaml", "events/study.jsonl", "events/0-0-0.jsonl", "optuna.journal"])
def test_a_newer_study_is_not_gone_on_with_and_stays_as_it_is(name, study, capsys):
    FILES[name][0](study / name, lambda content: content.update({KEY: FORMAT + 1}))
    before = (study / name).read_bytes()
    assert run(list(WORDS)) == 2
    said = capsys.readouterr().err
    assert said.count("update hpsearch") == 1 and "Traceback" not in said
    assert (study / name).read_bytes() == before
