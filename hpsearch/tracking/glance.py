"""A study as its record says it is now, each line read once: it is looked at again and again while others write it.

Of a trial's lines only those are parsed that say how it stands; nothing is locked, and nothing is written.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from os import scandir, stat
from pathlib import Path
from typing import Any

from hpsearch.base.epochs import epochs_of
from hpsearch.base.errors import DamageError, StorageError
from hpsearch.base.intake import check_fits, opened
from hpsearch.base.journal import Event, check_seal, read_lines, way_out
from hpsearch.base.observer import RunningTrial
from hpsearch.base.types import TrialId, TrialState
from hpsearch.tracking.events import STUDY, fold_study
from hpsearch.tracking.lines import RULES, STUDY_RULES, checked, is_stem, read_events
from hpsearch.tracking.sent import is_note

_KIND = re.compile(rb'\{"event":"(\w+)"')
_ROUND = 30
"""Looks within which every trial that had ended is asked once: to ask 10,000 takes 20 ms, on a network more."""
_Identity = tuple[int, int]


class Tail:
    """What is new in a file of lines; all of it after the file was replaced or cut.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset, self.size = 0, 0
        self._is: _Identity | None = None

    def grown(self) -> bool | None:
        """Return whether there is something to read; None where what was read before is void."""
        try:
            found = stat(self.path)  # noqa: PTH116 (of every trial: half the time of a path's)
        except FileNotFoundError:
            found = None
        now = (found.st_dev, found.st_ino) if found else None
        size = found.st_size if found else 0
        void = self._is is not None and (now != self._is or size < self.offset)
        grown = size != self.size or (found is not None and self._is is None)  # a pipe has no size, and is refused
        self._is, self.size = now, size
        if void:
            self.offset = 0
            return None
        return grown

    def void(self) -> None:
        """Read all of it with the next look."""
        self._is, self.offset, self.size = None, 0, 0


@dataclass(slots=True)
class TrialGlance:
    """How a trial stands, as far as the lines go that were looked at.

    Attributes:
        id: which trial.
        tail: of its event file.
        state: the newest one.
        since: when it began; None where no line says it.
        reason: of the state.
    """

    id: TrialId
    tail: Tail
    state: TrialState = TrialState.WAITING
    since: float | None = None
    reason: str = ""
    spec: bytes = b""
    start: Event | None = None
    report: bytes = b""
    shown: tuple[RunningTrial, float] | None = None

    def look(self) -> None:
        """Read what is new; a file that is damaged raises a StorageError."""
        grown = self.tail.grown()
        if grown is None:
            self._forget()
        elif not grown:
            return
        try:
            self._read()
        except StorageError:
            self._forget()
            self.tail.void()
            raise

    def _read(self) -> None:
        path, offset = self.tail.path, self.tail.offset
        try:
            with opened(path, StorageError) as file:
                check_fits(str(path), self.tail.size - offset, StorageError)
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return
        data = data[: data.rfind(b"\n") + 1]
        if not offset:
            check_seal(data, path)
        for line in data.splitlines():
            self._take(line)
        self.tail.offset += len(data)
        self.shown = None
        if self.state.finished:  # a study of 10,000 trials would keep a configuration of each
            self.spec, self.start, self.report = b"", None, b""

    def _forget(self) -> None:
        self.state, self.since, self.reason = TrialState.WAITING, None, ""
        self.spec, self.start, self.report, self.shown = b"", None, b"", None

    def _take(self, line: bytes) -> None:
        found = _KIND.match(line)
        match found[1] if found else self._parsed(line)["event"].encode():
            case b"spec":
                self.spec = line
            case b"start":
                self.start, self.report = self._parsed(line), b""
                self.state, self.since, self.reason = TrialState.RUNNING, self.start["time"], ""
            case b"report":
                self.report = line
            case b"state":
                self._end(self._parsed(line))
            case b"again":
                self.state, self.since, self.reason = TrialState.WAITING, None, ""

    def _end(self, event: Event) -> None:
        self.state, self.since, self.reason = TrialState(event["state"]), event["time"], event.get("reason") or ""

    def _parsed(self, line: bytes) -> Event:
        path = self.tail.path
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            raise DamageError(f"{path}: a line is damaged (it is no table); {way_out(path)}")
        return checked([event], path, RULES, before=-1)[0]

    def running(self, now: float) -> RunningTrial:
        """Return a trial that runs as progress shows it; one without a specification raises a StorageError.

        Args:
            now: seconds since the Unix epoch.
        """
        if self.shown is None:
            self.shown = self._running()
        trial, heard = self.shown
        return replace(trial, heard_sec=max(0.0, now - heard))

    def _running(self) -> tuple[RunningTrial, float]:
        if not self.spec:  # one that had ended goes on: what was let go is read again
            self._forget()
            self.tail.void()
            self.look()
        if not self.spec or self.start is None:
            raise DamageError(f"{self.tail.path}: has no first line, `spec`; {way_out(self.tail.path)}")
        spec, start = self._parsed(self.spec), self.start
        report = self._parsed(self.report) if self.report else None
        trial = RunningTrial(
            id=self.id,
            params=spec["params"],
            epoch=report["epoch"] if report else start["epoch"] or 0,
            epochs=_epochs(spec["config"]),
            metrics=report["metrics"] if report else {},
            worker=start.get("worker"),
            node=start.get("node") or "",
            attempt=start["attempt"],
        )
        return trial, report["time"] if report else start["time"]


