"""Why a trial trained again may differ from its record: conditions then and now, the likeliest first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpsearch.base.commands import is_program
from hpsearch.base.types import DATA
from hpsearch.base.widths import WIDTHS
from hpsearch.base.words import listed

LIBRARIES, PROCESSOR = ("numpy", "python", "hpsearch"), ("threads", "arithmetic")
ALONE = "none"
"""The fused widths of a trial that was trained with no other."""
OWN_SOURCE = "code"
"""What of an environment is the digest of hpsearch's own files."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that a result depends on.

    Attributes:
        subject: what it is.
        then: as the record has it; None where it does not.
        now: of the training again; None where that is not known.
    """

    subject: str
    then: str | None
    now: str | None

    @property
    def known(self) -> bool:
        """Whether both are."""
        return self.then is not None and self.now is not None

    @property
    def line(self) -> str:
        """What changed, in words."""
        return f"{self.subject}: {self.then} then, {self.now} now"


def conditions(
    then: Mapping[str, Any], now: Mapping[str, Any], before: Sequence[Mapping[str, Any]], here: Mapping[str, Any]
) -> list[Condition]:
    """Return what a result depends on, in the order in which it is blamed.

    Args:
        then: facts of the trial on record.
        now: facts of the training again.
        before: software and machine of the drivers that trained it, of the record; several where it was resumed.
        here: software and machine now.
    """
    facts = {name: (_text(then.get(name)), _text(now.get(name))) for name in ("torch", "device", *PROCESSOR)}
    drivers = {name: (_joined(before, name), _text(here.get(name))) for name in ("torch", *LIBRARIES)}
    path = [_text(each.get(WIDTHS)) or (ALONE if "torch" in each else None) for each in (then, now)]
    return [
        Condition("hpsearch's own code", _joined(before, OWN_SOURCE), _text(here.get(OWN_SOURCE))),
        Condition("digest of the data", *(_text(each.get("data.digest", each.get(DATA))) for each in (then, now))),
        Condition("torch", *(facts["torch"] if all(facts["torch"]) else drivers["torch"])),
        *(Condition(name, *drivers[name]) for name in LIBRARIES),
        Condition("device", *facts["device"]),
        *(Condition(name, *facts[name]) for name in PROCESSOR),
        Condition("fused widths", *path),
    ]


def reasons(known: Iterable[Condition], changed: str, config: Mapping[str, Any], on_gpu: bool) -> Iterator[str]:
    """Yield why a result may differ, the likeliest first; what is the same is not blamed.

    Args:
        known: the conditions.
        changed: what of the user's own code and of the data changed, in words; empty where nothing did.
        config: of the trial.
        on_gpu: whether it is trained on a GPU now.
    """
    if changed:
        yield changed
    said = "the data changed" in changed
    for each in known:
        if each.known and each.then != each.now and not (said and each.subject == "digest of the data"):
            yield each.line
    if on_gpu and not config.get("trainer", {}).get("deterministic"):
        yield "trainer.deterministic=false: a GPU does not take all sums in the same order"


def without_reason(known: Sequence[Condition], config: Mapping[str, Any], own: bool, first_step: bool) -> str:
    """Say that nothing on record explains a difference, what that leaves, and what nobody knows.

    Args:
        known: the conditions.
        config: of the trial.
        own: whether code of the user's own trained it.
        first_step: whether its first update differs already.

    Returns:
        A sentence.
    """
    same = listed([each.subject for each in known if each.known]) or "nothing that can be compared"
    if is_program(config):
        return f"none on record (the same: {same}); libraries, threads, device and draws of a program are not known"
    if own:
        return f"none on record (the same: {same}); what code of your own draws, reads and sets itself is not known"
    left = "initialization, the order of the data or the first forward pass" if first_step else "an update"
    return f"none on record (the same: {same}); what differs first is {left}"


def unknown(known: Iterable[Condition]) -> str:
    """Name the conditions that cannot be compared; empty where all can."""
    return ", ".join(each.subject for each in known if not each.known)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _joined(environments: Iterable[Mapping[str, Any]], name: str) -> str | None:
    """Return a value of environments, of several different ones all; None where one lacks it."""
    values = [environment.get(name) for environment in environments]
    return None if not values or None in values else " and ".join(dict.fromkeys(map(str, values)))
