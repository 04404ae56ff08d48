"""Whether two machines train by the same code."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = ("torch", "numpy")
_DIGITS = 12


@cache
def versions() -> dict[str, str]:
    """Return what this process trains by: Python, torch, numpy, and hpsearch by the contents of its files."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "hpsearch": _contents()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def other_versions(machine: str, theirs: Mapping[str, str]) -> str:
    """Return in a sentence what another machine has another version of, the empty string where it has the same.

    Args:
        machine: its name.
        theirs: of `versions` there.

    Returns:
        ``node7 has torch 2.10.0, the driver 2.11.0: ...``.
    """
    ours = versions()
    differ = [name for name in ours if theirs.get(name) != ours[name]]
    if not differ:
        return ""
    they = ", ".join(f"{name} {theirs.get(name)}" for name in differ)
    we = ", ".join(ours[name] for name in differ)
    return f"{machine} has {they}, the driver {we}: trials there would not be the same; use one environment for both"


def _contents() -> str:
    """Return the digest of the files of this package."""
    package, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:_DIGITS]
