"""What a worker is given, and trials found on record."""

import shlex
from pathlib import Path

import pytest

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.types import TrialId
from hpsearch.config.compose import compose
from hpsearch.study.specs import WEIGHTS, find_source, find_trial, make_spec
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake


@pytest.fixture
def their_conf(tmp_path) -> Path:
    folder = tmp_path / "my conf"
    (folder / "optimizer").mkdir(parents=True)
    (folder / "optimizer" / "mine.yaml").write_text("_target_: torch.optim.SGD\n_partial_: true\nlr: 0.3\n")
    (folder / "plugins.yaml").write_text("plugins: [my_package]\n")
    return folder


def test_a_specs_command_composes_its_configuration_again(tmp_path, their_conf):
    composition = compose(["optimizer=mine", "trainer.epochs=3"], [their_conf])
    spec = make_spec(composition, tmp_path / "single", 4, {"optimizer.lr": 0.7}, 5, 0)
    assert (spec.id, spec.study, spec.folder) == (TrialId(4, 5), "single", str(tmp_path / "single/trials/4-5-0"))
    words = shlex.split(shlex.join(spec.overrides))
    assert words[:2] == ["--config-dir", str(their_conf)]
    again = compose(words[2:], [words[1]])
    assert again.trial({}, 5).config == spec.config
    assert again.trial({}, 5).key == spec.key


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the study `s`, which has the trial 1/2."""
    monkeypatch.chdir(tmp_path)
    record = Record(tmp_path / "studies" / "s")
    fake.open_study(record)
    fake.train(record, fake.spec(record.folder, 1, 2))
    record.close()
    return tmp_path


def test_a_trial_is_found_by_its_name(folder):
    study, trial = find_trial("s/1/2", None)
    assert (study, trial.id) == ("s", TrialId(1, 2))
    assert find_trial("s/1/2/0", None)[1].id == trial.id


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        ("s", ConfigError, "must be an MLflow run id, or STUDY/POINT/SEED"),
        ("s/1/3", StorageError, r"study 's' has no trial 1/3 \(it has: 1/2\)"),
        ("t/1/2", StorageError, "no study 't'"),
    ],
)
def test_what_is_not_there_is_said(folder, run, error, message):
    with pytest.raises(error, match=message):
        find_trial(run, None)


def source(**options):
    return find_source({"finetune": options}, None)


def test_weights_are_a_file_or_those_of_a_trial(folder):
    assert source(mode="none", source="s/1/2") is None and source(mode="all") is None
    assert source(mode="all", source="a/b.safetensors") == str(folder / "a/b.safetensors")
    with pytest.raises(StorageError, match="the trial has no weights"):
        source(mode="all", source="s/1/2")
    weights = folder / "studies" / "s" / "trials" / "1-2-0" / WEIGHTS
    weights.parent.mkdir(parents=True, exist_ok=True)
    weights.touch()
    assert source(mode="all", source="s/1/2") == str(weights)
    with pytest.raises(ConfigError, match="it is no file, and as an earlier trial: no study 't'"):
        source(mode="all", source="t/1/2")
