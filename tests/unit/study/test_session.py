"""What a run needs open: specs, the folder of a study, tables from the right place."""

import shlex
from pathlib import Path

import pytest

from hpsearch.base.errors import StorageError
from hpsearch.base.types import TrialId
from hpsearch.config.compose import compose
from hpsearch.study.folder import move_aside, read_yaml, study_folder, write_yaml
from hpsearch.study.specs import make_spec


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


def test_a_missing_study_is_named_with_the_nearest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies" / "lr_sweep" / "events").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"no study 'lr_swep' in .*, did you mean 'lr_sweep'\? .there are: lr_sweep"):
        study_folder("lr_swep")
    assert study_folder("lr_sweep").name == "lr_sweep"


def test_a_folder_moved_aside_is_whole(tmp_path):
    folder = tmp_path / "s"
    (folder / "events").mkdir(parents=True)
    moved = move_aside(folder)
    assert not folder.exists()
    assert (moved / "events").is_dir() and moved.name.startswith("s.2")


def test_yaml_is_read_as_it_was_written(tmp_path):
    content = {"b": 1e-05, "a": {"x": [1, "é", None, True]}, "text": "yes"}
    write_yaml(tmp_path / "s.yaml", content)
    assert read_yaml(tmp_path / "s.yaml") == content
    assert list(read_yaml(tmp_path / "s.yaml")) == ["b", "a", "text"]
    assert read_yaml(tmp_path / "none.yaml") == {}
