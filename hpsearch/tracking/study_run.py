"""The run of a study itself in a tracking store, from the lines of its own event file."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hpsearch.base.inside import inside
from hpsearch.base.journal import Event
from hpsearch.base.keys import is_single
from hpsearch.tracking import runs
from hpsearch.tracking.events import STUDY, fold_study, read_trial, trial_files
from hpsearch.tracking.identity import SUPERSEDES
from hpsearch.tracking.lines import STUDY_RULES, read_events
from hpsearch.tracking.mlflow_internals import view_path
from hpsearch.tracking.names import name
from hpsearch.tracking.runs import Metric, Trail
from hpsearch.tracking.sent import Sent
from hpsearch.tracking.theirs import untouched
from hpsearch.tracking.writer import FoundRun, Writer, log_file, log_yaml, supersede_runs

DESCRIBED = frozenset({"open", "best", "state"})
"""Lines that change what is said of a study."""


class StudyRun:
    """The run of a study; trials outside a study have no parent run.

    Args:
        writer: where to.
        folder: of the study.
        sent: what is sent already.
        found: its run, if it has one; one that was deleted is brought back when there is more to say of it.
        study: the record so far, under the uids that runs carry.

    Attributes:
        study: what the study recorded of itself, as far as it is sent.
        run: its run; None before the first `send` and for trials outside a study.
    """

    def __init__(self, writer: Writer, folder: Path, sent: Sent, found: FoundRun | None, study: dict[str, Any]) -> None:
        self.study = study
        self.run = run = None if found is None else found.id
        self._uids = {key: study[key] for key in ("uid", "within", runs.SUPERSEDED) if key in study}
        self._deleted = found is not None and found.deleted
        self._writer, self._folder, self._sent = writer, folder, sent
        self._trail: Trail = sent.trail(STUDY, run)
        self._nested = False

    def send(self) -> None:
        """Send the new lines; the run is created when there is none."""
        events, offset = read_events(self._sent.path(STUDY), self._trail.offset, rules=STUDY_RULES)
        fold_study(events, self.study).update(self._uids)
        if not is_single(self.study["name"]):
            with self._writer.together():
                self._send(events, offset)
        if events:
            self._trail.offset = offset
            self._sent.save(STUDY, self._trail)

    def _send(self, events: Sequence[Event], offset: int) -> None:
        writer, study = self._writer, self.study
        if self._deleted and self.run is not None:
            writer.restore(self.run)
            self._deleted = False
        run = self._trail.run = self.run = self.run or self._create()
        kinds = {event["event"] for event in events}
        metrics, tags = self._samples(events), self._nesting()
        if "open" in kinds:
            tags |= self._opening()
            if study.get("config"):
                log_yaml(writer, run, study["config"], "config.yaml")
        if any(event["event"] == "open" and event.get(SUPERSEDES) for event in events):
            supersede_runs(writer, study[SUPERSEDES])
        if "best" in kinds:
            metrics += runs.best_metrics(study["best"])
            tags |= runs.best_tags(study["best"])
        if kinds & DESCRIBED:
            tags |= self._description(run)
        if "state" in kinds:
            tags["state"] = study["state"]["state"]
        tags = untouched(writer.tags(run), tags) if tags else {}
        writer.log(run, metrics, tags={**tags, runs.SENT: str(offset)})
        self._finish(run, events, kinds)

    def _create(self) -> str:
        start = runs.ms(self.study["created"]) if "created" in self.study else None
        return self._writer.create(self.study["name"], start, untouched({}, runs.study_tags(self.study)))

    def _nesting(self) -> dict[str, str]:
        """Return the tag that puts a stage under its recipe, whose sender may be behind, until it is there."""
        if "within" not in self.study or self._nested:
            return {}
        found = self._writer.find(self.study["within"]["uid"])
        parents = [run.id for run in found if runs.TRIAL not in run.tags]
        self._nested = bool(parents)
        return {"mlflow.parentRunId": parents[0]} if parents else {}

    def _opening(self) -> dict[str, str]:
        study = self.study
        words = {key: runs.short(study[key]) for key in ("seed", "sampler", "question") if study.get(key) is not None}
        return {**runs.study_tags(study), **words, "state": "RUNNING"}

    def _samples(self, events: Iterable[Event]) -> list[Metric]:
        metrics: list[Metric] = []
        for event in events:
            if event["event"] == "system":
                self._trail.step += 1
                time, step = runs.ms(event["time"]), self._trail.step
                metrics += [Metric(name(key), value, time, step) for key, value in event["metrics"].items()]
        return metrics

    def _description(self, run: str) -> dict[str, str]:
        writer = self._writer
        links = f"[Compare the trials]({view_path(writer.experiment)}) · "
        links += f"[Curves]({view_path(writer.experiment, curves=True)})"
        told = {"mlflow.note.content": runs.note(self.study, links)}
        if "within" not in self.study:  # the experiment is the recipe's, and so is what is said of it
            writer.describe(untouched(writer.tags(), told, sign=links))
        writer.content(run, json.dumps(self.study, indent=2, default=str).encode(), "study.json")
        return told

    def _finish(self, run: str, events: Iterable[Event], kinds: set[str]) -> None:
        """Set the status, and log the files that the study names or has in the end."""
        if "open" in kinds and "state" not in kinds:
            self._writer.status(run, "RUNNING")
        for event in events:
            if event["event"] == "artifact":
                log_file(self._writer, run, inside(self._folder, event["path"]), event.get("to") or "")
        if "state" not in kinds:
            return
        state = self.study["state"]
        self._writer.status(run, runs.STUDY_STATUS.get(state["state"], "SCHEDULED"), state["time"])
        if state["state"] == "COMPLETE" and "best" in self.study:
            self._weights(run, self.study["best"]["point"])

    def _weights(self, run: str, point: int) -> None:
        """Log the weights of the best point's first trial that wrote any."""
        files = (path for path in trial_files(self._folder) if path.stem.startswith(f"{point}-"))
        for trial in filter(None, map(read_trial, files)):
            weights = [name for name in trial.artifacts if name.endswith(".safetensors")]
            for each in weights:
                log_file(self._writer, run, inside(self._folder, Path(trial.folder) / each), "best")
            if weights:
                return
