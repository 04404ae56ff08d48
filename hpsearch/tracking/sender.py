"""Sends a study's event files to an MLflow store, now or later, once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.journal import Event, read_lines
from hpsearch.base.keys import is_single
from hpsearch.base.media import IMAGE, Medium
from hpsearch.base.passwords import without_password
from hpsearch.base.types import Objective, TrialId, TrialState
from hpsearch.tracking import runs, store
from hpsearch.tracking.colours import Colours
from hpsearch.tracking.events import STUDY, TrialRecord, fold_study, read_study, read_trial, replay_command, trial_files
from hpsearch.tracking.mlflow_internals import log_picture, media_path, prepare_view, view_path
from hpsearch.tracking.runs import Metric, Trail
from hpsearch.tracking.sent import Sent
from hpsearch.tracking.store import WITHDRAWN, ExperimentWriter

if TYPE_CHECKING:
    from mlflow.entities import Run

PERMANENT = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE"})


class StudyRun:
    """The run of a study itself, from the lines of its own event file; trials outside a study have no parent run.

    Args:
        writer: where to.
        sent: what is sent already.
        run: its run, if it has one.
        study: the record so far.

    Attributes:
        study: what the study recorded of itself, as far as it is sent.
        run: its run; None before the first `send` and for trials outside a study.
    """

    def __init__(self, writer: ExperimentWriter, sent: Sent, run: str | None, study: dict[str, Any]) -> None:
        self.study = study
        self.run = run
        self._writer, self._sent = writer, sent
        self._trail: Trail = sent.trail(STUDY, run)
        self._nested = False

    def send(self) -> None:
        """Send the new lines; the run is created when there is none."""
        events, offset = read_lines(self._sent.path(STUDY), self._trail.offset)
        fold_study(events, self.study)
        if not is_single(self.study["name"]):
            self._send(events)
        if events:
            self._trail.offset = offset
            self._sent.save(STUDY, self._trail)

    def _send(self, events: Sequence[Event]) -> None:
        run = self._trail.run = self.run = self.run or self._create()
        self._nest(run)
        kinds = {event["event"] for event in events}
        if "open" in kinds:
            self._open(run)
        if any(event["event"] == "open" and event.get("restart") for event in events) and "within" not in self.study:
            writer, study = self._writer, self.study
            store.supersede_runs(writer.client, writer.experiment, study["uid"], study["created"])
        self._writer.log(run, self._samples(events))
        if "best" in kinds:
            best = self.study["best"]
            self._writer.log(run, runs.best_metrics(best), tags=runs.best_tags(best))
        for event in events:
            if event["event"] == "artifact":
                self._writer.file(run, Path(event["path"]), event.get("to") or "")
        if kinds & {"open", "best", "state"}:
            self._describe(run)
        if "state" in kinds:
            self._state(run)

    def _create(self) -> str:
        start = runs.ms(self.study["created"]) if "created" in self.study else None
        tags = runs.study_tags(self.study)
        created = self._writer.client.create_run(self._writer.experiment, start, tags, self.study["name"])
        return str(created.info.run_id)

    def _nest(self, run: str) -> None:
        """Put the run of a stage under that of its recipe; its own sender may be behind, so until it is there again."""
        if "within" in self.study and not self._nested:
            found = self._within(self.study["within"]["uid"])
            self._writer.log(run, tags=found)
            self._nested = bool(found)

    def _within(self, uid: str) -> dict[str, str]:
        """Return the tag that puts this run under that of the recipe it is a stage of."""
        found = store.search(self._writer.client, self._writer.experiment, f"tags.`{runs.UID}` = '{uid}'")
        parents = [run.info.run_id for run in found if runs.TRIAL not in run.data.tags]
        return {"mlflow.parentRunId": parents[0]} if parents else {}

    def _open(self, run: str) -> None:
        study = self.study
        words = {key: runs.short(study[key]) for key in ("seed", "sampler", "question") if study.get(key) is not None}
        self._writer.log(run, tags={**runs.study_tags(study), **words, "state": "RUNNING"})
        if study.get("config"):
            self._writer.yaml(run, study["config"], "config.yaml")
        self._writer.status(run, "RUNNING")

    def _samples(self, events: Iterable[Event]) -> list[Metric]:
        metrics: list[Metric] = []
        for event in events:
            if event["event"] == "system":
                self._trail.step += 1
                time, step = runs.ms(event["time"]), self._trail.step
                metrics += [Metric(runs.name(key), value, time, step) for key, value in event["metrics"].items()]
        return metrics

    def _describe(self, run: str) -> None:
        writer = self._writer
        links = f"[Compare the trials]({view_path(writer.experiment)}) · "
        links += f"[Curves]({view_path(writer.experiment, curves=True)})"
        text = runs.note(self.study, links)
        writer.client.set_tag(run, "mlflow.note.content", text)
        if "within" not in self.study:  # the experiment is the recipe's, and so is what is said of it
            writer.client.set_experiment_tag(writer.experiment, "mlflow.note.content", text)
        writer.client.log_dict(run, self.study, "study.json")

    def _state(self, run: str) -> None:
        state = self.study["state"]
        self._writer.log(run, tags={"state": state["state"]})
        self._writer.status(run, runs.STUDY_STATUS.get(state["state"], "SCHEDULED"), state["time"])
        if state["state"] == "COMPLETE" and "best" in self.study:
            self._weights(run, self.study["best"]["point"])

    def _weights(self, run: str, point: int) -> None:
        """Log the weights of the best point's first trial that wrote any."""
        files = (path for path in trial_files(self._writer.folder) if path.stem.startswith(f"{point}-"))
        for trial in filter(None, map(read_trial, files)):
            weights = [name for name in trial.artifacts if name.endswith(".safetensors")]
            for name in weights:
                self._writer.file(run, Path(trial.folder) / name, "best")
            if weights:
                return


