"""Variables of the environment and passwords: used where trials train, and in no file and no command."""

import os
import re
import shlex

import pytest

from hpsearch import replay, run_study, run_trial
from hpsearch.base.environment import as_recorded
from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.types import TrialState
from hpsearch.config.compose import compose
from hpsearch.progress.display import Silent
from hpsearch.search.pruners import PruneRule
from hpsearch.study.folder import STUDY_FILE, read_yaml
from hpsearch.tracking.events import read_trials
from hpsearch.tracking.mlflow import MlflowTracker
from tests.support.data_files import write_table

SECRET, RATE, STORE = "hush-hush", "0.0703125", "sqlite:///quiet.db"
TABLE = ("data=table", "data.path=${oc.env:PLACE}/a.csv", "data.target=kind", "data.drop=[id,price,colour]")
WORDS = ("launcher=inline", "trainer.epochs=1", "trainer.device=cpu", "model=softmax")
LEARNED = "optimizer.lr='${oc.decode:${oc.env:RATE}}'"
SEARCH = ("+study=search", "study.name=rates", "sampler=grid", "space.data.batch_size=choice(16, 32)", "pruner=none")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / SECRET).mkdir()
    write_table(tmp_path / SECRET / "a.csv")
    monkeypatch.setattr(MlflowTracker, "open", lambda _self, _folder: None)  # what it sends is made of the event files
    monkeypatch.setattr(MlflowTracker, "flush", lambda _self, _timeout_sec: True)
    for name, value in {"PLACE": str(tmp_path / SECRET), "RATE": RATE, "STORE": STORE}.items():
        monkeypatch.setenv(name, value)
    return tmp_path


class Lines(Silent):
    def __init__(self):
        self.said = []

    def line(self, text):
        self.said.append(text)


def search(*words, lines=None):
    return run_study([*SEARCH, *TABLE, *WORDS, LEARNED, *(words or ["tracker=none"])], observer=lines or Lines())


