"""What two studies are called where they stand side by side: their names, or what differs in their set-up."""

from collections.abc import Sequence
from typing import Any

from hpsearch.base import words
from hpsearch.base.digits import Digits
from hpsearch.base.keys import UNNAMED
from hpsearch.base.labels import labels, shorten
from hpsearch.base.plain import ABSENT, Change, changes
from hpsearch.base.types import TrialTable
from hpsearch.reports.kit.tables import flat

LONG = 32
"""Characters of a name that is shown as it is."""
FEW = 2
"""Keys that are named where two studies with long names differ in no others."""
_OWN = ("name", "question", "restart")  # of every study, and no part of its set-up


def names_of(tables: Sequence[TrialTable]) -> tuple[str, str]:
    """Return what two studies are called, never alike.

    Args:
        tables: of the two studies.

    Returns:
        Their names, where these are short and differ; else what differs in their set-up, ``trainer.epochs 2`` and
        ``trainer.epochs 3``, where that is little; else their names cut where they are alike.
    """
    first, second = tables
    long = max(len(first.name), len(second.name)) > LONG
    moved = differing(first, second) if long or first.name == second.name else []
    named = [each for each in moved if ABSENT not in (each.old, each.new)]
    if 0 < len(moved) == len(named) <= FEW:
        told = (", ".join(f"{each.key} {shown(each)[side]}" for each in named) for side in (0, 1))
        one, other = labels([shorten(text, 2 * LONG) for text in told], 2 * LONG)
    else:
        one, other = labels([first.name, second.name], LONG)
    return one, other


def differing(first: TrialTable, second: TrialTable) -> list[Change]:
    """Return the keys whose values are not the same in two set-ups; where and how much they ran is left out."""
    return list(changes(_set_up(first), _set_up(second)))


def shown(change: Change) -> tuple[str, str]:
    """Write the old and the new value of a key so that they differ; a dash for one that is not there."""
    digits = Digits.of((change.old, change.new))
    old, new = ("–" if value is ABSENT else words.number(value, digits) for value in (change.old, change.new))
    return old, new


def _set_up(table: TrialTable) -> dict[str, Any]:
    config = {key: value for key, value in dict(table.study.get("config") or {}).items() if key not in UNNAMED}
    config["study"] = {key: value for key, value in dict(config.get("study") or {}).items() if key not in _OWN}
    searched = {f"searched: {key}": value for key, value in flat(dict(table.study.get("space") or {}))}
    return {**searched, **config, **({"code": ", ".join(codes)} if (codes := codes_of(table)) else {})}


def codes_of(table: TrialTable) -> list[str]:
    """Return the digests of the code of a user's own that trained a study, none where hpsearch's loop did."""
    return sorted(table.trials["code"].dropna().unique()) if "code" in table.trials else []
