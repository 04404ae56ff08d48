"""Which versions are installed, and which of them are known not to work together."""

import platform
import sqlite3
import sys
from collections.abc import Iterator

from hpsearch.base.installed import own_requirements, own_version, version_of
from hpsearch.study.doctor.findings import Finding, note, ok, problem
from hpsearch.tracking.mlflow_internals import WRITTEN_FOR

SHOWN = ("torch", "optuna", "mlflow", "hydra-core", "omegaconf")
SQLITE = (3, 35)
"""Rows are written with ``ON CONFLICT ... DO UPDATE`` behind a ``SELECT``, which older ones do not know."""
_PARTS_OF_MLFLOW = ("mlflow-skinny", "mlflow-tracing")


def versions() -> Iterator[Finding]:
    """Yield the versions, and what is wrong with them."""
    known = [f"{name} {version_of(name) or 'missing'}" for name in SHOWN]
    shown = [f"python {platform.python_version()}", f"hpsearch {own_version()}", *known]
    yield ok("versions", ", ".join([*shown, f"sqlite {sqlite3.sqlite_version}"]))
    yield from _unmet()
    yield from _pairs()


def _unmet() -> Iterator[Finding]:
    """Yield what is missing, or of a version that hpsearch was not made for."""
    from packaging.requirements import Requirement

    for each in map(Requirement, own_requirements()):
        if each.marker is not None and not each.marker.evaluate({"extra": ""}):
            continue
        found = version_of(each.name)
        if found is None or not each.specifier.contains(found, prereleases=True):
            there = f"{each.name} {found} is installed" if found else f"{each.name} is not installed"
            bounds = f"hpsearch needs {each.name}{each.specifier}"
            yield problem("versions", f"{there}; {bounds}", f"pip install '{each.name}{each.specifier}'")


def _pairs() -> Iterator[Finding]:
    """Yield versions that are known not to work together, or to be slower."""
    torch, vision, mlflow = map(version_of, ("torch", "torchvision", "mlflow"))
    if torch and vision and _build(torch) != _build(vision):
        yield note(
            "versions",
            f"torchvision {vision} is another build than torch {torch}; importing it may fail, and torchmetrics and "
            "timm with it",
            "pip uninstall torchvision, or install the build of torch's index",
        )
    for part in _PARTS_OF_MLFLOW:
        if mlflow and (found := version_of(part)) not in (None, mlflow):
            yield problem("versions", f"mlflow {mlflow} with {part} {found}", f"pip install {part}=={mlflow}")
    if mlflow and not mlflow.startswith(f"{WRITTEN_FOR}."):
        yield note("versions", f"mlflow {mlflow} writes runs itself, at ten times the time of {WRITTEN_FOR}")
    if version_of("hydra-optuna-sweeper"):
        said = "hydra-optuna-sweeper needs optuna below 3; hpsearch has a sweeper of its own"
        yield note("versions", said, "pip uninstall hydra-optuna-sweeper")
    if sqlite3.sqlite_version_info < SQLITE:
        needed = ".".join(map(str, SQLITE))
        yield problem("versions", f"sqlite {sqlite3.sqlite_version} is older than {needed}", "install a newer Python")
    if sys.version_info >= (3, 14):
        yield note("versions", "applications of hydra.main do not start on Python 3.14; hpsearch does")


def _build(version: str) -> str:
    """Return which build a version is of: ``cpu``, ``cu126``; empty for that of the package index."""
    return version.partition("+")[2]
