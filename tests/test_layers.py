"""Imports go down only, without cycles, and each heavy library stays in its place."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "hpsearch"

NOUNS = {"models", "data", "nn", "optim", "schedules", "regularizers", "losses", "metrics"}
BELOW = {
    "base": set(),
    "statistics": set(),
    **{noun: {"base"} for noun in NOUNS},
    "models": {"base", "nn"},
    "config": {"base"},
    "launch": {"base"},
    "tracking": {"base"},
    "reports": {"base", "statistics"},
    "progress": {"base"},
    "search": {"base", "launch", "tracking"},
    "trial": {"base", "config"} | NOUNS,
    "study": {"base", "statistics", "config", "launch", "tracking", "reports", "progress", "search", "trial"},
    "terminal": {"base", "reports", "progress", "study"},
    "cli": {"base", "reports", "progress", "study", "terminal"},
    "__init__": {"base", "progress", "study"},
    "__main__": {"base", "cli", "launch"},
    "callbacks": {"base"},
}
"""The rooms that each room may import."""

CALLBACKS = ("lightning", "transformers", "keras", "skorch", "xgboost", "lightgbm")
ALLOWED = {
    "hydra": {"base.override_parser", "config", "search.expression", "cli", "terminal.hydra_sweeper"},
    "omegaconf": {"config", "cli", "terminal.hydra_sweeper"},
    "optuna": {"search", "study", "trial.optuna_trial"},
    "mlflow": {"tracking"},
    "psycopg": {"search.shared"},
    "ray": {"launch.ray"},
    "plotly": {"reports"},
    "matplotlib": {"reports"},
    "torch": NOUNS | {"trial", "study.show", "callbacks"},
    **{library: {f"callbacks.{library}", f"models.{library}"} for library in CALLBACKS},
    **{library: {f"models.{library}"} for library in ("torchvision", "timm", "huggingface_hub")},
}


@cache
def modules():
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text())
        for path in sorted(ROOT.rglob("*.py"))
        if not path.is_relative_to(ROOT / "study" / "project")  # what `hpsearch new` writes
    }


@cache
def imported(name):
    """Dotted names that a module imports, inside functions and for type checking too."""
    found = set()
    for node in ast.walk(modules()[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


def inner(dotted):
    """The module of ours that a dotted name means, or None."""
    parts = dotted.split(".")
    if parts[0] != "hpsearch":
        return None
    for end in range(len(parts), 1, -1):
        name = ".".join(parts[1:end])
        if name in modules():
            return name
        if f"{name}.__init__" in modules():
            return f"{name}.__init__"
    return None


@cache
def edges():
    return {name: {m for d in imported(name) if (m := inner(d)) and m != name} for name in modules()}


def test_imports_go_down_and_siblings_do_not_meet():
    rooms = {name.split(".")[0] for name in modules()}
    assert rooms <= BELOW.keys(), "a new room needs a row in BELOW"
    wrong = {
        (top, below): f"{name} imports {other}"
        for name in modules()
        for other in edges()[name]
        if (top := name.split(".")[0]) != (below := other.split(".")[0]) and below not in BELOW[top]
    }
    assert not wrong, wrong


def test_there_is_no_import_cycle():
    remaining = {name: set(others) for name, others in edges().items()}
    while leaves := {name for name, others in remaining.items() if not others & remaining.keys()}:
        for name in leaves:
            del remaining[name]
    assert not remaining, f"in or above a cycle: {sorted(remaining)}"


def test_the_subjects_of_reports_import_what_they_share_and_not_each_other():
    wrong = {
        (subject, below)
        for name in modules()
        for other in edges()[name]
        if name.startswith("reports.") and other.startswith("reports.")
        if (subject := name.split(".")[1]) != (below := other.split(".")[1])
        if below != "kit" and "__init__" not in (subject, below)
    }
    assert not wrong


@pytest.mark.parametrize("library", ALLOWED)
def test_heavy_libraries_stay_in_their_place(library):
    places = ALLOWED[library]
    for name in modules():
        if any(dotted.split(".")[0] == library for dotted in imported(name)):
            assert any(name == place or name.startswith(f"{place}.") for place in places), f"{name} imports {library}"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("hpsearch", "torch optuna mlflow plotly matplotlib ray pandas hydra"),
        ("hpsearch.cli", "torch optuna mlflow plotly matplotlib ray pandas"),
        ("hpsearch.study.search", "torch mlflow plotly matplotlib ray pandas"),
        ("hpsearch.study.existing", "torch optuna mlflow plotly matplotlib ray pandas numpy hydra omegaconf"),
        ("hpsearch.study.tables, hpsearch.study.writing", "torch optuna mlflow plotly matplotlib ray hydra omegaconf"),
        ("hpsearch.reports.summary.page", "torch optuna mlflow ray hydra omegaconf"),
        ("hpsearch.launch.worker", "optuna mlflow plotly matplotlib ray pandas hydra"),
    ],
)
def test_importing_a_module_loads_no_library_that_it_may_not_need(module, absent):
    code = f"import sys, {module}; print([m for m in {absent.split()!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=True)
    assert done.stdout.strip() == "[]"


def test_no_public_function_bears_the_name_of_a_room():
    rooms = {name.split(".")[0] for name in modules()}
    alone = ("__", "callbacks.")  # the latter import a library each
    names = sorted(name.removesuffix(".__init__") for name in modules() if not name.startswith(alone))
    code = f"""
import importlib, hpsearch
for name in {names!r}:
    try:
        importlib.import_module("hpsearch." + name)
    except ModuleNotFoundError as error:
        assert not error.name.startswith("hpsearch"), error
assert not set(hpsearch.__all__) & {rooms!r}
public = {{name: getattr(hpsearch, name) for name in hpsearch.__all__}}
print([name for name, value in public.items() if not callable(value) and not isinstance(value, str)])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT.parent, check=True)
    assert done.stdout.strip() == "[]"
