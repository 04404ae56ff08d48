"""`hpsearch new` writes a project whose own commands run as it stands."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from hpsearch import load_trials
from hpsearch.cli import run
from hpsearch.study import new

SMALL = ["launcher=inline", "tracker=none"]
WORDS = {"+study=my_sweep": [*SMALL, "budget.points=2", "study.confirm=0"], "replay": SMALL, "list": []}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_pkg"]:
        del sys.modules[name]


@pytest.mark.slow
def test_the_commands_of_its_page_run_in_it(folder, monkeypatch, capsys):
    assert run(["new", "mine"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "  cd mine && python -m hpsearch --config-dir my_conf +study=my_sweep"
    written = {str(path.relative_to(folder)) for path in Path("mine").absolute().rglob("*") if path.is_file()}
    assert {*printed[:-2]} == written >= {"mine/README.md", "mine/my_conf/plugins.yaml", "mine/my_pkg/model.py"}
    monkeypatch.chdir("mine")
    monkeypatch.syspath_prepend(Path.cwd())
    blocks = re.findall(r"```sh\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 5 and lines.pop() == "python -m hpsearch ui"
    for line in lines:
        words = shlex.split(line)[3:]
        more = next((more for word, more in WORDS.items() if word in words), SMALL)
        assert run([*words, *more]) == 0, capsys.readouterr().err
    assert load_trials("single")["state"].tolist() == ["COMPLETE"]
    trials = load_trials("my_sweep")
    assert trials["state"].tolist() == ["COMPLETE"] * 2
    assert trials["model.width"].isin([4, 16, 64]).all() and trials["optimizer.lr"].between(1e-3, 1).all()
    assert "my_sweep/0/0  trained again: the same curve" in capsys.readouterr().out


def test_in_an_empty_working_folder_it_needs_no_further_step(folder, capsys):
    assert run(["new", "."]) == 0 and (folder / "my_pkg" / "data.py").is_file()
    assert capsys.readouterr().out.endswith("\n  python -m hpsearch --config-dir my_conf +study=my_sweep\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "new my_project: holds notes.txt already, and must be empty or not there"),
        (["."], "new .: holds my_project already, and must be empty or not there"),
        (["my_project/notes.txt"], "new my_project/notes.txt: cannot be written: Not a directory"),
        (["a", "b"], "`python -m hpsearch new a b`: unexpected b (usage: python -m hpsearch new [FOLDER])"),
    ],
)
def test_nothing_is_written_over(words, line, folder, capsys):
    Path("my_project").mkdir()
    Path("my_project", "notes.txt").write_text("mine")
    assert run(["new", *words]) == 2
    assert capsys.readouterr().err == f"hpsearch: {line}\n"
    assert [path.name for path in folder.rglob("*")] == ["my_project", "notes.txt"]


def test_what_an_installer_compiled_is_not_part_of_it(folder, monkeypatch):
    files = folder / "project"
    for name in ("my_pkg/data.py", "my_pkg/__pycache__/data.cpython-311.pyc"):
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_bytes(b"x")
    monkeypatch.setattr(new, "_FILES", files)
    assert [str(path) for path in new.write_project("to")] == ["to/my_pkg/data.py"]
