"""Runs written through MLflow's own client: to servers, and to files that `embedded_writer` does not know."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hpsearch.base.errors import StorageError
from hpsearch.base.leftovers import temporary_folder
from hpsearch.tracking import store
from hpsearch.tracking.home import SENT_FROM, FoundExperiment, Home
from hpsearch.tracking.runs import UID, Metric, ms
from hpsearch.tracking.writer import FINAL, FoundRun, Refusal

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

METRICS_PER_CALL, OTHERS_PER_CALL = 800, 100  # a server takes 1000 items in all
PERMANENT = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE"})


class ClientWriter:
    """Writes in calls as large as a store takes; see `hpsearch.tracking.writer.Writer`.

    Args:
        uri: absolute address of the store.
        artifacts: folder of the artifacts of an embedded store.
    """

    files_together = 1

    def __init__(self, uri: str, artifacts: Path) -> None:
        self.experiment = ""
        self._uri, self._artifacts = uri, artifacts
        self._client: MlflowClient = store.connect(uri, artifacts)

    def enter(self, home: Home) -> FoundExperiment:
        """Find or create the experiment of a study."""
        found = home.chosen(self._experiments(home)) or self._created(home)
        self.experiment = found.id
        return found

    def _experiments(self, home: Home) -> Iterator[FoundExperiment]:
        """Yield those that may be it; as a rule the first one is."""
        from mlflow.entities import ViewType

        for uid in home.places:
            query = f"tags.`{SENT_FROM}{uid}` LIKE '%'"
            yield from map(_experiment, self._client.search_experiments(ViewType.ALL, filter_string=query))
        for name in home.names:
            found = self._client.get_experiment_by_name(name)
            yield from [] if found is None else [_experiment(found)]

    def _created(self, home: Home) -> FoundExperiment:
        """Create it; another sender of the study, or of its recipe, may have done so meanwhile."""
        from mlflow.exceptions import MlflowException

        local = not self._uri.startswith(("http", "databricks"))
        for name in home.names:
            location = (self._artifacts / name).as_uri() if local else None
            try:
                made = self._client.create_experiment(name, location, home.tags)
                return FoundExperiment(str(made), name, False, home.tags)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            if (found := home.chosen(self._experiments(home))) is not None:
                return found
        raise StorageError(f"no experiment can be called {' or '.join(home.names)}")

    def revive(self) -> None:
        """Bring the experiment back."""
        self._client.restore_experiment(self.experiment)

    def stands(self) -> bool:
        """Return True: what MLflow opened is its own affair."""
        return True

    @contextmanager
    def together(self) -> Iterator[None]:
        """Turn what MLflow will never take into a Refusal; each call arrives by itself."""
        from mlflow.exceptions import MlflowException, RestException

        speaks: type[MlflowException] = RestException if self._uri.startswith("http") else MlflowException  # no gateway
        try:
            yield
        except MlflowException as error:
            if isinstance(error, speaks) and error.error_code in PERMANENT:
                raise Refusal(store.one_line(error)) from error
            raise

    def find(self, uid: str | None = None) -> list[FoundRun]:
        """Search for runs."""
        query = "" if uid is None else f"tags.`{UID}` = '{uid}'"
        return [
            FoundRun(run.info.run_id, run.info.status, run.info.start_time, _deleted(run.info), run.data.tags)
            for run in store.search(self._client, self.experiment, query)
        ]

    def restore(self, run: str) -> None:
        """Bring a run back."""
        self._client.restore_run(run)

    def create(self, title: str, started_ms: int | None, tags: Mapping[str, str]) -> str:
        """Create a run with as many tags as a call takes, then log the others."""
        pairs = list(tags.items())
        first, others = dict(pairs[:OTHERS_PER_CALL]), dict(pairs[OTHERS_PER_CALL:])
        run = str(self._client.create_run(self.experiment, started_ms, first, title).info.run_id)
        self.log(run, tags=others)
        return run

    def log(
        self,
        run: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log values in as few calls as the store takes."""
        from mlflow import entities

        values = [entities.Metric(*metric) for metric in metrics]
        words = [entities.Param(*pair) for pair in (params or {}).items()]
        labels = [entities.RunTag(*pair) for pair in (tags or {}).items()]
        longest = max(-(-len(values) // METRICS_PER_CALL), -(-max(len(words), len(labels)) // OTHERS_PER_CALL))
        for call in range(longest):
            many = slice(call * METRICS_PER_CALL, (call + 1) * METRICS_PER_CALL)
            some = slice(call * OTHERS_PER_CALL, (call + 1) * OTHERS_PER_CALL)
            self._client.log_batch(run, values[many], words[some], labels[some])

    def tags(self, run: str | None = None) -> dict[str, str]:
        """Ask for a run, or for the experiment."""
        if run is None:
            return dict(self._client.get_experiment(self.experiment).tags)
        return dict(self._client.get_run(run).data.tags)

    def status(self, run: str, status: str, ended: float | None = None) -> None:
        """Set a run's status."""
        if status in FINAL and ended is not None:
            self._client.set_terminated(run, status, ms(ended))
        else:
            self._client.update_run(run, status=status)

    def input(self, run: str, title: str, digest: str) -> None:
        """Log a dataset without a source."""
        from mlflow.entities import Dataset, DatasetInput

        self._client.log_inputs(run, [DatasetInput(Dataset(title, digest, "local", "{}"))])

    def content(self, run: str, data: bytes, path: str) -> None:
        """Upload bytes by way of a file."""
        with temporary_folder() as folder:
            file = Path(folder) / Path(path).name
            file.write_bytes(data)
            self.file(run, file, Path(path).parent.as_posix())

    def file(self, run: str, source: Path, folder: str = "") -> None:
        """Upload a file."""
        self._client.log_artifact(run, str(source), None if folder in ("", ".") else folder)

    def describe(self, tags: Mapping[str, str]) -> None:
        """Set tags of the experiment, a call each."""
        for key, value in tags.items():
            self._client.set_experiment_tag(self.experiment, key, value)

    def close(self) -> None:
        """Do nothing: MLflow keeps its connections."""


def _experiment(found: "Experiment") -> FoundExperiment:
    return FoundExperiment(str(found.experiment_id), found.name, _deleted(found), dict(found.tags))


def _deleted(info: object) -> bool:
    return getattr(info, "lifecycle_stage", "active") == "deleted"
