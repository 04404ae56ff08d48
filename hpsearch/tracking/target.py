"""Calls of an MLflow client that know its limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.tracking.runs import Metric, ms

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

METRICS_PER_CALL, OTHERS_PER_CALL = 800, 100  # a server takes 1000 items in all
FINAL = frozenset({"FINISHED", "FAILED", "KILLED"})
SUPERSEDED = "superseded"
UID = "hpsearch.uid"
TRIAL = "hpsearch.trial"


@dataclass(frozen=True, slots=True)
class Target:
    """Where one study goes.

    Attributes:
        client: of the store.
        experiment: id of the study's experiment.
        folder: the study's folder, which artifact paths are relative to.
    """

    client: "MlflowClient"
    experiment: str
    folder: Path

    def log(
        self,
        run: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log values in as few calls as the store takes; logging the same ones again changes nothing."""
        from mlflow import entities

        values = [entities.Metric(*metric) for metric in metrics]
        words = [entities.Param(*pair) for pair in (params or {}).items()]
        labels = [entities.RunTag(*pair) for pair in (tags or {}).items()]
        longest = max(-(-len(values) // METRICS_PER_CALL), -(-max(len(words), len(labels)) // OTHERS_PER_CALL))
        for call in range(longest):
            many = slice(call * METRICS_PER_CALL, (call + 1) * METRICS_PER_CALL)
            some = slice(call * OTHERS_PER_CALL, (call + 1) * OTHERS_PER_CALL)
            self.client.log_batch(run, values[many], words[some], labels[some])

    def yaml(self, run: str, value: Mapping[str, Any], file: str) -> None:
        """Log nested plain containers as a YAML artifact."""
        import yaml

        self.client.log_text(run, yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True), file)

    def file(self, run: str, path: Path, to: str = "", limit_bytes: float = float("inf")) -> None:
        """Log a file of the study's folder as an artifact; one that is gone or too large is left out."""
        source = self.folder / path
        if source.is_file() and source.stat().st_size <= limit_bytes:
            self.client.log_artifact(run, str(source), None if to in ("", ".") else to)

    def status(self, run: str, status: str, ended: float | None = None) -> None:
        """Set a run's status; a final one takes the time it ended."""
        if status in FINAL and ended is not None:
            self.client.set_terminated(run, status, ms(ended))
        else:
            self.client.update_run(run, status=status)


def search(client: "MlflowClient", experiment: str, query: str = "") -> "list[Run]":
    """Return every run of an experiment that a query finds, deleted ones too, the oldest first."""
    from mlflow.entities import ViewType

    found: list[Run] = []
    token = None
    while True:
        page = client.search_runs([experiment], query, ViewType.ALL, 1000, ["attributes.start_time ASC"], token)
        found += page
        token = page.token
        if not token:
            return found


def supersede_runs(client: "MlflowClient", experiment: str, keep: str, before: float) -> None:
    """Tag the runs of an experiment as superseded; queries skip them.

    Args:
        client: of the store.
        experiment: whose runs.
        keep: uid of the study whose runs stay.
        before: when that study was started, in seconds since the Unix epoch; younger runs belong to a later one.
    """
    old = [
        run.info.run_id
        for run in search(client, experiment)
        if run.data.tags.get(UID) not in (None, keep)
        and SUPERSEDED not in run.data.tags
        and run.info.start_time < ms(before)
        and run.info.lifecycle_stage == "active"
    ]
    for run in old:
        client.set_tag(run, SUPERSEDED, "true")
