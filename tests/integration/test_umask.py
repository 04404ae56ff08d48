"""Files of a study: whoever may read them is for the umask to say."""

import os
import stat

import pytest

from hpsearch import run_search
from hpsearch.progress.display import Silent
from hpsearch.study.existing import rebuild_report, sync
from hpsearch.study.printed import export_tables, print_report


@pytest.fixture
def masked():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def modes(folder):
    """The modes of everything below a folder, of files and of folders."""
    found = {False: {}, True: {}}
    for path in folder.rglob("*"):
        found[path.is_dir()].setdefault(stat.S_IMODE(path.stat().st_mode), []).append(str(path.relative_to(folder)))
    return found[False], found[True]


def climb(lr):
    for _ in range(2):
        yield {"valid/acc": lr}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o007], ids=oct)
def test_every_file_of_a_study_has_the_mode_of_the_umask(tmp_path, monkeypatch, masked, umask):
    monkeypatch.chdir(tmp_path)
    masked(umask)
    run_search(
        climb, space={"lr": "choice(0.1, 0.2)"}, sampler="grid", overrides=["launcher=inline"], observer=Silent()
    )
    export_tables("climb")
    files, folders = modes(tmp_path)
    assert set(files) == {0o666 & ~umask} and set(folders) == {0o777 & ~umask}, (files, folders)


def test_what_is_written_again_or_copied_has_the_mode_of_now(tmp_path, monkeypatch, masked):
    monkeypatch.chdir(tmp_path)
    words = ["launcher=inline", "tracker=none"]
    run_search(climb, space={"lr": "choice(0.1, 0.2)"}, sampler="grid", overrides=words, observer=Silent())
    masked(0o077)
    sync("climb")
    rebuild_report("climb")  # which has not changed
    print_report("climb")
    written = ("studies/climb/report.html", "studies/climb/README.md", "studies/climb/trials.csv", "mlflow.db")
    assert all(stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600 for name in written)
    files, folders = modes(tmp_path / "mlartifacts")
    assert set(files) == {0o600} and set(folders) == {0o700}, files
