"""What is installed, read from what installers wrote: nothing is imported for it."""

from pathlib import Path
from typing import Any

_NAME = "hpsearch"
_PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def version_of(package: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # takes longer than most that a command line asks

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def own_version() -> str:
    """Return the version of hpsearch, also of a clone that is not installed."""
    return version_of(_NAME) or str(_project()["version"])


def own_requirements() -> list[str]:
    """Return what hpsearch needs, as ``torch>=2.11,<3``; those of extras end in a marker."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        return list(requires(_NAME) or [])
    except PackageNotFoundError:
        return list(_project()["dependencies"])


def _project() -> dict[str, Any]:
    import tomllib

    project: dict[str, Any] = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
    return project
