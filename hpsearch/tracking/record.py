"""The writer of a study's event files, whose lines `hpsearch.tracking.events` describes and reads."""

import math
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from hpsearch.base.environment import TAKEN, as_recorded, hidden, without_passwords
from hpsearch.base.formats import stamped
from hpsearch.base.journal import Event, Journal, read_first, sync_all
from hpsearch.base.types import Report, Started, TrialId, TrialSpec, TrialState
from hpsearch.tracking.events import CODE, PURPOSE, STUDY, TrialFold, TrialRecord, fold_trial, read_trial, trial_files
from hpsearch.tracking.lines import checked

QUOTING = frozenset({"answer", "why", "sentence", "cause", "action"})
"""Fields of a study's lines that may quote a value of the configuration."""

MOST_OPEN = 256
"""So many event files are held open between writes at most: of thousands of running trials not all may be."""
NUMBERS = frozenset({"report", "system"})
"""Lines that hold no text of anybody's."""


class Record:
    """Writes a study's event files; lines wait in memory until `flush`, or `write` and later `sync`.

    Args:
        folder: the study's folder.
        changed: called after each flush with the stems of the files that have new lines (a tracker's `changed`).
        guard: called before anything is written; raises where the folder is not this process's any more.
        uid: of the study, where the record has lost it; a new one by default.

    Attributes:
        uid: what tells the study from all others, those of the same name too.
    """

    def __init__(
        self,
        folder: Path,
        changed: Callable[[Collection[str]], None] | None = None,
        guard: Callable[[], None] = lambda: None,
        uid: str | None = None,
    ) -> None:
        self.folder = folder
        self.guard = guard
        self._changed = changed
        self._journals: dict[str, Journal] = {}
        self._open: dict[str, Journal] = {}
        self._folds: dict[str, TrialFold] = {}
        self._attempt: dict[str, int] = {}
        self._dirty: set[str] = set()
        self._due: dict[str, Journal] = {}
        self._taken: dict[str, Any] = {}
        self.uid = uid_on_record(folder) or uid or uuid.uuid4().hex
        if not self._journal(STUDY).events:
            self._study_line(stamped({"event": "created", "uid": self.uid}))

    def spec(self, spec: TrialSpec, time: float) -> None:
        """Record what is about to be trained; for a trial already there only the number of its attempt is new."""
        stem = spec.id.stem
        fold = self._trial(spec.id)
        self._learn(spec.config)
        self._attempt[stem] = spec.attempt
        if fold.spec is None:
            self._append(
                stem,
                "spec",
                time,
                point=spec.id.point,
                seed=spec.id.seed,
                fold=spec.id.fold,
                params=spec.params,
                overrides=spec.overrides,
                key=spec.key,
                folder=os.path.relpath(spec.folder, self.folder),
                config=as_recorded(spec.config),
                uid=self.uid,
                **_of_code(spec.code),
                **_of_data(spec.data),
                **_of_purpose(spec.purpose),
            )

    def params(self, trial: TrialId, params: Mapping[str, Any]) -> None:
        """Record that other keys of a trial are searched than when it was specified; what it trains is the same."""
        fold = self._trial(trial)
        assert fold.spec is not None, f"trial {trial} has no record"
        rest = {name: value for name, value in fold.spec.items() if name not in ("event", "time")}
        self._append(trial.stem, "spec", fold.spec["time"], durable=True, **{**rest, "params": dict(params)})

    def respecify(self, spec: TrialSpec) -> None:
        """Record what a trial trains that has asked for more since it was specified."""
        fold = self._trial(spec.id)
        assert fold.spec is not None, f"trial {spec.id} has no record"
        if fold.spec["key"] != spec.key:
            rest = {name: value for name, value in fold.spec.items() if name not in ("event", "time")}
            new = {
                "params": spec.params,
                "overrides": spec.overrides,
                "key": spec.key,
                "config": as_recorded(spec.config),
            }
            self._append(spec.id.stem, "spec", fold.spec["time"], **{**rest, **new})

    def message(self, trial: TrialId, message: Started | Report, **where: str | int) -> bool:
        """Record a message of a running trial.

        Args:
            trial: which trial.
            message: what it says.
            where: of an attempt that begins: its ``worker``, by number, and the ``node`` that has the worker.

        Returns:
            Whether it is new: a report of an epoch that is already there, or of a finished trial, is dropped.
        """
        stem, fold = trial.stem, self._trial(trial)
        if isinstance(message, Started):
            attempt = self._attempt.get(stem, fold.attempts + 1)
            began: dict[str, Any] = {"attempt": attempt, "epoch": message.epoch, "facts": message.facts, **where}
            self._append(stem, "start", message.time, **began)
            return True
        if message.epoch in fold.reports or fold.state.finished:
            return False
        end: dict[str, Any] = {"end": message.end} if message.end else {}
        self._append(
            stem, "report", message.time,
            epoch=message.epoch, step=message.step, metrics=message.metrics, steps=message.steps, **end,
        )  # fmt: skip
        return True

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
        ended_by: Mapping[str, float] | None = None,
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
            ended_by: the limits that led to it, by key.
        """
        fold = self._trial(trial)
        self._append(
            trial.stem,
            "state",
            time,
            durable=state.finished,
            state=state.value,
            reason=hidden(reason, self._taken),
            traceback=hidden(traceback, self._taken),
            attempt=self._attempt.get(trial.stem, fold.attempts) if attempt is None else attempt,
            score=score,
            artifacts=list(artifacts),
            facts=dict(facts or {}),
            **({"ended_by": dict(ended_by)} if ended_by else {}),
        )

    def again(self, trial: TrialId, time: float, code: str = "", data: str = "") -> None:
        """Record that a trial is trained again: its failures and its time count no more.

        Args:
            trial: that a limit in time ended, or whose code or data have changed.
            time: seconds since the Unix epoch.
            code: digest of other code that trains it now, from the beginning; empty where it is the same.
            data: digest of other data, the same way.
        """
        self._trial(trial)
        self._append(trial.stem, "again", time, **_of_code(code), **_of_data(data))

    def study(self, event: str, time: float, **fields: Any) -> None:
        """Record something of the study itself.

        Args:
            event: ``open`` (name, question, config, space, objective, command, git, environment, seed, sampler),
                ``best`` (point, params, mean, sd, n), ``confirm`` (points, seeds, why), ``system`` (metrics, total),
                ``artifact`` (path relative to the study's folder, optional `to`: folder in the store),
                ``state`` (state, answer), ``code`` (digest, modules, targets), ``data`` (digest and fields of a
                `DataState`, key).
            time: seconds since the Unix epoch.
            fields: what happened, JSON-like.
        """
        if "config" in fields:
            self._learn(fields["config"])
            fields["config"] = as_recorded(fields["config"])
        said = {name: hidden(text, self._taken) for name, text in fields.items() if event == "data" or name in QUOTING}
        self._study_line(_line(event, time, {**fields, **said}), durable=event != "system")

    def trial(self, trial: TrialId) -> TrialRecord | None:
        """Return what is known of a trial, lines not yet flushed included; None when it has no record."""
        fold = self._folds.get(trial.stem)
        if fold is None:  # one that has ended is read again and not kept
            return read_trial(self._path(trial.stem))
        return fold.record() if fold.spec is not None else None

    def facts(self, trial: TrialId) -> Mapping[str, str | int | float]:
        """Return what was measured once in a trial, as `trial` does without its reports; empty without a record."""
        fold = self._folds.get(trial.stem)
        if fold is not None:
            return fold.facts
        known = self.trial(trial)
        return known.facts if known else {}

    def flush(self, fsync: bool = False) -> None:
        """Write the buffered lines and wait for the disk: for files with a new final state, or for all."""
        self.write(durable=fsync)
        self.sync()

    def write(self, durable: bool = False) -> None:
        """Write the buffered lines, one write per file: they outlive this process; `sync` brings ends to the disk.

        Args:
            durable: the next `sync` waits for every file written now, not only for those with a new final state.
        """
        if not self._dirty:
            return
        self.guard()
        names = sorted(self._dirty, key=lambda name: (name != STUDY, name))
        for name in names:
            journal = self._journals[name]
            journal.write(durable)
            self._dirty.discard(name)
            if journal.due:
                self._due[name] = journal
            self._open.pop(name, None)
            if name in self._folds and self._folds[name].state is not TrialState.RUNNING:
                journal.close()
                self._let_go(name)
            else:
                self._hold(name, journal)
        if self._changed is not None:
            self._changed(names)

    def _hold(self, name: str, journal: Journal) -> None:
        """Hold a file open that was just written, in place of the one that was not for the longest time."""
        self._open[name] = journal
        if len(self._open) > MOST_OPEN:
            self._open.pop(next(iter(self._open))).close()

    def _let_go(self, name: str) -> None:
        """Forget a trial that has ended: it is read again if somebody asks."""
        if self._folds[name].state.finished:
            del self._folds[name], self._journals[name]
            self._attempt.pop(name, None)

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
        """Flush everything to the disk, and let go of the files."""
        self.flush(fsync=True)
        for journal in self._journals.values():
            journal.close()

    def _study_line(self, event: Event, durable: bool = True) -> None:
        self._journal(STUDY).append(event, durable, sealed=event["event"] not in NUMBERS)
        self._dirty.add(STUDY)

    def _learn(self, config: Mapping[str, Any]) -> None:
        """Take in which variables of the environment must not stand in what is quoted."""
        if config.get(TAKEN):
            self._taken = {TAKEN: {**self._taken.get(TAKEN, {}), **config[TAKEN]}}

    def _journal(self, name: str) -> Journal:
        if name not in self._journals:
            self._journals[name] = Journal(self._path(name), hold=True)
        return self._journals[name]

    def _path(self, name: str) -> Path:
        return self.folder / "events" / f"{name}.jsonl"

    def _trial(self, trial: TrialId) -> TrialFold:
        stem = trial.stem
        if stem not in self._folds:
            self._folds[stem] = fold_trial(checked(self._journal(stem).events, self._path(stem)))
        return self._folds[stem]

    def _append(self, stem: str, kind: str, time: float, *, durable: bool = False, **fields: Any) -> None:
        event = _line(kind, time, fields)
        self._journals[stem].append(event, durable, sealed=kind not in NUMBERS)
        self._folds[stem].apply(event)
        self._dirty.add(stem)


def uid_on_record(folder: Path) -> str | None:
    """Return what tells a study from all others, from its own event file or from that of a trial; None without any."""
    events = folder / "events"
    for path in (events / f"{STUDY}.jsonl", *trial_files(folder)):
        first = read_first(path)
        if first is not None and type(first.get("uid")) is str:
            return str(first["uid"])
    return None


def _line(kind: str, time: float, fields: Mapping[str, Any]) -> Event:
    """Return a line without the secrets of addresses; those that are written all the time hold numbers alone."""
    return stamped({"event": kind, "time": _ms(time), **(fields if kind in NUMBERS else without_passwords(fields))})


def _of_code(digest: str) -> dict[str, Any]:
    return {CODE: digest} if digest else {}


def _of_data(digest: str) -> dict[str, Any]:
    return {"data": digest} if digest else {}


def _of_purpose(purpose: str) -> dict[str, Any]:
    return {PURPOSE: purpose} if purpose else {}


def _point(stem: str) -> int:
    return int(stem.partition("-")[0])


def _ms(time: float) -> float:
    """Return a time rounded to milliseconds, as tracking stores keep it."""
    return round(time, 3)
