"""The explicit list of what options of ours build, by dotted path."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from hpsearch.base.keys import RUN_TIME
from hpsearch.config.groups import CONF
from hpsearch.config.limits import known_targets

_COMMENT = re.compile(r"#.*")
_PATH = re.compile(r"_target_: *([\w.]+\.\w+)")


@cache
def listed() -> frozenset[str]:
    """Return the targets that the files of our options name, and those that our tables of limits have rules for."""
    return known_targets().union(_named(CONF.rglob("*.yaml")))


@cache
def recordable() -> frozenset[str]:
    """Return those of them that a record may name: none that says where something runs or is kept."""
    return listed() - frozenset(_named(file for group in RUN_TIME for file in (CONF / group).glob("*.yaml")))


def _named(files: Iterable[Path]) -> list[str]:
    return [path for file in files for path in _PATH.findall(_COMMENT.sub("", file.read_text(encoding="utf-8")))]
