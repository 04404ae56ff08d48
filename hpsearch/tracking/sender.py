"""Sends a study's event files to an MLflow store, now or later, once."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.types import Objective
from hpsearch.tracking import store
from hpsearch.tracking.children import Children
from hpsearch.tracking.events import STUDY
from hpsearch.tracking.parent import Parent
from hpsearch.tracking.sent import Sent
from hpsearch.tracking.study_events import read_study
from hpsearch.tracking.target import SUPERSEDED, TRIAL, UID, Target, search
from hpsearch.tracking.views import prepare_view

if TYPE_CHECKING:
    from mlflow.entities import Run

PERMANENT = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE"})
WITHDRAWN = "KILLED"


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
        self._target: Target | None = None
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
            self._target = None
            self._doubtful = True
            self.problem = f"MLflow at {store.shown(self._uri)}: {store.one_line(error)}"
        return left

    def _connect(self) -> None:
        if self._target is not None:
            return
        client = store.connect(self._uri, self._artifacts)
        study = {"name": self._folder.name, **read_study(self._folder)}
        owner = study.get("within", study)["name"]  # the stages of a recipe are runs of its experiment
        experiment = store.experiment_id(client, self._uri, owner, self._artifacts)
        found = self._found(Target(client, experiment, self._folder), study["uid"])
        self._target = Target(client, experiment, self._folder)
        self._sent.keep({name: run.info.run_id for name, run in found.items()})
        run = found.pop(STUDY).info.run_id if STUDY in found else None
        self._parent = Parent(self._target, self._sent, run, study)
        self._children = Children(self._target, self._sent, self._parent, self._artifact_bytes)
        for name, child in found.items():
            self._children.adopt(name, child)
        self._parent.send()

    def _found(self, target: Target, uid: str) -> dict[str, "Run"]:
        """Find the runs that exist: a kill may have come between creating one and noting its id."""
        found: dict[str, Run] = {}
        for run in search(target.client, target.experiment, f"tags.`{UID}` = '{uid}'"):
            name = run.data.tags.get(TRIAL, STUDY)
            if run.info.status == WITHDRAWN:
                continue
            if name in found:
                run = self._drop_one(target, name, found[name], run)
            found[name] = run
        for name, run in found.items():
            if run.info.lifecycle_stage == "deleted" and name == STUDY:
                target.client.restore_run(run.info.run_id)
            elif run.info.lifecycle_stage == "deleted":
                self._refused[name] = f"the run of {name} was deleted in MLflow: {run.info.run_id}"
        return found

    def _drop_one(self, target: Target, name: str, older: "Run", younger: "Run") -> "Run":
        """Withdraw one of two runs of a trial: a server that hung may create one after the sender gave up on it."""
        keep, drop = (younger, older) if self._sent.run(name) == younger.info.run_id else (older, younger)
        if drop.info.lifecycle_stage == "active" and SUPERSEDED not in drop.data.tags:
            target.client.set_tag(drop.info.run_id, SUPERSEDED, "true")
            target.client.set_terminated(drop.info.run_id, WITHDRAWN)
        return keep

    def _send(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        if name in self._refused:
            return
        try:
            if name == STUDY:
                self._parent.send()
            else:
                self._children.send(name)
        except MlflowException as error:
            if error.error_code in PERMANENT and name in self._strikes:
                self._refused[name] = f"MLflow refuses {name}: {store.one_line(error)}"
            self._strikes.add(name)
            raise

    def _check_again(self, left: set[str]) -> None:
        """Look for doubled runs once everything has arrived after a failure."""
        if self._doubtful and not left and self._target is not None:
            self._found(self._target, self._parent.study["uid"])
            self._doubtful = False

    def _finish(self) -> None:
        """Bring colours and views up to what has been sent."""
        assert self._target is not None
        parent, searched = self._parent, self._children.searched
        self._children.recolour(final="state" in parent.study)
        view = (self._target.experiment, parent.run, *searched)
        objective = _objective(parent.study)
        if objective is not None and view != self._view:
            client, experiment = self._target.client, self._target.experiment
            prepare_view(client, experiment, parent.run, searched, objective, _factors(parent.study))
            self._view = view


def _factors(study: Mapping[str, Any]) -> list[str]:
    """Return the factors of an ablation, whose trials are compared arm by arm; none for another study."""
    return ((study.get("config") or {}).get("ablation") or {}).get("factors") or []


def _objective(study: Mapping[str, Any]) -> Objective | None:
    """Return what the trials are compared by; a single trial has it in its configuration alone."""
    named = study.get("objective") or (study.get("config") or {}).get("objective")
    if not named:
        return None
    return Objective(**{key: named[key] for key in ("metric", "direction", "reduce", "smooth") if key in named})
