"""The record of a study: one append-only event file per trial and one for the study itself.

`<study folder>/events/POINT-SEED-FOLD.jsonl` holds a trial's lines in the order they happened:

- ``spec``: what is trained; the first line.
- ``start``: an attempt begins. It is also a cut: reports of epochs after its ``epoch`` that stand before it are void.
- ``report``: an epoch's metrics.
- ``state``: a new state, with score and reason.

`study.jsonl` holds the study's own: ``created`` once, ``open`` at each start of the driver, then ``best``, ``system``,
``artifact``, ``state``. Only the driver's process writes; a tracking store is a copy that is made from these files.
"""

import json
import math
import os
import shlex
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpsearch.base.errors import StorageError
from hpsearch.base.journal import Event, Journal, read_lines, sync_all
from hpsearch.base.types import Message, Report, Started, TrialId, TrialSpec, TrialState

STUDY = "study"


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """What the record knows of one trial.

    Attributes:
        id: which trial.
        key: hash of its configuration.
        params: searched hyperparameters by dotted key.
        overrides: Hydra overrides that compose its configuration.
        config: the resolved configuration.
        folder: its files, relative to the study's folder.
        state: the newest state; RUNNING after a start.
        attempts: number of its newest attempt.
        reports: by epoch, after cuts.
        score: of a finished trial, if it has one.
        reason: of the newest state.
        traceback: of the newest state.
        facts: scalars measured once.
        artifacts: files it wrote, relative to its folder.
        queued: when it was specified.
        started: when its first attempt began.
        ended: when its state became final.
    """

    id: TrialId
    key: str
    params: Mapping[str, Any]
    overrides: tuple[str, ...]
    config: Mapping[str, Any]
    folder: str
    state: TrialState
    attempts: int
    reports: tuple[Report, ...]
    score: float | None
    reason: str
    traceback: str
    facts: Mapping[str, str | int | float]
    artifacts: tuple[str, ...]
    queued: float
    started: float | None
    ended: float | None

    def curve(self, metric: str) -> dict[int, float]:
        """Return one metric by epoch."""
        return {report.epoch: report.metrics[metric] for report in self.reports if metric in report.metrics}


@dataclass(slots=True)
class TrialFold:
    """A trial's lines folded one after the other; `record` is what they say so far."""

    spec: Event | None = None
    state: TrialState = TrialState.WAITING
    attempts: int = 0
    reports: dict[int, Event] = field(default_factory=dict)
    last: Event = field(default_factory=dict)
    facts: dict[str, str | int | float] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    started: float | None = None
    ended: float | None = None

    def apply(self, event: Event) -> None:
        """Take in the next line; events of kinds it does not know are passed over."""
        match event["event"]:
            case "spec":
                self.spec = event
            case "start":
                self._start(event)
            case "report":
                self.reports[event["epoch"]] = event
            case "state":
                self._state(event)

    def _start(self, event: Event) -> None:
        cut = event["epoch"]
        self.reports = {} if cut is None else {e: r for e, r in self.reports.items() if e <= cut}
        self.attempts = max(self.attempts, event["attempt"])
        self.facts.update(event["facts"])
        self.state, self.last, self.ended = TrialState.RUNNING, {}, None
        if self.started is None:
            self.started = event["time"]

    def _state(self, event: Event) -> None:
        self.state, self.last = TrialState(event["state"]), event
        self.attempts = max(self.attempts, event["attempt"])
        self.facts.update(event["facts"])
        self.artifacts = tuple(event["artifacts"]) or self.artifacts
        self.ended = event["time"] if self.state.finished else None
        if self.started is None and self.state is not TrialState.WAITING:
            self.started = event["time"]

    def record(self) -> TrialRecord:
        """Return the trial as its lines describe it so far.

        Raises:
            StorageError: there was no ``spec`` line.
        """
        if self.spec is None:
            raise StorageError("an event file without its first line, `spec`")
        spec = self.spec
        return TrialRecord(
            id=TrialId(spec["point"], spec["seed"], spec["fold"]),
            key=spec["key"],
            params=spec["params"],
            overrides=tuple(spec["overrides"]),
            config=spec["config"],
            folder=spec["folder"],
            state=self.state,
            attempts=self.attempts,
            reports=tuple(_report(self.reports[epoch]) for epoch in sorted(self.reports)),
            score=self.last.get("score"),
            reason=self.last.get("reason", ""),
            traceback=self.last.get("traceback", ""),
            facts=dict(self.facts),
            artifacts=self.artifacts,
            queued=spec["time"],
            started=self.started,
            ended=self.ended,
        )


