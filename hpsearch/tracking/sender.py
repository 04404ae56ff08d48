"""Sends a study's event files to an MLflow store, now or later, once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.base.inside import check_name
from hpsearch.base.passwords import without_password
from hpsearch.base.types import Objective
from hpsearch.tracking import runs, store
from hpsearch.tracking.events import STUDY, read_study
from hpsearch.tracking.home import home_of, under
from hpsearch.tracking.identity import is_taken, keep, place_of, settled
from hpsearch.tracking.mlflow_internals import KIND, view_tags
from hpsearch.tracking.sent import Sent
from hpsearch.tracking.study_run import StudyRun
from hpsearch.tracking.theirs import untouched
from hpsearch.tracking.trial_runs import TrialRuns
from hpsearch.tracking.writer import WITHDRAWN, FoundRun, Refusal, Writer, withdraw
from hpsearch.tracking.writers import open_writer

SHOWN = 3
"""Names that a sentence lists."""


class Sender:
    """Sends one study to one store; what it sends is a pure function of the lines, in the order of each file.

    Positions and run ids are saved after the calls succeeded; sending a line twice changes nothing.

    Args:
        folder: the study's folder.
        uri: absolute address of the store.
        artifacts: folder of the artifacts of an embedded store.
        artifact_mib: larger files of a trial stay in its folder.

    Attributes:
        problem: one line that says why the last lines did not arrive, or None.
        sent: how many event files had lines that were sent.
        reached: whether the store answered at last.
    """

    def __init__(self, folder: Path, uri: str, artifacts: Path, artifact_mib: float = 10.0) -> None:
        self.problem: str | None = None
        self.sent, self.reached = 0, False
        self._folder, self._uri, self._artifacts = folder, uri, artifacts
        self._artifact_bytes = artifact_mib * 2**20
        self._sent = Sent(folder, uri)
        self._writer: Writer | None = None
        self._view: tuple[Any, ...] = ()
        self._refused: dict[str, str] = {}
        self._deleted: frozenset[str] = frozenset()
        self._strikes: set[str] = set()
        self._doubtful = self._one_by_one = False

    def pending(self) -> set[str]:
        """Return the event files with lines that are not sent, as far as is known without asking the store."""
        return self._sent.pending() - self._refused.keys() - self._deleted

    def send(self, names: Iterable[str], enough: Callable[[], bool] = lambda: False) -> set[str]:
        """Send the new lines of event files, the study's own first, and whatever a store that is opened now lacks.

        Args:
            names: stems of the files.
            enough: asked before each file; True ends the work.

        Returns:
            The names whose lines have not arrived, all of them while the store is away; `problem` says why.
        """
        left = set(names)
        try:
            lacks = self._connect(bool(left))
            left |= lacks
            for group in self._groups(left):
                if enough():
                    return left
                self._send_group(group)
                left.difference_update(group)
            if self._writer is not None:
                self._finish(self._writer)
                self._check_again(self._writer, left)
                self.problem = next(iter(self._refused.values()), None) or self._about_deleted()
            self.reached = True
        except _InGroup:
            self.close()
            return self.send(left, enough)
        except Exception as error:  # MLflow raises whatever its HTTP, SQL and file layers raise; the thread must live
            self.close()
            self._doubtful, self.reached = True, False
            self.problem = f"MLflow at {without_password(self._uri)}: {store.one_line(error)}"
        return left

    def close(self) -> None:
        """Let go of the store; the next `send` opens it again."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _connect(self, pending: bool) -> set[str]:
        """Open the store unless it is open, and return the event files of which it lacks something."""
        if self._writer is not None and self._writer.stands():
            return set()
        self.close()
        writer = open_writer(self._uri, self._artifacts)
        self._writer = writer
        study = self._enter(writer)
        if self._experiment.deleted and not pending:  # where there are lines for it, it is brought back
            self.close()
            self.problem = f"experiment '{self._experiment.name}' was deleted in MLflow; it stays so"
            return set()
        self._prepare(writer, study["uid"])
        with writer.together():
            existing = self._existing_runs(writer, study["uid"])
        self._sent.keep(existing)
        self._study_run = StudyRun(writer, self._folder, self._sent, existing.pop(STUDY, None), study)
        self._trial_runs = TrialRuns(writer, self._folder, self._sent, self._study_run, self._artifact_bytes)
        for name, child in existing.items():
            self._trial_runs.adopt(name, child)
        return self.pending()

    def _enter(self, writer: Writer) -> dict[str, Any]:
        """Find or make the experiment of the study; return the study under the uids that its runs carry."""
        study = {"name": self._folder.name, **read_study(self._folder)}
        check_name(study["name"])
        if "within" in study:
            settled(self._folder.with_name(check_name(study["within"]["name"])), self._uri)
        identity = settled(self._folder, self._uri)
        found = writer.enter(home_of(self._folder, under(self._folder, study, identity), identity))
        if is_taken(found.places.get(identity.uid), self._folder, identity):
            identity = identity.renewed()
            found = writer.enter(home_of(self._folder, under(self._folder, study, identity), identity))
        keep(self._folder, identity.at(place_of(self._folder)))
        study = under(self._folder, study, identity)
        self._experiment, self._home = found, home_of(self._folder, study, identity)
        return study

    def _existing_runs(self, writer: Writer, uid: str) -> dict[str, FoundRun]:
        """Find the runs that exist: a kill may have come between creating one and noting its id."""
        existing: dict[str, FoundRun] = {}
        for run in writer.find(uid):
            name = run.tags.get(runs.TRIAL, STUDY)
            if run.status == WITHDRAWN:
                continue
            if name in existing:
                run = self._drop_one(writer, name, existing[name], run)
            existing[name] = run
        self._deleted = frozenset(name for name, run in existing.items() if run.deleted and name != STUDY)
        return existing

    def _prepare(self, writer: Writer, uid: str) -> None:
        """Bring the experiment back if it was deleted, and let it say which studies are in it, and from where."""
        if self._experiment.deleted:
            writer.revive()
        lacking = self._home.lacking(uid, self._experiment)
        if lacking:
            with writer.together():
                writer.describe(lacking)
        tags = {**self._experiment.tags, **lacking}
        self._experiment = replace(self._experiment, deleted=False, tags=tags)

    def _drop_one(self, writer: Writer, name: str, older: FoundRun, younger: FoundRun) -> FoundRun:
        """Withdraw one of two runs of a trial: a server that hung may create one after the sender gave up on it."""
        keep, drop = (younger, older) if self._sent.run(name) == younger.id else (older, younger)
        if not drop.deleted and runs.SUPERSEDED not in drop.tags:
            withdraw(writer, drop.id)
        return keep

    def _groups(self, names: Iterable[str]) -> list[list[str]]:
        """Return names in groups that are sent together, the study's own first; one by one where one is refused."""
        ordered = sorted(names, key=lambda name: (name != STUDY, name))
        size = 1 if self._writer is None or self._one_by_one else self._writer.files_together
        return [ordered[start : start + size] for start in range(0, len(ordered), size)]

    def _send_group(self, names: Sequence[str]) -> None:
        """Send event files in one block of the store; what is noted of them is written behind it."""
        if self._writer is None or len(names) == 1:
            self.sent += sum(map(self._send, names))
            return
        try:
            with self._sent.together(), self._writer.together():
                sent = sum(self._send(name, in_group=True) for name in names)
        except Refusal as error:
            self._one_by_one = True
            raise _InGroup from error
        self.sent += sent

    def _send(self, name: str, in_group: bool = False) -> bool:
        """Send one event file; return whether that was tried."""
        if name in self._refused or name in self._deleted:
            return False
        try:
            if name == STUDY:
                self._study_run.send()
            else:
                self._trial_runs.send(name)
        except Refusal as error:
            if in_group:
                raise
            if name in self._strikes:
                self._one_by_one = False
                self._refused[name] = f"MLflow refuses {name}: {store.one_line(error)}"
            self._strikes.add(name)
            raise
        return True

    def _about_deleted(self) -> str | None:
        """Return what is not sent because the user has deleted its run; None when that is nothing."""
        names = sorted(self._deleted & self._sent.pending()) if self._deleted else []
        return deleted_words(names) if names else None

    def deleted(self) -> str | None:
        """Return which runs the user has deleted, which stay so; None when there are none."""
        return deleted_words(sorted(self._deleted)) if self._deleted else None

    def _check_again(self, writer: Writer, left: set[str]) -> None:
        """Look for doubled runs once everything has arrived after a failure."""
        if self._doubtful and not left:
            with writer.together():
                self._existing_runs(writer, self._study_run.study["uid"])
            self._doubtful = False

    def _finish(self, writer: Writer) -> None:
        """Bring colours and views up to what has been sent."""
        study_run, searched = self._study_run, self._trial_runs.searched
        view = (writer.experiment, study_run.run, *searched)
        objective = _objective(study_run.study)
        with writer.together():
            self._trial_runs.recolour(final="state" in study_run.study)
            if objective is not None and view != self._view:
                tags = view_tags(study_run.run, searched, objective, _factors(study_run.study))
                writer.describe(untouched(writer.tags(), tags, sign=tags[KIND]))
        if objective is not None:
            self._view = view


class _InGroup(Exception):
    """A file of a group is refused: which one is found out one by one."""


def _factors(study: Mapping[str, Any]) -> list[str]:
    """Return the factors of an ablation, whose trials are compared arm by arm; none for another study."""
    return ((study.get("config") or {}).get("ablation") or {}).get("factors") or []


def _objective(study: Mapping[str, Any]) -> Objective | None:
    """Return what the trials are compared by; a single trial has it in its configuration alone."""
    named = study.get("objective") or (study.get("config") or {}).get("objective")
    if not named:
        return None
    return Objective(**{key: named[key] for key in ("metric", "direction", "reduce") if key in named})


def deleted_words(names: Sequence[str]) -> str:
    """Return a sentence about runs that the user has deleted."""
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return f"{len(names)} run{'s' if len(names) > 1 else ''} deleted in MLflow and left so ({shown})"