def written(folder):
    """Everything that a run left, files of the user and the curves' measured rates left out."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "a.csv"}


def test_a_value_of_the_environment_stands_in_no_file_and_no_command(project):
    outcome = run_trial([*TABLE, *WORDS, "tracker.uri=${oc.env:STORE}"], observer=Lines())
    assert outcome.state is TrialState.COMPLETE
    found = search()
    commands = (outcome.replay_command, outcome.check_command, outcome.ui_command, found.replay_command)
    for value in (SECRET, "quiet.db"):
        assert not [path for path, content in written(project).items() if value.encode() in content]
        assert not any(value in command for command in commands)
    assert shlex.split(outcome.ui_command)[-1] == "tracker.uri=${oc.env:STORE}"
    assert "data.path='${oc.env:PLACE}/a.csv'" in shlex.split(outcome.replay_command)
    config = read_yaml(found.folder / STUDY_FILE)["config"]
    assert config["optimizer"]["lr"] == LEARNED.split("=")[1].strip("'")
    assert all(RATE not in str(record.config) for record in read_trials(found.folder))


def test_a_resumed_search_knows_how_long_points_train_whose_epochs_are_of_the_environment(project, monkeypatch):
    monkeypatch.setenv("EPOCHS", "3")
    epochs, opened = [], PruneRule.opened

    def noted(rule, point, curve=None, known=None, *more):
        epochs.append((curve is not None, known))
        opened(rule, point, curve, known, *more)

    words = ["tracker=none", "pruner=auto", "trainer.epochs='${oc.decode:${oc.env:EPOCHS}}'"]
    search(*words)
    monkeypatch.setattr(PruneRule, "opened", noted)
    search(*words)
    assert [known for on_record, known in epochs if on_record] == [3, 3]


def test_the_printed_command_works_where_the_variable_is_set_and_names_it_where_it_is_not(project, monkeypatch):
    found = search()
    words = shlex.split(found.replay_command)[3:]
    again = run_trial([*words, "launcher=inline", "tracker=none"], observer=Lines())
    assert again.metrics["lr"] == float(RATE)
    given = [word for word in shlex.split(found.check_command)[6:]]
    assert {word.partition("=")[0] for word in given} == {"data.path", "optimizer.lr"}, found.check_command
    assert replay("rates/0/0", overrides=["launcher=inline", *given], observer=Lines()).same
    with pytest.raises(ConfigError, match=r"data.path = .*: is looked up for no record; give the value"):
        replay("rates/0/0", overrides=["launcher=inline"], observer=Lines())
    with pytest.raises(ConfigError, match=r"trainer.epochs=2: the record holds trainer.epochs"):
        replay("rates/0/0", overrides=["launcher=inline", *given, "trainer.epochs=2"], observer=Lines())
    monkeypatch.delenv("RATE")
    missing = "optimizer.lr = .*oc.env:RATE.*: the environment variable RATE is not set"
    with pytest.raises(ConfigError, match=missing):
        run_trial([*words, "launcher=inline", "tracker=none"], observer=Lines())
    with pytest.raises(ConfigError, match=missing):
        replay("rates/0/0", overrides=["launcher=inline", *given], observer=Lines())


def test_another_value_is_another_study_and_another_place_of_the_same_data_is_not(project, monkeypatch):
    first = search()
    (project / SECRET).rename(project / "moved")
    monkeypatch.setenv("PLACE", str(project / "moved"))
    assert search().already_complete
    monkeypatch.setenv("RATE", "0.2")
    with pytest.raises(StorageError, match=r"from_environment.optimizer.lr: 'digest \w{4}' -> 'digest \w{4}'\)"):
        search()
    monkeypatch.setenv("RATE", RATE)
    rows = (project / "moved" / "a.csv").read_text().splitlines()
    (project / "moved" / "a.csv").write_text("\n".join(rows[:-1]) + "\n")
    lines = Lines()
    search(lines=lines)
    assert any("the data changed" in line for line in lines.said) and len(read_trials(first.folder)) == 2


def test_a_failure_quotes_the_variable(project, monkeypatch):
    def raises(*_):
        raise RuntimeError(f"cannot write {os.environ['PLACE']}")

    monkeypatch.setattr("hpsearch.trial.loop.train", raises)
    outcome = run_trial([*TABLE, *WORDS, "tracker=none"], observer=Lines())
    assert outcome.state is TrialState.FAILED
    (record,) = read_trials(outcome.folder.parents[1])
    assert "cannot write ${oc.env:PLACE}" in record.reason and SECRET not in record.traceback


def test_a_password_stands_in_no_file_and_no_command(project):
    address = f"postgresql://me:{SECRET}@127.0.0.1:1/db?password={SECRET}"
    composition = compose([f"tracker.uri='{address}'", "+study=search", "space.optimizer.lr=choice(0.1)"])
    shown = "tracker.uri='postgresql://me:***@127.0.0.1:1/db?password=***'"
    assert shown in shlex.split(composition.command) and shown in shlex.split(composition.about("sync"))
    search(f"tracker.uri='http://me:{SECRET}@127.0.0.1:1'")
    assert not [path for path, content in written(project).items() if SECRET.encode() in content]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (f"http://me:{SECRET}@host/a.csv", "http://me:***@host/a.csv"),
        (f"https://{SECRET}@host/a.csv", "https://***@host/a.csv"),
        (f"http://host/a.csv?token={SECRET}", "http://host/a.csv?token=***"),
        (f"http://me:{SECRET}@${{oc.env:RATE}}/a.csv", "http://me:***@${oc.env:RATE}/a.csv"),
    ],
)
def test_a_password_in_plain_text_where_records_have_it_is_refused(project, address, shown):
    with pytest.raises(ConfigError, match=f"data.path = {re.escape(shown)}: the password would stand in"):
        compose(["data=table", f"data.path='{address}'", "data.target=kind"])


def test_a_reference_in_the_place_of_a_password_is_kept(project, monkeypatch):
    monkeypatch.setenv("PW", SECRET)
    config = as_recorded(compose([f"tracker.uri='http://{SECRET}:{SECRET}@${{oc.env:STORE}}'"]).config)
    assert config["tracker"]["uri"] == f"http://{SECRET}:***@${{oc.env:STORE}}"
    config = as_recorded(compose(["tracker.uri='http://me:${oc.env:PW}@host'"]).config)
    assert config["tracker"]["uri"] == "http://me:${oc.env:PW}@host"
