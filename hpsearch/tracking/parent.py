"""The run of a study itself, from the lines of its own event file."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hpsearch.base.journal import Event, read_lines
from hpsearch.base.keys import SINGLE
from hpsearch.tracking import runs
from hpsearch.tracking.events import STUDY, read_trial, trial_files
from hpsearch.tracking.runs import Metric, Trail
from hpsearch.tracking.sent import Sent
from hpsearch.tracking.study_events import fold_study
from hpsearch.tracking.target import TRIAL, UID, Target, search, supersede_runs
from hpsearch.tracking.views import view_path

STATUS = {"COMPLETE": "FINISHED", "FAILED": "FAILED", "RUNNING": "RUNNING"}


class Parent:
    """Sends what a study records of itself; trials outside a study have no parent run.

    Args:
        target: where to.
        sent: what is sent already.
        run: its run, if it has one.
        study: the record so far.

    Attributes:
        study: what the study recorded of itself, as far as it is sent.
        run: its run; None before the first `send` and for trials outside a study.
    """

    def __init__(self, target: Target, sent: Sent, run: str | None, study: dict[str, Any]) -> None:
        self.study = study
        self.run = run
        self._target, self._sent = target, sent
        self._trail: Trail = sent.trail(STUDY, run)
        self._nested = False

    def send(self) -> None:
        """Send the new lines; the run is created when there is none."""
        events, offset = read_lines(self._sent.path(STUDY), self._trail.offset)
        fold_study(events, self.study)
        if self.study["name"] != SINGLE:
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
            target, study = self._target, self.study
            supersede_runs(target.client, target.experiment, study["uid"], study["created"])
        self._target.log(run, self._samples(events))
        if "best" in kinds:
            best = self.study["best"]
            self._target.log(run, runs.best_metrics(best), tags=runs.best_tags(best))
        for event in events:
            if event["event"] == "artifact":
                self._target.file(run, Path(event["path"]), event.get("to") or "")
        if kinds & {"open", "best", "state"}:
            self._describe(run)
        if "state" in kinds:
            self._state(run)

    def _create(self) -> str:
        start = runs.ms(self.study["created"]) if "created" in self.study else None
        tags = runs.study_tags(self.study)
        created = self._target.client.create_run(self._target.experiment, start, tags, self.study["name"])
        return str(created.info.run_id)

    def _nest(self, run: str) -> None:
        """Put the run of a stage under that of its recipe; its own sender may be behind, so until it is there again."""
        if "within" in self.study and not self._nested:
            found = self._within(self.study["within"]["uid"])
            self._target.log(run, tags=found)
            self._nested = bool(found)

    def _within(self, uid: str) -> dict[str, str]:
        """Return the tag that puts this run under that of the recipe it is a stage of."""
        found = search(self._target.client, self._target.experiment, f"tags.`{UID}` = '{uid}'")
        parents = [run.info.run_id for run in found if TRIAL not in run.data.tags]
        return {"mlflow.parentRunId": parents[0]} if parents else {}

    def _open(self, run: str) -> None:
        study = self.study
        words = {key: runs.short(study[key]) for key in ("seed", "sampler", "question") if study.get(key) is not None}
        self._target.log(run, tags={**runs.study_tags(study), **words, "state": "RUNNING"})
        if study.get("config"):
            self._target.yaml(run, study["config"], "config.yaml")
        self._target.status(run, "RUNNING")

    def _samples(self, events: Iterable[Event]) -> list[Metric]:
        metrics: list[Metric] = []
        for event in events:
            if event["event"] == "system":
                self._trail.step += 1
                time, step = runs.ms(event["time"]), self._trail.step
                metrics += [Metric(runs.name(key), value, time, step) for key, value in event["metrics"].items()]
        return metrics

    def _describe(self, run: str) -> None:
        target = self._target
        links = f"[Compare the trials]({view_path(target.experiment)}) · "
        links += f"[Curves]({view_path(target.experiment, curves=True)})"
        text = runs.note(self.study, links)
        target.client.set_tag(run, "mlflow.note.content", text)
        if "within" not in self.study:  # the experiment is the recipe's, and so is what is said of it
            target.client.set_experiment_tag(target.experiment, "mlflow.note.content", text)
        target.client.log_dict(run, self.study, "study.json")

    def _state(self, run: str) -> None:
        state = self.study["state"]
        self._target.log(run, tags={"state": state["state"]})
        self._target.status(run, STATUS.get(state["state"], "SCHEDULED"), state["time"])
        if state["state"] == "COMPLETE" and "best" in self.study:
            self._weights(run, self.study["best"]["point"])

    def _weights(self, run: str, point: int) -> None:
        """Log the weights of the best point's first trial that wrote any."""
        files = (path for path in trial_files(self._target.folder) if path.stem.startswith(f"{point}-"))
        for trial in filter(None, map(read_trial, files)):
            weights = [name for name in trial.artifacts if name.endswith(".safetensors")]
            for name in weights:
                self._target.file(run, Path(trial.folder) / name, "best")
            if weights:
                return
