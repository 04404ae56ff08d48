"""The wheel carries everything: the configuration, the templates, the typing marker, the console script."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

NEW = "hpsearch/study/project"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = ["-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([sys.executable, *build, "-w", str(folder), str(ROOT)], check=True)
    (found,) = folder.glob("hpsearch-*.whl")
    return found


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Path:
    """The wheel unpacked where no checkout is near."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_every_option_is_in_it_once(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    options = {str(path.relative_to(ROOT)) for path in (ROOT / "conf").rglob("*.yaml")}
    assert {f"hpsearch/{name}" for name in options} <= set(names)
    assert "hpsearch/py.typed" in names
    assert not any(name.startswith(("tests/", "conf/", "studies/", "hpsearch/pages/")) for name in names)


def test_it_holds_the_new_project_and_what_hydra_looks_for(site):
    files = sorted(path for path in (ROOT / NEW).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    assert len(files) > 5
    for file in files:
        assert (site / file.relative_to(ROOT)).read_bytes() == file.read_bytes()
    sweeper = ROOT / "hpsearch" / "terminal" / "hydra_sweeper.py"
    assert (site / "hydra_plugins" / "hpsearch_sweeper.py").read_bytes() == sweeper.read_bytes()


ELSEWHERE = ("ray", "slurm", "postgres", "dashboard")
"""Extras for other machines."""


def test_what_is_imported_is_declared():
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"], *extras["test"], *extras["callbacks"], *extras["vision"]]
    lines += [line for extra in ELSEWHERE for line in extras[extra]]
    declared = {re.match(r"[\w-]+", each).group().replace("-", "_").lower() for each in lines}
    declared |= (
        {"xgboost", "pytorch_lightning", "hydra", "yaml", "sklearn", "PIL", "pynvml"}
        | set(sys.stdlib_module_names)
        | {"hpsearch"}
    )
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "hpsearch").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    assert {name.partition(".")[0] for name in imported} <= declared


def test_an_extra_brings_what_something_uses():
    assert set(PROJECT["optional-dependencies"]) == {"test", "dev", "gpu", "callbacks", "vision", *ELSEWHERE}


@pytest.mark.long  # as `.ci/package` does
def test_the_main_job_runs_from_it_in_another_folder(site, tmp_path):
    words = [
        "+study=lr_sweep",
        "study.seeds=1",
        "study.confirm=0",
        "trainer.epochs=2",
        "space.optimizer.lr=choice(0.01, 0.1)",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "hpsearch", *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mlflow.db").exists()
    assert str(ROOT) not in done.stdout
    (report,) = tmp_path.glob("studies/*/report.html")
    assert report.stat().st_size > 1_000_000


def test_the_console_script_is_the_same_thing(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert "hpsearch = hpsearch.__main__:main" in archive.read(entry).decode()


def test_help_loads_no_heavy_library(site, tmp_path):
    code = (
        "import sys, hpsearch.cli; hpsearch.cli.run(['--help']);"
        "print([m for m in ('torch', 'optuna', 'mlflow', 'pandas', 'plotly', 'hydra', 'scipy') if m in sys.modules])"
    )
    env = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "lr_sweep" in done.stdout
