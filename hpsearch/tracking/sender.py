"""Sends a study's event files to an MLflow store, now or later, once."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from hpsearch.base.passwords import without_password
from hpsearch.base.types import Objective
from hpsearch.tracking import runs, store
from hpsearch.tracking.events import STUDY, read_study
from hpsearch.tracking.mlflow_internals import view_tags
from hpsearch.tracking.sent import Sent
from hpsearch.tracking.study_run import StudyRun
from hpsearch.tracking.trial_runs import TrialRuns
from hpsearch.tracking.writer import WITHDRAWN, FoundRun, Refusal, Writer, withdraw
from hpsearch.tracking.writers import open_writer


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
    """

    def __init__(self, folder: Path, uri: str, artifacts: Path, artifact_mib: float = 10.0) -> None:
        self.problem: str | None = None
        self._folder, self._uri, self._artifacts = folder, uri, artifacts
        self._artifact_bytes = artifact_mib * 2**20
        self._sent = Sent(folder, uri)
        self._writer: Writer | None = None
        self._view: tuple[Any, ...] = ()
        self._refused: dict[str, str] = {}
        self._strikes: set[str] = set()
        self._doubtful = False

    def pending(self) -> set[str]:
        """Return the event files with lines that are not sent."""
        return self._sent.pending() - set(self._refused)

    def send(self, names: Iterable[str], enough: Callable[[], bool] = lambda: False) -> set[str]:
        """Send the new lines of event files, the study's own first.

        Args:
            names: stems of the files.
            enough: asked before each file; True ends the work.

        Returns:
            The names whose lines have not arrived, all of them while the store is away; `problem` says why.
        """
        left = set(names)
        try:
            self._connect()
            for name in sorted(left, key=lambda name: (name != STUDY, name)):
                if enough():
                    return left
                self._send(name)
                left.discard(name)
            self._finish()
            self._check_again(left)
            self.problem = next(iter(self._refused.values()), None)
        except Exception as error:  # MLflow raises whatever its HTTP, SQL and file layers raise; the thread must live
            self.close()
            self._doubtful = True
            self.problem = f"MLflow at {without_password(self._uri)}: {store.one_line(error)}"
        return left

    def close(self) -> None:
        """Let go of the store; the next `send` opens it again."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _connect(self) -> None:
        if self._writer is not None:
            return
        writer = self._writer = open_writer(self._uri, self._artifacts)
        study = {"name": self._folder.name, **read_study(self._folder)}
        writer.enter(study.get("within", study)["name"])  # the stages of a recipe are runs of its experiment
        with writer.together():
            existing = self._existing_runs(writer, study["uid"])
        self._sent.keep({name: run.id for name, run in existing.items()})
        run = existing.pop(STUDY).id if STUDY in existing else None
        self._study_run = StudyRun(writer, self._folder, self._sent, run, study)
        self._trial_runs = TrialRuns(writer, self._folder, self._sent, self._study_run, self._artifact_bytes)
        for name, child in existing.items():
            self._trial_runs.adopt(name, child)
        self._study_run.send()

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
        for name, run in existing.items():
            if run.deleted and name == STUDY:
                writer.restore(run.id)
            elif run.deleted:
                self._refused[name] = f"the run of {name} was deleted in MLflow: {run.id}"
        return existing

    def _drop_one(self, writer: Writer, name: str, older: FoundRun, younger: FoundRun) -> FoundRun:
        """Withdraw one of two runs of a trial: a server that hung may create one after the sender gave up on it."""
        keep, drop = (younger, older) if self._sent.run(name) == younger.id else (older, younger)
        if not drop.deleted and runs.SUPERSEDED not in drop.tags:
            withdraw(writer, drop.id)
        return keep

    def _send(self, name: str) -> None:
        if name in self._refused:
            return
        try:
            if name == STUDY:
                self._study_run.send()
            else:
                self._trial_runs.send(name)
        except Refusal as error:
            if name in self._strikes:
                self._refused[name] = f"MLflow refuses {name}: {store.one_line(error)}"
            self._strikes.add(name)
            raise

    def _check_again(self, left: set[str]) -> None:
        """Look for doubled runs once everything has arrived after a failure."""
        if self._doubtful and not left and self._writer is not None:
            with self._writer.together():
                self._existing_runs(self._writer, self._study_run.study["uid"])
            self._doubtful = False

    def _finish(self) -> None:
        """Bring colours and views up to what has been sent."""
        assert self._writer is not None
        study_run, searched = self._study_run, self._trial_runs.searched
        view = (self._writer.experiment, study_run.run, *searched)
        objective = _objective(study_run.study)
        with self._writer.together():
            self._trial_runs.recolour(final="state" in study_run.study)
            if objective is not None and view != self._view:
                self._writer.describe(view_tags(study_run.run, searched, objective, _factors(study_run.study)))
        if objective is not None:
            self._view = view


def _factors(study: Mapping[str, Any]) -> list[str]:
    """Return the factors of an ablation, whose trials are compared arm by arm; none for another study."""
    return ((study.get("config") or {}).get("ablation") or {}).get("factors") or []


def _objective(study: Mapping[str, Any]) -> Objective | None:
    """Return what the trials are compared by; a single trial has it in its configuration alone."""
    named = study.get("objective") or (study.get("config") or {}).get("objective")
    if not named:
        return None
    return Objective(**{key: named[key] for key in ("metric", "direction", "reduce") if key in named})
