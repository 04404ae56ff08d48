"""What a folder says of its studies: the record read plainly, the tables as a user reads them, the store's rows."""

import csv
import io
import json
import os
import sqlite3
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WHEN = {
    "started", "ended", "duration_sec", "attempts", "run_id", "failures", "failed_at", "repeated_epochs", "time",
    "fused_widths", "command", "reason",
}  # fmt: skip
"""Columns that say when, how often and beside whom: these may differ."""

ENDED = ("COMPLETE", "PRUNED", "INFEASIBLE")

Curve = dict[str, dict[str, Any]]
"""Metrics by epoch, times and rates left out."""


@dataclass
class Facts:
    """Trials by name, ``STUDY POINT-SEED-FOLD``."""

    recorded: dict[str, Curve] = field(default_factory=dict)
    """The curves of trials that have ended, by the record."""
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The table: what `load_trials` gives."""
    half_plain: dict[str, str] = field(default_factory=dict)
    """Trials that the plain loop trained, or went on with, in a study of groups, and how many were trained together in
    their epochs: it sums in another order. So are those whose worker had died twice, and one that is trained again
    alone."""
    curves: dict[str, Curve] = field(default_factory=dict)
    """What `load_curves` gives."""
    twice: list[str] = field(default_factory=list)
    """Rows of `load_trials`, of trials.csv, or epochs of a curve that are there more than once."""
    written: dict[str, set[str]] = field(default_factory=dict)
    """The rows of trials.csv, by study."""
    warned: list[str] = field(default_factory=list)
    """What was warned of as the tables were read."""
    runs: list[tuple[str, str, str]] = field(default_factory=list)
    """The store: trial (STUDY alone for a parent), status, state; superseded and deleted ones left out."""


def measured(name: str) -> bool:
    """Return whether a column is a measured time or size, or says when something was."""
    return name.endswith(("_sec", "_per_sec", "_mib")) or name in WHEN


def recorded(folder: Path) -> dict[str, Curve]:
    """Read the curves of ended trials from the events alone, a torn last line left out."""
    found = {}
    for file in sorted(folder.glob("studies/*/events/*-*-*.jsonl")):
        curve, state = _replayed(_events(file))
        if state in ENDED:
            found[f"{file.parents[1].name} {file.stem}"] = curve
    return found


def widths(folder: Path) -> dict[str, str]:
    """Read how many were trained together in the epochs of each trial, from the events alone."""
    found = {}
    for file in sorted(folder.glob("studies/*/events/*-*-*.jsonl")):
        told = [event["facts"] for event in _events(file) if "facts" in event]
        found[f"{file.parents[1].name} {file.stem}"] = str(told[-1].get("fused_widths", "")) if told else ""
    return found


def _events(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_bytes().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _replayed(events: Iterator[dict[str, Any]]) -> tuple[Curve, str]:
    curve: Curve = {}
    state = ""
    for event in events:
        if event["event"] == "start":
            curve = {epoch: row for epoch, row in curve.items() if float(epoch) <= (event["epoch"] or -1)}
        if event["event"] == "report":
            row = {name: value for name, value in event["metrics"].items() if not measured(name)}
            curve[str(event["epoch"])] = {"step": event["step"], **row}
        state = event.get("state", state)
    return curve, state


def facts(folder: Path) -> Facts:
    """Read everything that a folder says."""
    found = Facts(recorded(folder))
    with _inside(folder), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for study in sorted(Path("studies").glob("*/optuna.journal")):
            _read_tables(study.parent.name, found)
    found.warned += [str(warning.message) for warning in warned if warning.category is UserWarning]
    _read_store(folder / "mlflow.db", found)
    return found


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _read_tables(study: str, found: Facts) -> None:
    from hpsearch import load_curves, load_trials

    rows = load_trials(study).to_dict("records")
    found.rows.update({_name(study, row): _kept(row) for row in rows})
    found.half_plain |= {_name(study, row): one for row, one in _in_part_plain(rows)}
    found.twice += [f"{name} in load_trials" for name in _more_than_once([_name(study, row) for row in rows])]
    points = load_curves(study).to_dict("records")
    for row in points:
        found.curves.setdefault(_name(study, row), {})[str(row["epoch"])] = _kept(row)
    epochs = [f"{_name(study, row)} epoch {row['epoch']}" for row in points]
    found.twice += [f"{name} in load_curves" for name in _more_than_once(epochs)]
    _read_csv(study, found)


def _in_part_plain(rows: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    widths = [text if isinstance(text := row.get("fused_widths"), str) else "" for row in rows]
    yield from ((row, one) for row, one in zip(rows, widths, strict=True) if any(widths) and (not one or "*0" in one))


def _read_csv(study: str, found: Facts) -> None:
    file = Path("studies", study, "trials.csv")
    text = file.read_text() if file.exists() else ""
    names = [_name(study, row) for row in csv.DictReader(io.StringIO(text))]
    found.written[study] = set(names)
    found.twice += [f"{name} in trials.csv" for name in _more_than_once(names)]


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not measured(name)}


def _name(study: str, row: dict[str, Any]) -> str:
    return f"{study} {row['point']}-{row['seed']}-{row['fold']}"


def _more_than_once(names: list[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


STORED = """
select runs.status, runs.run_uuid, group_concat(tags.key || char(31) || tags.value, char(30)) from runs
join tags on tags.run_uuid = runs.run_uuid
where runs.lifecycle_stage = 'active' and tags.key in ('hpsearch.study', 'hpsearch.trial', 'state', 'superseded')
group by runs.run_uuid
"""


def _read_store(store: Path, found: Facts) -> None:
    if not store.exists():
        return
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        for status, _, text in connection.execute(STORED):
            tags = dict(tag.split("\x1f") for tag in text.split("\x1e"))
            if "superseded" not in tags:
                name = f"{tags['hpsearch.study']} {tags.get('hpsearch.trial', '')}".strip()
                found.runs.append((name, status, tags.get("state", "")))