class TrialRuns:
    """The runs of a study's trials, from the lines of their event files.

    Args:
        writer: where to.
        sent: what is sent already.
        study_run: that of the study they belong to.
        artifact_bytes: larger files of a trial stay in its folder.

    Attributes:
        searched: the searched hyperparameters met so far, the main one first.
    """

    def __init__(self, writer: ExperimentWriter, sent: Sent, study_run: StudyRun, artifact_bytes: float) -> None:
        self.searched: dict[str, None] = {}
        self._writer, self._sent, self._study_run = writer, sent, study_run
        self._artifact_bytes = artifact_bytes
        self._runs: dict[str, str] = {}
        self._trails: dict[str, Trail] = {}
        self._colours = Colours()

    def adopt(self, name: str, run: "Run") -> None:
        """Take over a run that exists."""
        self._runs[name] = run.info.run_id
        self._colour(name, runs.joined(run.data.tags).get("params", {}), run.data.tags.get(runs.COLOUR))

    def send(self, name: str) -> None:
        """Send the new lines of one trial; its run is created when it has started."""
        trail = self._trails.setdefault(name, self._sent.trail(name, self._runs.get(name)))
        events, offset = read_lines(self._sent.path(name), trail.offset)
        if not events:
            return
        if trail.run is not None and any(map(runs.is_renewal, events)):
            self._writer.withdraw(trail.run)
            del self._runs[name]
        metrics = trail.take(events)
        trail.offset = offset
        if trail.fold.started is not None:
            self._send(name, trail, events, metrics)
        self._sent.save(name, trail)
        if trail.fold.state.finished:
            del self._trails[name]

    def _send(self, name: str, trail: Trail, events: Sequence[Event], metrics: Sequence[Metric]) -> None:
        record = trail.fold.record()
        run = trail.run = self._runs[name] = trail.run or self._create(name, record)
        if self._sent.run(name) != run or any(event["event"] == "spec" for event in events):
            self._writer.yaml(run, record.config, "config.yaml")
            self._replay(run, record)
            tags = {**self._colour(name, record.params), "mlflow.runName": runs.trial_name(record)}
            self._writer.log(run, params=runs.trial_params(record), tags=tags)
        if all(event["event"] == "report" for event in events) and not trail.nonfinite:
            self._writer.log(run, metrics)
        else:
            tags = runs.trial_tags(self._study_run.study["name"], trail)
            self._writer.log(run, [*metrics, *runs.score_metric(record)], tags=tags)
            self._describe(run, record, events)

    def _replay(self, run: str, record: TrialRecord) -> None:
        """Keep the command of a trial whole where it is too long for a tag."""
        study = self._study_run.study["name"]
        if (whole := replay_command(study, record)) != runs.replay_tag(study, record):
            self._writer.text(run, whole, "replay.txt")

    def recolour(self, final: bool) -> None:
        """Bring the colours of earlier runs up to the scale of all values."""
        for name, colour in self._colours.outdated(final).items():
            self._writer.client.set_tag(self._runs[name], runs.COLOUR, colour)

    def _create(self, name: str, record: TrialRecord) -> str:
        assert record.started is not None
        tags = {**runs.study_tags(self._study_run.study), runs.TRIAL: name}
        if self._study_run.run is not None:
            tags["mlflow.parentRunId"] = self._study_run.run
        if (origin := self._origin(record)) is not None:
            tags[runs.CONTINUED_RUN] = origin
        client, title = self._writer.client, runs.trial_name(record)
        return str(client.create_run(self._writer.experiment, runs.ms(record.started), tags, title).info.run_id)

    def _origin(self, record: TrialRecord) -> str | None:
        """Return the run of the trial that a trial goes on from."""
        name = record.facts.get(runs.CONTINUED)
        if name is None:
            return None
        study, *place = str(name).split("/")
        return self._sent.run_beside(study, TrialId(*map(int, place)).stem)

    def _colour(self, name: str, params: Mapping[str, Any], told: str | None = None) -> dict[str, str]:
        self.searched.update(dict.fromkeys(params))
        main = next(iter(self.searched), None)
        if main is None or main not in params:
            return {}
        return {runs.COLOUR: self._colours.colour(name, params[main], told)}

    def _describe(self, run: str, record: TrialRecord, events: Sequence[Event]) -> None:
        self._writer.status(run, runs.STATUS[record.state], record.ended)
        if any("data.digest" in event.get("facts", ()) for event in events):
            self._writer.client.log_inputs(run, runs.data_inputs(record))
        if record.state is TrialState.FAILED and record.traceback:
            self._writer.client.log_text(run, record.traceback, "traceback.txt")
        if record.state.finished:
            for artifact in record.artifacts:
                path, medium = Path(record.folder) / artifact, Medium.of(artifact)
                if medium is not None and medium.kind == IMAGE:
                    log_picture(self._writer.client, run, self._writer.folder / path, media_path(record, medium))
                else:
                    self._writer.file(run, path, str(Path(artifact).parent), self._artifact_bytes)


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
        self._writer: ExperimentWriter | None = None
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
            self._writer = None
            self._doubtful = True
            self.problem = f"MLflow at {without_password(self._uri)}: {store.one_line(error)}"
        return left

    def _connect(self) -> None:
        if self._writer is not None:
            return
        client = store.connect(self._uri, self._artifacts)
        study = {"name": self._folder.name, **read_study(self._folder)}
        owner = study.get("within", study)["name"]  # the stages of a recipe are runs of its experiment
        experiment = store.experiment_id(client, self._uri, owner, self._artifacts)
        writer = ExperimentWriter(client, experiment, self._folder)
        existing = self._existing_runs(writer, study["uid"])
        self._sent.keep({name: run.info.run_id for name, run in existing.items()})
        run = existing.pop(STUDY).info.run_id if STUDY in existing else None
        self._study_run = StudyRun(writer, self._sent, run, study)
        self._trial_runs = TrialRuns(writer, self._sent, self._study_run, self._artifact_bytes)
        for name, child in existing.items():
            self._trial_runs.adopt(name, child)
        self._writer = writer
        self._study_run.send()

    def _existing_runs(self, writer: ExperimentWriter, uid: str) -> dict[str, "Run"]:
        """Find the runs that exist: a kill may have come between creating one and noting its id."""
        existing: dict[str, Run] = {}
        for run in store.search(writer.client, writer.experiment, f"tags.`{runs.UID}` = '{uid}'"):
            name = run.data.tags.get(runs.TRIAL, STUDY)
            if run.info.status == WITHDRAWN:
                continue
            if name in existing:
                run = self._drop_one(writer, name, existing[name], run)
            existing[name] = run
        for name, run in existing.items():
            if run.info.lifecycle_stage == "deleted" and name == STUDY:
                writer.client.restore_run(run.info.run_id)
            elif run.info.lifecycle_stage == "deleted":
                self._refused[name] = f"the run of {name} was deleted in MLflow: {run.info.run_id}"
        return existing

    def _drop_one(self, writer: ExperimentWriter, name: str, older: "Run", younger: "Run") -> "Run":
        """Withdraw one of two runs of a trial: a server that hung may create one after the sender gave up on it."""
        keep, drop = (younger, older) if self._sent.run(name) == younger.info.run_id else (older, younger)
        if drop.info.lifecycle_stage == "active" and runs.SUPERSEDED not in drop.data.tags:
            writer.withdraw(drop.info.run_id)
        return keep

    def _send(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        if name in self._refused:
            return
        try:
            if name == STUDY:
                self._study_run.send()
            else:
                self._trial_runs.send(name)
        except MlflowException as error:
            if error.error_code in PERMANENT and name in self._strikes:
                self._refused[name] = f"MLflow refuses {name}: {store.one_line(error)}"
            self._strikes.add(name)
            raise

    def _check_again(self, left: set[str]) -> None:
        """Look for doubled runs once everything has arrived after a failure."""
        if self._doubtful and not left and self._writer is not None:
            self._existing_runs(self._writer, self._study_run.study["uid"])
            self._doubtful = False

    def _finish(self) -> None:
        """Bring colours and views up to what has been sent."""
        assert self._writer is not None
        study_run, searched = self._study_run, self._trial_runs.searched
        self._trial_runs.recolour(final="state" in study_run.study)
        view = (self._writer.experiment, study_run.run, *searched)
        objective = _objective(study_run.study)
        if objective is not None and view != self._view:
            client, experiment = self._writer.client, self._writer.experiment
            prepare_view(client, experiment, study_run.run, searched, objective, _factors(study_run.study))
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
