"""The folder of a study: found by name, described, moved aside."""

import pytest
import yaml

from hpsearch.base.errors import StorageError
from hpsearch.config.compose import compose
from hpsearch.study.folder import (
    STUDY_FILE,
    description,
    keep_description,
    move_aside,
    read_yaml,
    restore_description,
    single_lock,
    study_folder,
)
from hpsearch.tracking.record import Record


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


WORDS = ("+study=lr_sweep", "study.name=s")
SPACE = {"optimizer.lr": "choice(0.1, 0.2)"}


@pytest.mark.parametrize(
    ("word", "space", "change"),
    [
        ("launcher.workers=3", SPACE, None),
        ("tracker=none", SPACE, None),
        ("budget.points=3", SPACE, None),
        ("study.restart=true", SPACE, None),
        ("study.question=Why?", SPACE, None),
        ("study.confirm=0", SPACE, None),
        ("objective.margin=0.01", SPACE, None),
        ("seed=0", SPACE, None),
        ("trainer.epochs=7", SPACE, "trainer.epochs"),
        ("study.seeds=9", SPACE, "study.seeds"),
        ("seed=0", {"optimizer.lr": "choice(0.1, 0.3)"}, "optimizer.lr"),
    ],
)
def test_a_study_goes_on_with_the_configuration_that_it_was_started_with(tmp_path, word, space, change):
    keep_description(tmp_path, description(compose(WORDS), SPACE))
    before = (tmp_path / STUDY_FILE).read_bytes()
    assert list(yaml.safe_load(before)) == ["format", "name", "question", "command", "space", "config"]
    again = description(compose([*WORDS, word]), space)
    if change is None:
        keep_description(tmp_path, again)
    else:
        with pytest.raises(StorageError, match=rf"started with another configuration \(.*{change}"):
            keep_description(tmp_path, again)
    assert (tmp_path / STUDY_FILE).read_bytes() == before


@pytest.mark.parametrize("content", ["- a list", "a: [", "\0"])
def test_a_damaged_description_is_one_line(tmp_path, content):
    (tmp_path / STUDY_FILE).write_text(content)
    with pytest.raises(StorageError, match="is damaged") as raised:
        keep_description(tmp_path, description(compose(WORDS), SPACE))
    assert "\n" not in str(raised.value)


def test_a_single_trial_beside_another_one_has_a_folder_of_its_own(tmp_path):
    with single_lock(tmp_path) as (first, _):
        with single_lock(tmp_path) as (second, _), single_lock(tmp_path) as (third, _):
            assert [folder.name for folder in (first, second, third)] == ["single", "single_2", "single_3"]
        with single_lock(tmp_path) as (again, _):
            assert again == second
    with single_lock(tmp_path) as (alone, _):
        assert alone == first


@pytest.mark.parametrize("there", [None, "", "a: [", "older"])
def test_a_description_that_is_lost_or_older_is_written_again_from_the_record(tmp_path, there):
    said = description(compose(WORDS), SPACE)
    file, record = tmp_path / STUDY_FILE, Record(tmp_path)
    record.study("open", 1.0, **said)
    record.close()
    keep_description(tmp_path, {**said, "uid": record.uid})
    whole = read_yaml(file)
    assert restore_description(tmp_path) == []
    if there is None:
        file.unlink()
    elif there == "older":
        file.unlink()
        keep_description(tmp_path, description(compose((*WORDS, "trainer.epochs=7")), SPACE))
    else:
        file.write_text(there)
    (line,) = restore_description(tmp_path)
    assert line == f"{file} was {'another one' if there == 'older' else 'lost'}: written again from the record"
    assert read_yaml(file) == whole and restore_description(tmp_path) == []


def test_without_a_record_a_description_stays_as_it_is(tmp_path):
    keep_description(tmp_path, description(compose(WORDS), SPACE))
    before = (tmp_path / STUDY_FILE).read_bytes()
    assert restore_description(tmp_path) == [] and (tmp_path / STUDY_FILE).read_bytes() == before