def replay_command(record: TrialRecord) -> str:
    """Return the command that trains a trial again."""
    return " ".join(["python -m hpsearch", *(shlex.quote(word) for word in record.overrides)])


def _report(event: Event) -> Report:
    steps = tuple((step, value) for step, value in event["steps"])
    return Report(event["epoch"], event["step"], event["metrics"], steps, event["time"])


def _fold(events: Iterable[Event]) -> TrialFold:
    fold = TrialFold()
    for event in events:
        fold.apply(event)
    return fold


def read_trial(path: Path) -> TrialRecord | None:
    """Read one trial's event file.

    Returns:
        What it says, or None when it holds no whole line.
    """
    fold = _fold(read_lines(path)[0])
    return fold.record() if fold.spec is not None else None


def last_state(path: Path) -> TrialState:
    """Return the state a trial's event file ends with, without folding all of it."""
    data = path.read_bytes()
    for line in reversed(data[: data.rfind(b"\n") + 1].splitlines()):
        if line.startswith(b'{"event":"start"'):
            return TrialState.RUNNING
        if line.startswith(b'{"event":"state"'):
            return TrialState(json.loads(line)["state"])
    return TrialState.WAITING


def trial_files(folder: Path) -> list[Path]:
    """Return the event files of a study's trials, in order of point, seed and fold."""
    files = [path for path in (folder / "events").glob("*-*-*.jsonl")]
    return sorted(files, key=lambda path: [int(part) for part in path.stem.split("-")])


def read_trials(folder: Path) -> list[TrialRecord]:
    """Read every trial of a study folder, in order of point, seed and fold."""
    return [record for path in trial_files(folder) if (record := read_trial(path)) is not None]


