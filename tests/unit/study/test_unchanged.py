import os
import time

import pytest

from hpsearch.study import unchanged
from hpsearch.study.unchanged import STAMP, is_unchanged, is_whole, stamp


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "lr_sweep"
    for name in ("events/0-0-0.jsonl", "trials/0-0-0/layers.json", "report.html", "README.md", "score.svg", "lock"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    stamp(folder)
    return folder


def test_a_report_that_was_just_written_is_unchanged(study):
    assert is_unchanged(study)
    assert (study / STAMP).is_file()


def test_a_study_without_a_stamp_or_without_a_folder_is_none(tmp_path, study):
    (study / STAMP).unlink()
    assert not is_unchanged(study)
    assert not is_unchanged(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["events/0-0-0.jsonl", "trials/0-0-0/layers.json", "report.html", "README.md"])
@pytest.mark.parametrize("how", ["longer", "later", "gone"])
def test_a_change_of_the_record_or_of_the_pages_is_seen(study, name, how):
    path = study / name
    if how == "longer":
        path.write_text("more than it was before")
    elif how == "later":
        os.utime(path, (time.time() + 5,) * 2)
    else:
        path.unlink()
    assert not is_unchanged(study)


def test_a_new_trial_is_seen(study):
    (study / "events/1-0-0.jsonl").write_text("")
    assert not is_unchanged(study)


def test_a_change_of_a_stage_is_seen(study):
    stage = study.with_name("lr_sweep.coarse")
    stage.mkdir()
    assert is_unchanged(study)
    (stage / "study.yaml").write_text("study: {}")
    assert not is_unchanged(study)
    (study.with_name("other") / "events").mkdir(parents=True)
    stamp(study)
    (study.with_name("other") / "events/0-0-0.jsonl").write_text("of another study")
    assert is_unchanged(study)


@pytest.mark.parametrize("name", ["lock", "owner.json", "tracking/sent.json", "print.html", "tables.tex"])
def test_what_no_report_shows_does_not_matter(study, name):
    (study / name).parent.mkdir(exist_ok=True)
    (study / name).write_text("something else")
    assert is_unchanged(study)


def test_other_code_writes_another_report(study, tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    (tmp_path / "package/page.html.j2").write_text("<html>")
    monkeypatch.setattr(unchanged, "_PACKAGE", tmp_path / "package")
    assert not is_unchanged(study)
    stamp(study)
    assert is_unchanged(study)
    (tmp_path / "package/page.html.j2").write_text("<html lang=en>")
    assert not is_unchanged(study)


@pytest.mark.parametrize("name", ["events/0-0-0.jsonl", "report.html", "README.md", "score.svg", STAMP])
def test_a_report_is_whole_as_long_as_its_trials_and_all_of_its_files_are_there(study, name):
    (study / "events/study.jsonl").write_text("looked at")
    assert is_whole(study)
    (study / name).unlink()
    assert not is_whole(study)


def test_an_older_file_of_a_report_is_another_one(study):
    os.utime(study / "README.md", (1.0, 1.0))
    assert not is_whole(study)
