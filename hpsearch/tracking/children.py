"""The runs of a study's trials, from the lines of their event files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.journal import Event, read_lines
from hpsearch.base.types import TrialState
from hpsearch.tracking import runs
from hpsearch.tracking.colours import Colours
from hpsearch.tracking.events import TrialRecord
from hpsearch.tracking.parent import Parent
from hpsearch.tracking.runs import Metric, Trail
from hpsearch.tracking.sent import Sent
from hpsearch.tracking.target import TRIAL, Target

if TYPE_CHECKING:
    from mlflow.entities import Run

COLOUR = "mlflow.runColor"


class Children:
    """Sends trials, each to a run of its own.

    Args:
        target: where to.
        sent: what is sent already.
        parent: the study they belong to.
        artifact_bytes: larger files of a trial stay in its folder.

    Attributes:
        searched: the searched hyperparameters met so far, the main one first.
    """

    def __init__(self, target: Target, sent: Sent, parent: Parent, artifact_bytes: float) -> None:
        self.searched: dict[str, None] = {}
        self._target, self._sent, self._parent = target, sent, parent
        self._artifact_bytes = artifact_bytes
        self._runs: dict[str, str] = {}
        self._trails: dict[str, Trail] = {}
        self._colours = Colours()

    def adopt(self, name: str, run: "Run") -> None:
        """Take over a run that exists."""
        self._runs[name] = run.info.run_id
        self._colour(name, runs.joined(run.data.tags).get("params", {}), run.data.tags.get(COLOUR))

    def send(self, name: str) -> None:
        """Send the new lines of one trial; its run is created when it has started."""
        trail = self._trails.setdefault(name, self._sent.trail(name, self._runs.get(name)))
        events, offset = read_lines(self._sent.path(name), trail.offset)
        if not events:
            return
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
        if self._sent.run(name) is None:
            self._target.yaml(run, record.config, "config.yaml")
            self._target.log(run, params=runs.trial_params(record), tags=self._colour(name, record.params))
        if all(event["event"] == "report" for event in events) and not trail.nonfinite:
            self._target.log(run, metrics)
        else:
            self._target.log(run, [*metrics, *runs.score_metric(record)], tags=runs.trial_tags(trail))
            self._describe(run, record, events)

    def recolour(self, final: bool) -> None:
        """Bring the colours of earlier runs up to the scale of all values."""
        for name, colour in self._colours.outdated(final).items():
            self._target.client.set_tag(self._runs[name], COLOUR, colour)

    def _create(self, name: str, record: TrialRecord) -> str:
        assert record.started is not None
        tags = {**runs.study_tags(self._parent.study), TRIAL: name}
        if self._parent.run is not None:
            tags["mlflow.parentRunId"] = self._parent.run
        client, title = self._target.client, runs.trial_name(record)
        return str(client.create_run(self._target.experiment, runs.ms(record.started), tags, title).info.run_id)

    def _colour(self, name: str, params: Mapping[str, Any], told: str | None = None) -> dict[str, str]:
        self.searched.update(dict.fromkeys(params))
        main = next(iter(self.searched), None)
        return {COLOUR: self._colours.colour(name, params[main], told)} if main is not None and main in params else {}

    def _describe(self, run: str, record: TrialRecord, events: Sequence[Event]) -> None:
        self._target.status(run, runs.STATUS[record.state], record.ended)
        if any("data.digest" in event.get("facts", ()) for event in events):
            self._target.client.log_inputs(run, runs.data_inputs(record))
        if record.state is TrialState.FAILED and record.traceback:
            self._target.client.log_text(run, record.traceback, "traceback.txt")
        if record.state.finished:
            for artifact in record.artifacts:
                path = Path(record.folder) / artifact
                self._target.file(run, path, str(Path(artifact).parent), self._artifact_bytes)
