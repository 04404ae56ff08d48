"""The notebooks run from an empty folder, and are committed with what they show."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import hpsearch
from tests.support.notebooks import FOLDER, ROOT, names

KIB = 2**10
SHORT = ("01_first_study",)


@pytest.fixture(params=names())
def name(request):
    return request.param


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "words"),
    [*((name, ["--short"]) for name in SHORT), *(pytest.param(name, [], marks=pytest.mark.long) for name in names())],
    indirect=["name"],
)
def test_it_runs_and_shows_its_figures(name, words, tmp_path):
    command = [sys.executable, "-m", "tests.support.notebooks", name, "--into", str(tmp_path), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = code(nbformat.read(tmp_path / f"{name}.ipynb", as_version=4))
    shown = [output for cell in cells for output in cell.outputs]
    assert any("image/svg+xml" in output.get("data", {}) for output in shown)
    assert not [output for output in shown if output.output_type == "error" or output.get("name") == "stderr"]


def test_it_is_committed_with_outputs_small_and_without_the_writers_paths(name):
    path = FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < 300 * KIB
    cells = code(nbformat.read(path, as_version=4))
    assert all(cell.execution_count for cell in cells), "run python -m tests.support.notebooks"
    assert any("image/svg+xml" in output.get("data", {}) for cell in cells for output in cell.outputs)
    text = path.read_text()
    assert not [place for place in ("/tmp/", "/home/", str(Path.cwd()), str(Path.home())) if place in text]


def test_it_calls_and_defines_nothing(name):
    for cell in code(nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)):
        if not cell.source.startswith("%%writefile my_pkg/"):
            assert "def " not in cell.source and "class " not in cell.source and "lambda" not in cell.source


def test_it_uses_the_public_names_alone(name):
    for cell in code(nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)):
        if cell.source.startswith("%%writefile"):
            continue
        assert not re.search(r"hpsearch\.\w+ import|import hpsearch\.", cell.source)
        for imported in re.findall(r"from hpsearch import (.+)", cell.source):
            assert set(imported.split(", ")) <= set(hpsearch.__all__)
