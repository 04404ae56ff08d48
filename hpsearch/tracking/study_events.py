"""What a study recorded of itself, read from its own event file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hpsearch.base.journal import Event, read_lines
from hpsearch.tracking.events import STUDY


def fold_study(events: Iterable[Event], study: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what a study recorded of itself: the newest value of each field.

    Args:
        events: lines of its own file.
        study: what earlier lines said; it is updated.

    Returns:
        The fields of ``open`` lines, the ranges of ``space`` as they were widened since; ``created`` (time of the
        first one), ``uid``, and the newest ``best`` and ``state`` (none after a new ``open``) as dictionaries of their
        own; ``extensions``, the list of the widenings, if any; ``stages``, what those of a recipe found, by name.
    """
    study = {} if study is None else study
    for event in events:
        fields = {name: value for name, value in event.items() if name != "event"}
        match event["event"]:
            case "created":
                study["uid"] = fields["uid"]
            case "open":
                time = fields.pop("time")
                study.setdefault("created", time)
                study.update(fields)
                study.pop("state", None)
                study["space"] = _extended(study.get("space"), study.get("extensions", []))
            case "extended":
                study["extensions"] = [*study.get("extensions", []), fields]
                study["space"] = _extended(study.get("space"), [fields])
            case "stage":
                study["stages"] = {**study.get("stages", {}), fields["name"]: fields}
            case "best" | "state":
                study[event["event"]] = fields
    return study


def _extended(space: Mapping[str, str] | None, extensions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return a space with the ranges that were widened since."""
    return {**(space or {}), **{each["name"]: each["expression"] for each in extensions}}


def read_study(folder: Path) -> dict[str, Any]:
    """Read what a study recorded of itself; empty when there is no record."""
    return fold_study(read_lines(folder / "events" / f"{STUDY}.jsonl")[0])
