"""The runs of a study's trials in a tracking store, from the lines of their event files."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.base.inside import check_name, inside
from hpsearch.base.journal import Event
from hpsearch.base.media import IMAGE, Medium
from hpsearch.base.types import TrialId, TrialState
from hpsearch.tracking import runs
from hpsearch.tracking.colours import Colours
from hpsearch.tracking.events import TrialRecord, replay_command
from hpsearch.tracking.lines import read_events
from hpsearch.tracking.mlflow_internals import log_picture, media_path
from hpsearch.tracking.runs import Metric, Trail
from hpsearch.tracking.sent import Sent
from hpsearch.tracking.study_run import StudyRun
from hpsearch.tracking.theirs import untouched
from hpsearch.tracking.writer import FoundRun, Writer, log_file, log_yaml, withdraw


class TrialRuns:
    """The runs of a study's trials.

    Args:
        writer: where to.
        folder: of the study.
        sent: what is sent already.
        study_run: that of the study they belong to.
        artifact_bytes: larger files of a trial stay in its folder.

    Attributes:
        searched: the searched hyperparameters met so far, the main one first.
    """

    def __init__(self, writer: Writer, folder: Path, sent: Sent, study_run: StudyRun, artifact_bytes: float) -> None:
        self.searched: dict[str, None] = {}
        self._writer, self._folder, self._sent, self._study_run = writer, folder, sent, study_run
        self._artifact_bytes = artifact_bytes
        self._runs: dict[str, str] = {}
        self._specified: dict[str, float] = {}
        self._scores: dict[str, float | None] = {}
        self._trails: dict[str, Trail] = {}
        self._rounded: set[str] = set()
        self._colours = Colours()

    def adopt(self, name: str, run: FoundRun) -> None:
        """Take over a run that exists."""
        self._runs[name], kept = run.id, runs.joined(run.tags, run.id)
        self._specified[name], self._scores[name] = kept.get("queued", math.nan), kept.get("score")
        self._colour(name, kept.get("params", {}), run.tags.get(runs.COLOUR))
        if kept and "names" not in kept:
            self._rounded.add(name)  # a version that rounded parameters made it, and they cannot be changed

    def send(self, name: str) -> None:
        """Send the new lines of one trial; its run is created when it has started."""
        trail = self._trails[name] = self._trails.get(name) or self._found(name)
        events, offset = read_events(self._sent.path(name), trail.offset)
        if not events:
            return
        withdrawn = trail.run if any(map(runs.is_renewal, events)) else None
        known = len(trail.names)
        metrics = trail.take(events)
        trail.offset = offset
        with self._writer.together():
            if withdrawn is not None:
                withdraw(self._writer, withdrawn)
                self._forget(name)
            if trail.fold.started is not None:
                told = any(event["event"] != "report" for event in events)
                self._send(name, trail, events, metrics, told or bool(trail.nonfinite) or len(trail.names) > known)
        self._sent.save(name, trail)
        if trail.fold.state.finished:
            del self._trails[name]

    def _found(self, name: str) -> Trail:
        """Return how far a trial is sent; the run of another training of its name, lost on record, is withdrawn."""
        run = self._runs.get(name)
        if run is not None and self._is_other(name):
            with self._writer.together():
                withdraw(self._writer, run)
            self._forget(name)
            return Trail()
        return self._sent.trail(name, run)

    def _forget(self, name: str) -> None:
        """Let go of the run of a trial that has been withdrawn."""
        del self._runs[name]
        self._scores.pop(name, None)
        self._rounded.discard(name)

    def _is_other(self, name: str) -> bool:
        events, _ = read_events(self._sent.path(name))
        there = self._specified.get(name, math.nan)
        return bool(events) and not math.isnan(there) and events[0]["time"] != there

    def _send(self, name: str, trail: Trail, events: Sequence[Event], metrics: Sequence[Metric], told: bool) -> None:
        """Send everything of one kind in one call; tags where the record says more than reports."""
        record, params, tags = trail.fold.record(), dict[str, str](), dict[str, str]()
        study = self._study_run.study["name"]
        begins = trail.run is None or self._sent.run(name) != trail.run or any(e["event"] == "spec" for e in events)
        replay = replay_command(study, record) if told or begins else ""
        if told:
            tags = runs.trial_tags(study, trail, record, replay)
            metrics = [*metrics, *self._score(name, record)]
        if begins:
            params = {} if name in self._rounded else runs.trial_params(record)
            tags |= {**self._colour(name, record.params), runs.NAME: runs.trial_name(record)}
        if trail.run is None:
            trail.run, tags = self._create(name, record, tags), {}
        elif tags:
            tags = untouched(self._writer.tags(trail.run), tags)
        run = self._runs[name] = trail.run
        self._writer.log(run, metrics, params, {**tags, runs.SENT: str(trail.offset)})
        if begins:
            log_yaml(self._writer, run, record.config, "config.yaml")
            if runs.is_cut(replay):
                self._writer.content(run, replay.encode(), "replay.txt")
        if told:
            self._describe(run, record, events)

    def _score(self, name: str, record: TrialRecord) -> list[Metric]:
        """Return the score of a trial, unless its run has it from before the line that said so was lost."""
        known, self._scores[name] = self._scores.get(name), record.score
        return runs.score_metric(record) if record.score != known else []

    def recolour(self, final: bool) -> None:
        """Bring the colours of earlier runs up to the scale of all values."""
        for name, colour in self._colours.outdated(final).items():
            there = self._writer.tags(self._runs[name])
            self._writer.log(self._runs[name], tags=untouched(there, {runs.COLOUR: colour}))

    def _create(self, name: str, record: TrialRecord, tags: Mapping[str, str]) -> str:
        assert record.started is not None
        tags = {**runs.study_tags(self._study_run.study), runs.TRIAL: name, **tags}
        if self._study_run.run is not None:
            tags["mlflow.parentRunId"] = self._study_run.run
        if (origin := self._origin(record)) is not None:
            tags[runs.CONTINUED_RUN] = origin
        return self._writer.create(tags[runs.NAME], runs.ms(record.started), untouched({}, tags))

    def _origin(self, record: TrialRecord) -> str | None:
        """Return the run of the trial that a trial goes on from."""
        name = record.facts.get(runs.CONTINUED)
        if name is None:
            return None
        study, *place = str(name).split("/")
        check_name(study)
        return self._sent.run_beside(study, TrialId(*map(int, place)).stem)

    def _colour(self, name: str, params: Mapping[str, Any], told: str | None = None) -> dict[str, str]:
        self.searched.update(dict.fromkeys(params))
        main = next(iter(self.searched), None)
        if main is None or main not in params:
            return {}
        return {runs.COLOUR: self._colours.colour(name, params[main], told)}

    def _describe(self, run: str, record: TrialRecord, events: Sequence[Event]) -> None:
        """Set the status, and log data, traceback and files."""
        self._writer.status(run, runs.STATUS[record.state], record.ended)
        if any("data.digest" in event.get("facts", ()) for event in events):
            self._writer.input(run, *runs.data_input(record))
        if record.state is TrialState.FAILED and record.traceback:
            self._writer.content(run, record.traceback.encode(), "traceback.txt")
        if record.state.finished:
            for artifact in record.artifacts:
                path, medium = inside(self._folder, Path(record.folder) / artifact), Medium.of(artifact)
                if medium is not None and medium.kind == IMAGE:
                    log_picture(self._writer, run, path, media_path(record, medium))
                else:
                    log_file(self._writer, run, path, Path(artifact).parent.as_posix(), self._artifact_bytes)