class Record:
    """Writes a study's event files; lines wait in memory until `flush`, or `write` and later `sync`.

    Args:
        folder: the study's folder.
        changed: called after each flush with the stems of the files that have new lines (a tracker's `changed`).
    """

    def __init__(self, folder: Path, changed: Callable[[Collection[str]], None] | None = None) -> None:
        self.folder = folder
        self._changed = changed
        self._journals: dict[str, Journal] = {}
        self._folds: dict[str, TrialFold] = {}
        self._attempt: dict[str, int] = {}
        self._dirty: set[str] = set()
        self._due: dict[str, Journal] = {}
        if not self._journal(STUDY).events:
            self._study_line({"event": "created", "uid": uuid.uuid4().hex})

    def spec(self, spec: TrialSpec, time: float) -> None:
        """Record what is about to be trained; for a trial already there only the number of its attempt is new."""
        stem = spec.id.stem
        fold = self._trial(spec.id)
        self._attempt[stem] = spec.attempt
        if fold.spec is None:
            event = {
                "event": "spec",
                "time": _ms(time),
                "point": spec.id.point,
                "seed": spec.id.seed,
                "fold": spec.id.fold,
                "params": spec.params,
                "overrides": spec.overrides,
                "key": spec.key,
                "folder": os.path.relpath(spec.folder, self.folder),
                "config": spec.config,
            }
            self._append(stem, event)

    def message(self, trial: TrialId, message: Message) -> bool:
        """Record a message of a running trial.

        Returns:
            Whether it is new: a report of an epoch that is already there, or of a finished trial, is dropped.
        """
        fold = self._trial(trial)
        if isinstance(message, Started):
            self._start(trial, fold, message)
            return True
        if message.epoch in fold.reports or fold.state.finished:
            return False
        event = {
            "event": "report",
            "time": _ms(message.time),
            "epoch": message.epoch,
            "step": message.step,
            "metrics": message.metrics,
            "steps": message.steps,
        }
        self._append(trial.stem, event)
        return True

    def _start(self, trial: TrialId, fold: TrialFold, message: Started) -> None:
        attempt = self._attempt.get(trial.stem, fold.attempts + 1)
        event = {
            "event": "start",
            "time": _ms(message.time),
            "attempt": attempt,
            "epoch": message.epoch,
            "facts": message.facts,
        }
        self._append(trial.stem, event)

    def state(
        self,
        trial: TrialId,
        state: TrialState,
        time: float,
        *,
        reason: str = "",
        traceback: str = "",
        score: float | None = None,
        artifacts: Iterable[str] = (),
        facts: Mapping[str, str | int | float] | None = None,
        attempt: int | None = None,
    ) -> None:
        """Record a new state of a trial; a final one is on the disk after the next flush.

        Args:
            trial: which trial.
            state: the state it has now.
            time: seconds since the Unix epoch.
            reason: one line that says why.
            traceback: of a failed attempt.
            score: what the trial is worth.
            artifacts: files it wrote, relative to its folder.
            facts: scalars measured once.
            attempt: number of the attempt this state belongs to; by default the newest one's.
        """
        fold = self._trial(trial)
        event = {
            "event": "state",
            "time": _ms(time),
            "state": state.value,
            "reason": reason,
            "traceback": traceback,
            "attempt": self._attempt.get(trial.stem, fold.attempts) if attempt is None else attempt,
            "score": score,
            "artifacts": list(artifacts),
            "facts": dict(facts or {}),
        }
        self._append(trial.stem, event, durable=state.finished)

    def study(self, event: str, time: float, **fields: Any) -> None:
        """Record something of the study itself.

        Args:
            event: ``open`` (name, question, config, space, objective, command, git, environment, seed, sampler),
                ``best`` (point, params, mean, sd, n), ``system`` (metrics), ``artifact`` (path relative to the
                study's folder, optional `to`: folder in the store), ``state`` (state, answer).
            time: seconds since the Unix epoch.
            fields: what happened, JSON-like.
        """
        self._study_line({"event": event, "time": _ms(time), **fields}, durable=event != "system")

    def trial(self, trial: TrialId) -> TrialRecord | None:
        """Return what is known of a trial, lines not yet flushed included; None when it has no record."""
        fold = self._folds.get(trial.stem)
        if fold is None:  # one that has ended is read again and not kept
            return read_trial(self._path(trial.stem))
        return fold.record() if fold.spec is not None else None

    def trials(self) -> list[TrialRecord]:
        """Flush, and read every trial of the study."""
        self.flush()
        return read_trials(self.folder)

    def flush(self, fsync: bool = False) -> None:
        """Write the buffered lines and wait for the disk: for files with a new final state, or for all."""
        self.write(durable=fsync)
        self.sync()

    def write(self, durable: bool = False) -> None:
        """Write the buffered lines, one write per file: they outlive this process; `sync` brings ends to the disk.

        Args:
            durable: the next `sync` waits for every file written now, not only for those with a new final state.
        """
        names = sorted(self._dirty, key=lambda name: (name != STUDY, name))
        for name in names:
            journal = self._journals[name]
            journal.write(durable)
            self._dirty.discard(name)
            if journal.due:
                self._due[name] = journal
            if name in self._folds and self._folds[name].state.finished:
                del self._folds[name], self._journals[name]
                self._attempt.pop(name, None)
        if names and self._changed is not None:
            self._changed(names)

    def sync(self, below: float = math.inf) -> None:
        """Wait until the disk has the final states that were written.

        Args:
            below: only those of points with a smaller number, and what the study recorded of itself.
        """
        due = {name: journal for name, journal in self._due.items() if name == STUDY or _point(name) < below}
        sync_all(due.values())
        for name in due:
            del self._due[name]

    def close(self) -> None:
        """Flush everything to the disk."""
        self.flush(fsync=True)

    def _study_line(self, event: Event, durable: bool = True) -> None:
        self._journal(STUDY).append(event, durable)
        self._dirty.add(STUDY)

    def _journal(self, name: str) -> Journal:
        if name not in self._journals:
            self._journals[name] = Journal(self._path(name))
        return self._journals[name]

    def _path(self, name: str) -> Path:
        return self.folder / "events" / f"{name}.jsonl"

    def _trial(self, trial: TrialId) -> TrialFold:
        if trial.stem not in self._folds:
            self._folds[trial.stem] = _fold(self._journal(trial.stem).events)
        return self._folds[trial.stem]

    def _append(self, stem: str, event: Event, durable: bool = False) -> None:
        self._journals[stem].append(event, durable)
        self._folds[stem].apply(event)
        self._dirty.add(stem)


def _point(stem: str) -> int:
    return int(stem.partition("-")[0])


def _ms(time: float) -> float:
    """Return a time rounded to milliseconds, as tracking stores keep it."""
    return round(time, 3)
