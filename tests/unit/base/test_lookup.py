"""A file in the working folder is never taken for a library, and a user's own module is still found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpsearch.base import lookup
from hpsearch.base.errors import ConfigError
from hpsearch.config.limits import OWN

ROOT = Path(__file__).resolve().parents[3]
CANARIES = ("argparse", "json", "mlflow", "optuna", "pandas", "psutil", "random", "re", "torch", "typing", "yaml")
"""Modules that are not loaded when Python reaches our first line, some of ours to come and some of Python's own."""
ENTRIES = {
    "module": ["-m", "hpsearch"],
    "safe path": ["-P", "-m", "hpsearch"],
    "console script": ["-P", "-c", "import sys; from hpsearch.__main__ import main; sys.exit(main())"],
}


def canary(folder, name):
    (folder / f"{name}.py").write_text(f"open({str(folder / f'{name}.ran')!r}, 'w').close()\nraise ImportError\n")


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = tmp_path / "a folder's name"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def installed(tmp_path, monkeypatch):
    folder = tmp_path / "installed"
    (folder / "their_net").mkdir(parents=True)
    (folder / "their_net" / "__init__.py").touch()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    return folder


@pytest.mark.parametrize("entry", ENTRIES)
def test_libraries_are_not_taken_from_the_working_folder_under_any_entry(here, entry):
    for name in CANARIES:
        canary(here, name)
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": ""}
    done = subprocess.run(
        [sys.executable, *ENTRIES[entry], "--help"], env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, [path.name for path in here.glob("*.ran")]) == (0, []), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("hpsearch: argparse.py, json.py, mlflow.py,") and "and 3 more" in line


@pytest.mark.parametrize("spelt", ["", ".", "absolute", "link"])
def test_the_working_folder_stands_last_under_every_name(here, monkeypatch, spelt):
    (here.parent / "link").symlink_to(here)
    entry = {"absolute": str(here), "link": str(here.parent / "link")}.get(spelt, spelt)
    monkeypatch.setattr(sys, "path", [entry, "/one", entry, "/two"])
    lookup.settle()
    assert sys.path == ["/one", "/two", str(here)]
    lookup.settle()
    assert sys.path == ["/one", "/two", str(here)]


def test_only_what_hides_behind_a_library_is_named(here, installed):
    for name in ("psutil.py", "their_net.py", "my_model.py", "hpsearch.py", "notes.txt", "not-a-name.py"):
        (here / name).touch()
    for name, file in {"yaml": "__init__.py", "torch": "model.txt", "my_pkg": "__init__.py"}.items():
        (here / name).mkdir()
        (here / name / file).touch()
    assert lookup.shadows() == ["psutil.py", "their_net.py", "yaml/"]


def test_a_plugin_that_is_found_twice_is_refused_with_both_files(here, installed):
    OWN["plugins"]("plugins", ["their_net"])
    (here / "their_net.py").touch()
    (here / "mine.py").touch()
    OWN["plugins"]("plugins", ["mine"])
    with pytest.raises(ConfigError) as refused:
        OWN["plugins"]("plugins", ["mine", "their_net.models"])
    assert str(installed / "their_net" / "__init__.py") in str(refused.value)
    assert str(here / "their_net.py") in str(refused.value)


def test_a_plugin_that_is_installed_from_the_working_folder_is_found_once(here, installed):
    (here / "linked").symlink_to(installed / "their_net")
    (installed / "linked").symlink_to(installed / "their_net")
    OWN["plugins"]("plugins", ["linked"])


def test_a_program_of_ours_does_not_look_into_the_working_folder(here, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", "/libraries", str(here)]))
    safe = lookup.safe_environment()
    assert (safe["PYTHONSAFEPATH"], safe["PYTHONPATH"]) == ("1", "/libraries")


def test_this_package_is_imported_from_where_it_is_whatever_the_path_says(here):
    canary(here, "hpsearch")
    text = f"import sys; sys.path.insert(0, ''); {lookup.from_home()} import hpsearch.base.lookup as it; print(it.HOME)"
    done = subprocess.run([sys.executable, "-S", "-c", text], capture_output=True, text=True, check=True, env={})
    assert Path(done.stdout.strip()) == ROOT / "hpsearch" and not list(here.glob("*.ran"))
