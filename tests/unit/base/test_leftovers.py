"""What killed processes leave goes, and nothing else does."""

import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from hpsearch.base import leftovers
from hpsearch.base.files import replace_text
from hpsearch.base.leftovers import Leftover, remove, remove_lock, sweep, sweep_once, temporary_folder, temporary_path
from hpsearch.base.owners import this_process

DEAD, ELSEWHERE = replace(this_process(), started=1), replace(this_process(), place="0" * 8)


def made(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def there(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_what_dead_processes_of_this_machine_left_is_removed_and_nothing_else(tmp_path):
    dead = [f"study.yaml.{DEAD}.new", f"trials/0/last.pt.{DEAD}.new", f"mlflow.db.{DEAD}.new-journal"]
    kept = [f"study.yaml.{this_process()}.new", f"study.yaml.{ELSEWHERE}.new", "x.tmp", "x.new", "x.12.new"]
    kept += [f"{DEAD}.new", f"x.{DEAD}.newer", f"x.{DEAD}", f"x.{DEAD}-1.new", "mlflow.db-journal"]
    made(tmp_path, *dead, *kept, f"hpsearch-a.{DEAD}.new/worker-0.log")
    removed = remove(leftovers.leftovers(tmp_path, deep=True))
    assert there(tmp_path) == sorted(kept)
    assert sorted(removed) == sorted(tmp_path / name for name in [*dead, f"hpsearch-a.{DEAD}.new"])


def test_folders_are_looked_into_where_that_is_asked_for(tmp_path):
    made(tmp_path, f"a/x.{DEAD}.new", f"y.{DEAD}.new")
    assert [*leftovers.leftovers(tmp_path)] == [Leftover(tmp_path / f"y.{DEAD}.new", True)]
    made(tmp_path, f"z.{ELSEWHERE}.new")
    found = {each.path.name: each.is_ours for each in leftovers.leftovers(tmp_path, deep=True)}
    assert found == {f"x.{DEAD}.new": True, f"y.{DEAD}.new": True, f"z.{ELSEWHERE}.new": None}


def test_folders_in_one_another_by_the_thousand_are_looked_into(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1500):
        Path("d").mkdir()
        os.chdir("d")
    Path(f"x.{DEAD}.new").touch()
    removed = remove(leftovers.leftovers(tmp_path, deep=True))
    for _ in range(1500):  # pytest's own removal of it goes too deep
        os.chdir("..")
        Path("d").rmdir()
    assert [path.name for path in removed] == [f"x.{DEAD}.new"]


def test_links_are_neither_followed_nor_removed(tmp_path):
    made(tmp_path, f"outside/x.{DEAD}.new", "outside/precious", f"in/hpsearch-a.{DEAD}.new/file")
    inside = tmp_path / "in"
    (inside / "folder").symlink_to(tmp_path / "outside")
    (inside / f"hpsearch-b.{DEAD}.new").symlink_to(tmp_path / "outside")
    (inside / f"hpsearch-a.{DEAD}.new" / "link").symlink_to(tmp_path / "outside")
    assert remove(leftovers.leftovers(inside, deep=True)) == [inside / f"hpsearch-a.{DEAD}.new"]
    assert there(tmp_path / "outside") == ["precious", f"x.{DEAD}.new"]
    assert (inside / f"hpsearch-b.{DEAD}.new").is_symlink()


def test_another_users_are_left(tmp_path, monkeypatch):
    made(tmp_path, f"x.{DEAD}.new")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert [*leftovers.leftovers(tmp_path)] == []


def test_what_is_no_file_or_folder_is_left(tmp_path):
    os.mkfifo(tmp_path / f"x.{DEAD}.new")
    assert [*leftovers.leftovers(tmp_path)] == []


def test_a_folder_that_is_not_there_holds_none(tmp_path):
    made(tmp_path, "file")
    assert [*leftovers.leftovers(tmp_path / "none", deep=True), *leftovers.leftovers(tmp_path / "file")] == []


KILLED = """
import os, sys, tempfile
from pathlib import Path
from hpsearch.base import platform
from hpsearch.base.files import replace_text, replacement
from hpsearch.base.leftovers import temporary_folder

def die(*_):
    os.kill(os.getpid(), 9)

def writing(path):
    with replacement(path) as temporary:
        temporary.write_text("half")
        die()

def renaming(path):
    platform.replace = die
    replace_text(path, "whole")

def among_temporaries(path):
    folder = temporary_folder()
    Path(folder.name, "worker-0.log").write_text("x")
    die()

def in_a_folder(path):
    with temporary_folder(path.parent) as folder:
        Path(folder, "x").mkdir()
        die()

points = [in_a_folder, writing, renaming, among_temporaries]
for number, point in enumerate(points):
    child = os.fork()
    if not child:
        point(Path(sys.argv[1]) / f"{number}.txt")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
"""


def test_wherever_a_command_is_killed_the_next_one_leaves_nothing(tmp_path, monkeypatch):
    study, temporaries = tmp_path / "study", tmp_path / "tmp"
    study.mkdir()
    temporaries.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporaries)}
    subprocess.run([sys.executable, "-c", KILLED, study], check=True, env=environment, cwd=Path(__file__).parents[3])
    assert len([*study.iterdir()]) == 3 and len([*temporaries.iterdir()]) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(temporaries))
    sweep(study)
    assert [*study.iterdir(), *temporaries.iterdir()] == []


def test_a_temporary_folder_is_private_and_gone_in_the_end_and_those_of_the_dead_before(tmp_path):
    made(tmp_path, f"hpsearch-a.{DEAD}.new/file")
    with temporary_folder(tmp_path) as folder:
        assert [str(path) for path in tmp_path.iterdir()] == [folder]
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        assert [*leftovers.leftovers(tmp_path)] == []
    assert [*tmp_path.iterdir()] == []


def test_a_folder_is_swept_once_by_each_process(tmp_path):
    sweep_once(tmp_path)
    made(tmp_path, f"x.{DEAD}.new")
    sweep_once(tmp_path)
    assert there(tmp_path) == [f"x.{DEAD}.new"]


def test_two_commands_may_clean_at_once(tmp_path):
    names = [f"{number}.{DEAD}.new" for number in range(100)]
    made(tmp_path, *names, *(f"hpsearch-{number}.{DEAD}.new/x/y" for number in range(20)))
    found, start, removed = [*leftovers.leftovers(tmp_path)], threading.Barrier(3), []

    def clean():
        start.wait()
        removed.extend(remove(found))

    threads = [threading.Thread(target=clean) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [*tmp_path.iterdir()] == [] and {path.name for path in removed} >= set(names)


@pytest.mark.parametrize("name", ["a" * 255, "ü" * 127, "日" * 85])
def test_the_longest_names_have_temporary_ones(tmp_path, name):
    assert replace_text(tmp_path / name, "x").read_text() == "x"
    assert temporary_path(tmp_path / name) != temporary_path(tmp_path / "b")


def test_a_lock_that_nobody_holds_is_removed(tmp_path):
    lock = tmp_path / "mlflow.db.lock"
    assert not remove_lock(lock)
    with FileLock(lock):
        assert not remove_lock(lock) and lock.exists()
    assert remove_lock(lock) and not lock.exists()
    (tmp_path / "precious").write_text("x")
    lock.symlink_to(tmp_path / "precious")
    assert not remove_lock(lock) and lock.is_symlink() and (tmp_path / "precious").read_text() == "x"
