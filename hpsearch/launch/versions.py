"""Whether two machines train by the same code."""

import hashlib
import platform
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

from hpsearch.base.lookup import HOME


@dataclass(frozen=True, slots=True)
class Facts:
    """What must be the same on every machine, and which one it is.

    Attributes:
        node: what the machine is called.
        versions: of what trains, by its name.
    """

    node: str
    versions: dict[str, str]

    def unlike(self, other: "Facts") -> str:
        """Return what another machine has of another version, as a text; empty where nothing is."""
        pairs = [(name, self.versions.get(name), version) for name, version in other.versions.items()]
        return ", ".join(f"{name} {theirs} (here {ours})" for name, ours, theirs in pairs if ours != theirs)


def facts(node: str) -> Facts:
    """Return those of this machine."""
    versions = {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "torch": _version("torch"),
        "hpsearch": f"{_version('hpsearch')} with the sources {sources()}",
    }
    return Facts(node, versions)


def _version(name: str) -> str:
    """Return the version of a package, without what it was built for."""
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return "none"


@cache
def sources() -> str:
    """Return a digest of the source of this package."""
    digest = hashlib.sha256()
    for path in sorted(Path(HOME).rglob("*.py")):
        digest.update(path.relative_to(HOME).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]
