"""What a campaign writes: one line per fault as it goes on, and a table of its kinds at the end."""

import importlib.metadata
import json
import platform
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from tests.faults.harness.fault import Verdict

PACKAGES = ("hpsearch", "torch", "optuna", "mlflow")


class Results:
    """The verdicts of a campaign in a file of JSON lines beside its table, so that an interrupted one goes on.

    Args:
        table: the table's file.
        plan: what tells this campaign from another one; results of another one are refused.
    """

    def __init__(self, table: Path, plan: Mapping[str, object]) -> None:
        self.table, self.plan, self.file = table, dict(plan), table.with_suffix(".jsonl")
        self.verdicts = self._read() if self.file.exists() else {}
        if not self.file.exists():
            self._append(self.plan)

    def _read(self) -> dict[int, Verdict]:
        whole = [line for line in self.file.read_text().splitlines(keepends=True) if line.endswith("}\n")]
        self.file.write_text("".join(whole))  # without a last line that was cut off
        first, *rows = map(json.loads, whole)
        if first != self.plan:
            sys.exit(f"campaign: {self.file} is of another campaign, {first}; remove it or name another --table")
        return {
            row["index"]: Verdict(**{**row, "failed": tuple(row["failed"]), "codes": tuple(row["codes"])})
            for row in rows
        }

    def add(self, verdict: Verdict) -> None:
        """Keep a verdict."""
        self.verdicts[verdict.index] = verdict
        self._append(asdict(verdict))

    def _append(self, row: Mapping[str, object]) -> None:
        with self.file.open("a") as lines:
            lines.write(json.dumps(row) + "\n")

    def write_table(self) -> None:
        """Write the table."""
        self.table.write_text(markdown(self.plan, list(self.verdicts.values())))


def line(verdict: Verdict) -> str:
    """Return the line that a campaign prints of a fault."""
    said = f"skipped: {verdict.skipped}" if verdict.skipped else "; ".join(verdict.failed) or "ok"
    codes = " ".join([verdict.part, *map(str, verdict.codes)]).strip()
    return (
        f"{verdict.index:4d}  {verdict.kind:<40} {verdict.surroundings:<16} {verdict.seconds:5.1f} s  [{codes}]  {said}"
    )


def markdown(plan: Mapping[str, object], verdicts: Iterable[Verdict]) -> str:
    """Return the table: one row per kind and surroundings."""
    rows = defaultdict(list)
    for verdict in verdicts:
        rows[verdict.kind, verdict.surroundings].append(verdict)
    lines = [_row(kind, under, rows[kind, under]) for kind, under in sorted(rows)]
    head = ["| kind | surroundings | faults | what failed | seconds |", "|---|---|---|---|---|"]
    return "\n".join(["# Campaign", "", *_summary(plan, rows), "", *head, *lines, ""])


def _row(kind: str, under: str, those: list[Verdict]) -> str:
    failed = [f"{one.index}: {sentence}" for one in those for sentence in one.failed]
    said = "<br>".join(failed).replace("|", "\\|") or (those[0].skipped and f"skipped: {those[0].skipped}") or "–"
    return f"| {kind} | {under} | {len(those)} | {said} | {sum(one.seconds for one in those):.0f} |"


def _summary(plan: Mapping[str, object], rows: Mapping[tuple[str, str], list[Verdict]]) -> list[str]:
    every = [one for those in rows.values() for one in those]
    done = [one for one in every if not one.skipped]
    kinds, failed = {one.kind for one in done}, sum(bool(one.failed) for one in done)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    skipped = sorted({f"{one.kind} ({one.skipped})" for one in every if one.skipped})
    return [
        f"Seed {plan['seed']}: {len(done)} faults of {len(kinds)} kinds, {failed} failed.",
        f"Python {platform.python_version()}, {versions}, {platform.system()}.",
        *([f"Skipped: {', '.join(skipped)}."] if skipped else []),
    ]