def _epochs(config: Mapping[str, Any]) -> int | None:
    """Return how many epochs a recorded configuration says; None of one that anybody may have written."""
    try:
        return epochs_of(config)
    except (TypeError, AttributeError, ValueError):
        return None


class StudyGlance:
    """A study's record, looked at again and again.

    Args:
        folder: of the study.

    Attributes:
        study: what it recorded of itself, see `hpsearch.tracking.events.fold_study`.
        opened: when its newest driver began; None where no line says it.
        total: how many trials it has at most, as its driver said last; None where it did not.
        heard: when anything was written of it; None where nothing was.
        trials: by the stems of their files.
        unreadable: what is wrong with files that cannot be read, by their stems.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study: dict[str, Any] = {}
        self.opened: float | None = None
        self.total: int | None = None
        self.heard: float | None = None
        self.trials: dict[str, TrialGlance] = {}
        self.unreadable: dict[str, str] = {}
        self._own = Tail(folder / "events" / f"{STUDY}.jsonl")
        self._notes = Tail(folder / "tracking")
        self._sent: dict[str, int] = {}
        self._looks, self._all = 0, True

    def look(self) -> None:
        """Read what is new: of trials that had ended when a driver has begun, and of a few each time."""
        self.look_at_itself()
        stems = set(self._stems())
        for stem in self.trials.keys() - stems:
            del self.trials[stem]
            self.unreadable.pop(stem, None)
        for stem in stems:
            self._look_at(stem)
        self._looks, self._all = self._looks + 1, False

    def look_at_itself(self) -> None:
        """Read what is new in the study's own file."""
        try:
            grown = self._own.grown()
            if grown is None:
                self.study, self.opened, self.total = {}, None, None
            if grown is not False:
                events, self._own.offset = read_events(self._own.path, self._own.offset, rules=STUDY_RULES)
                fold_study(events, self.study)
                for event in events:
                    self._note(event)
                self.unreadable.pop(STUDY, None)
        except (StorageError, OSError) as error:
            self.unreadable[STUDY] = str(error)

    def _note(self, event: Event) -> None:
        if event["event"] == "open":
            self.opened, self._all = event["time"], True
        if event["event"] == "system":
            self.total = event.get("total", self.total)
        if isinstance(time := event.get("time"), int | float):
            self.heard = max(self.heard or 0.0, float(time))

    def _stems(self) -> Iterator[str]:
        try:
            with scandir(self.folder / "events") as entries:
                names = [entry.name for entry in entries]
        except OSError:
            names = []
        return (name.removesuffix(".jsonl") for name in names if name.endswith(".jsonl") and is_stem(name[:-6]))

    def _look_at(self, stem: str) -> None:
        trial = self.trials.get(stem)
        if trial is None:
            path = self.folder / "events" / f"{stem}.jsonl"
            trial = self.trials[stem] = TrialGlance(TrialId(*map(int, stem.split("-"))), Tail(path))
        elif trial.state.finished and not self._is_due(trial) and stem not in self.unreadable:
            return
        try:
            trial.look()
            self.unreadable.pop(stem, None)
        except (StorageError, OSError) as error:
            self.unreadable[stem] = str(error)

    def _is_due(self, trial: TrialGlance) -> bool:
        """Return whether a trial that had ended is asked whether it goes on, as few do."""
        return self._all or (trial.id.point + self._looks) % _ROUND == 0

    @property
    def readable(self) -> Iterable[TrialGlance]:
        """The trials whose files can be read."""
        return (trial for stem, trial in self.trials.items() if stem not in self.unreadable)

    def running(self, now: float) -> tuple[RunningTrial, ...]:
        """Return the trials that run, in order; of those without a specification it is noted that they cannot be read.

        Args:
            now: seconds since the Unix epoch.
        """
        found = []
        for stem, trial in self.trials.items():
            if trial.state is TrialState.RUNNING and stem not in self.unreadable:
                try:
                    found.append(trial.running(now))
                except (StorageError, OSError) as error:
                    self.unreadable[stem] = str(error)
        return tuple(sorted(found, key=lambda each: each.id))

    def unsent(self) -> int:
        """Return how many event files the store that was sent to last has not received in full; all without one."""
        self._read_notes()
        sizes = {stem: trial.tail.size for stem, trial in self.trials.items()} | {STUDY: self._own.size}
        return sum(size != self._sent.get(stem, 0) for stem, size in sizes.items())

    def _read_notes(self) -> None:
        newest = _newest(self.folder / "tracking")
        if newest is None or newest != self._notes.path:
            self._notes, self._sent = Tail(newest or self._notes.path), {}
        grown = self._notes.grown()
        if grown is None:
            self._sent = {}
        if newest is None or grown is False:
            return
        try:
            events, self._notes.offset = read_lines(newest, self._notes.offset)
        except StorageError:  # damaged notes are dropped, and all is sent again
            events, self._sent = [], {}
        self._sent |= {event["name"]: event["offset"] for event in events if is_note(event)}


def _newest(folder: Path) -> Path | None:
    try:
        found = [(entry.stat().st_mtime, entry.path) for entry in scandir(folder) if entry.name.endswith(".jsonl")]
    except OSError:
        return None
    return Path(max(found)[1]) if found else None
