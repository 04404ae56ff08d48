"""The kinds of faults by name."""

import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from tests.faults.harness.surroundings import SURROUNDINGS

if TYPE_CHECKING:
    from tests.faults.harness.run import Run

KINDS: dict[str, "Kind"] = {}


@dataclass(frozen=True)
class Kind:
    """What goes wrong, and where it can."""

    name: str
    inject: "Callable[[Run], None]"
    under: tuple[str, ...]
    ci: bool
    root: bool
    needs: tuple[str, ...]

    def missing(self) -> str:
        """Return why this machine cannot have this fault; empty if it can."""
        if self.root and not may_mount():
            return "needs root"
        return "".join(f"needs {program}" for program in self.needs if shutil.which(program) is None)


@cache
def may_mount() -> bool:
    """Return whether this user may mount file systems here; the root of a container may often not."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode == 0


def kind(
    name: str, *, under: Sequence[str], ci: bool = False, root: bool = False, needs: Sequence[str] = ()
) -> "Callable[[Callable[[Run], None]], Callable[[Run], None]]":
    """Register a function as a kind of fault; see `tests.faults.kinds`."""
    if name in KINDS or not set(under) <= set(SURROUNDINGS):
        raise ValueError(f"kind '{name}': known already, or under one of {sorted(set(under) - set(SURROUNDINGS))}")

    def register(inject: "Callable[[Run], None]") -> "Callable[[Run], None]":
        KINDS[name] = Kind(name, inject, tuple(under), ci, root, tuple(needs))
        return inject

    return register


def all_kinds() -> dict[str, Kind]:
    """Return every kind, by name, in the order of names."""
    package = importlib.import_module("tests.faults.kinds")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"tests.faults.kinds.{module.name}")
    return dict(sorted(KINDS.items()))
