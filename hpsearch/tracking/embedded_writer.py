"""Runs written straight into MLflow's SQLite file, row for row as its client writes them, at a tenth of the time.

MLflow's client spends some 50 ms of processor time on a run's creation and values, and a second on being imported, all
of it in the driver's process while trials train. Rows are written only into a schema that is known here
(`WRITTEN_FOR_SCHEMA`, of MLflow `mlflow_internals.WRITTEN_FOR`); with any other one the client writes.
``tests/unit/tracking/test_embedded_writer.py`` compares every table with what the client makes of the same calls.
"""

import functools
import math
import os
import posixpath
import re
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath

from hpsearch.base.files import replacement
from hpsearch.base.leftovers import sweep_once
from hpsearch.tracking import store
from hpsearch.tracking.home import SENT_FROM, FoundExperiment, Home
from hpsearch.tracking.mlflow_internals import WRITTEN_FOR, installed_version
from hpsearch.tracking.moved import folder_of
from hpsearch.tracking.runs import NAME, UID, Metric, ms
from hpsearch.tracking.writer import FINAL, FoundRun, Refusal

WRITTEN_FOR_SCHEMA = "dc11669786a5"
"""Revision of the schema whose rows are known here."""
CHANGES_ROWS = ("MLFLOW_ENABLE_WORKSPACES", "MLFLOW_TRUNCATE_LONG_VALUES")
"""Settings of MLflow that change what its client writes."""
BUSY_SEC = 20.0
"""How long another writer is waited for, as MLflow does; then the sender tries again later."""
LONGEST_NAME, LONGEST_PARAM, LONGEST_TAG, LONGEST_EXPERIMENT_TAG = 250, 6000, 8000, 20_000
LARGEST = 1.7976931348623157e308
"""What MLflow keeps of an infinite value."""
NEVER_TAKEN = (sqlite3.IntegrityError, UnicodeEncodeError, OverflowError)
"""Errors of values that no column holds."""

_LATEST = """
INSERT INTO latest_metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key, run_uuid) DO UPDATE SET
    value = excluded.value, timestamp = excluded.timestamp, step = excluded.step, is_nan = excluded.is_nan
WHERE (excluded.step, excluded.timestamp, excluded.value)
    > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)
"""
_METRIC = """
INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_TAG = """
INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)
ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value
"""
_EXPERIMENT_TAG = """
INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?, ?, ?)
ON CONFLICT (key, experiment_id) DO UPDATE SET value = excluded.value
"""
_RUN = """
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,
    source_version, lifecycle_stage, artifact_uri, experiment_id)
VALUES (?, ?, 'UNKNOWN', '', '', ?, 'RUNNING', ?, '', 'active', ?, ?)
"""
_EXPERIMENT = """
INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
VALUES (?, ?, 'active', ?, ?, 'default')
"""
_EXPERIMENTS = "SELECT experiment_id, name, lifecycle_stage FROM experiments"
_EXPERIMENT_TAGS = "SELECT key, value FROM experiment_tags WHERE experiment_id = ?"
_TAGS = "SELECT key, value FROM tags WHERE run_uuid = ?"
_TAGGED = "SELECT experiment_id FROM experiment_tags WHERE key = ?"
_RUNS = "SELECT run_uuid, status, start_time, lifecycle_stage, artifact_uri FROM runs WHERE experiment_id = ?"
_OF_STUDY = " AND run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)"
_DATASET = """
INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type, dataset_source)
SELECT ?, experiment_id, ?, ?, 'local', '{}' FROM runs WHERE run_uuid = ? ON CONFLICT DO NOTHING
"""
_INPUT = """
INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id)
SELECT ?, 'DATASET', dataset_uuid, 'RUN', run_uuid FROM datasets JOIN runs USING (experiment_id)
WHERE run_uuid = ? AND datasets.name = ? AND digest = ? ON CONFLICT DO NOTHING
"""


def writes_to(path: Path) -> bool:
    """Return whether the rows of an SQLite store are known here: of its schema, its settings, where artifacts lie.

    Args:
        path: of the store, which exists.
    """
    if any(name in os.environ for name in CHANGES_ROWS) or not installed_version().startswith(f"{WRITTEN_FOR}."):
        return False
    with closing(sqlite3.connect(path, timeout=BUSY_SEC)) as db:
        revision = db.execute("SELECT version_num FROM alembic_version").fetchone()
        places = db.execute("SELECT artifact_location, workspace FROM experiments").fetchall()
    local = all(str(location).startswith("file:///") and space == "default" for location, space in places)
    return revision == (WRITTEN_FOR_SCHEMA,) and local


class EmbeddedWriter:
    """Writes rows in one transaction per block of `together`, and artifacts behind it; see `writer.Writer`.

    Args:
        path: of the store, see `writes_to`; it is used by one thread.
        artifacts: folder of its artifacts.
    """

    files_together = 64

    def __init__(self, path: Path, artifacts: Path) -> None:
        self.experiment = ""
        self._artifacts = artifacts
        self._files: list[Callable[[], None]] = []
        self._path, self._number = path, _file_number(path)
        self._db = sqlite3.connect(path, timeout=BUSY_SEC, isolation_level=None)
        self._db.execute("PRAGMA foreign_keys = ON")

    def enter(self, home: Home) -> FoundExperiment:
        """Find or create the experiment of a study."""
        with self.together():
            found = home.chosen(self._experiments(home)) or self._created(home)
        self.experiment = found.id
        return found

    def _experiments(self, home: Home) -> Iterator[FoundExperiment]:
        """Yield those that may be it; as a rule the first one is."""
        for uid in home.places:
            yield from self._found(f"experiment_id IN ({_TAGGED})", f"{SENT_FROM}{uid}")
        for name in home.names:
            yield from self._found("name = ?", name)

    def _found(self, where: str, value: str) -> list[FoundExperiment]:
        rows = self._db.execute(f"{_EXPERIMENTS} WHERE {where} ORDER BY experiment_id", (value,)).fetchall()
        return [
            FoundExperiment(
                str(key), name, stage == "deleted", dict(self._db.execute(_EXPERIMENT_TAGS, (key,)).fetchall())
            )
            for key, name, stage in rows
        ]

    def _created(self, home: Home) -> FoundExperiment:
        name = next(name for name in home.names if not self._found("name = ?", name))
        now = ms(time.time())
        made = self._db.execute(_EXPERIMENT, (name, (self._artifacts / name).as_uri(), now, now)).lastrowid
        self._db.executemany(_EXPERIMENT_TAG, [(made, *tag) for tag in home.tags.items()])
        return FoundExperiment(str(made), name, False, home.tags)

    def revive(self) -> None:
        """Bring the experiment back; with it come all of its runs, as in MLflow."""
        with self.together():
            change = "UPDATE experiments SET lifecycle_stage = 'active', last_update_time = ? WHERE experiment_id = ?"
            self._db.execute(change, (ms(time.time()), self.experiment))
            back = "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE experiment_id = ?"
            self._db.execute(back, (self.experiment,))

    def stands(self) -> bool:
        """Return whether the file that was opened is the one at its path: it may have been removed or replaced."""
        return _file_number(self._path) == self._number

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what stands in the block in one transaction; artifacts follow when it is on the disk.

        A block in another one is part of it.

        Yields:
            Nothing.

        Raises:
            Refusal: a value is one that no column holds.
        """
        if self._db.in_transaction:
            try:
                yield
            except NEVER_TAKEN as error:
                raise Refusal(store.one_line(error)) from error
            return
        self._files = []
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except NEVER_TAKEN as error:
            raise Refusal(store.one_line(error)) from error
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        for write in self._files:
            write()

    def find(self, uid: str | None = None) -> list[FoundRun]:
        """Read the runs and their tags."""
        where, values = ("", ()) if uid is None else (_OF_STUDY, (UID, uid))
        rows = self._db.execute(f"{_RUNS}{where} ORDER BY start_time, run_uuid", (self.experiment, *values)).fetchall()
        tags: dict[str, dict[str, str]] = {row[0]: {} for row in rows}
        for run in tags:
            tags[run].update(self._db.execute(_TAGS, (run,)))
        return [
            FoundRun(run, status, start, stage == "deleted", tags[run], folder_of(place).is_dir())
            for run, status, start, stage, place in rows
        ]

    def restore(self, run: str) -> None:
        """Bring a run back."""
        self._db.execute("UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE run_uuid = ?", (run,))

    def create(self, title: str, started_ms: int | None, tags: Mapping[str, str]) -> str:
        """Insert a run and its tags."""
        (location,) = self._active("experiment", self.experiment, "artifact_location")
        run, start = uuid.uuid4().hex, started_ms or ms(time.time())
        user = tags.get("mlflow.user", "unknown")
        self._db.execute(_RUN, (run, title, user, start, f"{location}/{run}/artifacts", self.experiment))
        self._tags(run, {**tags, NAME: title})
        return run

    def log(
        self,
        run: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Insert metrics that are new and parameters, replace tags."""
        self._active("run", run)
        rows = [_row(run, metric) for metric in metrics]
        self._db.executemany(_METRIC, rows)
        self._db.executemany(_LATEST, _latest(rows))
        if params:
            self._params(run, params)
        self._tags(run, tags or {})

    def tags(self, run: str | None = None) -> dict[str, str]:
        """Read the tags of a run, or of the experiment."""
        if run is None:
            return dict(self._db.execute(_EXPERIMENT_TAGS, (self.experiment,)).fetchall())
        return dict(self._db.execute(_TAGS, (run,)).fetchall())

    def status(self, run: str, status: str, ended: float | None = None) -> None:
        """Set a run's status."""
        self._active("run", run)
        end = ms(ended) if status in FINAL and ended is not None else None
        change = "UPDATE runs SET status = ?, end_time = coalesce(?, end_time) WHERE run_uuid = ?"
        self._db.execute(change, (status, end, run))

    def input(self, run: str, title: str, digest: str) -> None:
        """Insert a dataset unless it is there, and that the run was trained on it."""
        self._active("run", run)
        self._db.execute(_DATASET, (uuid.uuid4().hex, title, digest, run))
        self._db.execute(_INPUT, (uuid.uuid4().hex, run, title, digest))

    def content(self, run: str, data: bytes, path: str) -> None:
        """Write an artifact once the rows are on the disk."""
        target, beside = self._place(run, path)
        self._files.append(lambda: _replace(target, beside, lambda file: file.write_bytes(data)))

    def file(self, run: str, source: Path, folder: str = "") -> None:
        """Copy a file once the rows are on the disk."""
        target, beside = self._place(run, f"{folder}/{source.name}" if folder else source.name)
        self._files.append(lambda: _replace(target, beside, lambda file: shutil.copyfile(source, file)))

    def describe(self, tags: Mapping[str, str]) -> None:
        """Replace tags of the experiment."""
        self._active("experiment", self.experiment)
        for key, value in tags.items():
            if len(value) > LONGEST_EXPERIMENT_TAG:
                raise Refusal(f"'{key}' of the experiment has more than {LONGEST_EXPERIMENT_TAG} characters")
        self._db.executemany(_EXPERIMENT_TAG, ((self.experiment, _name(key), value) for key, value in tags.items()))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _active(self, kind: str, key: str, *columns: str) -> tuple[str, ...]:
        """Return columns of a run or an experiment; one that is deleted takes nothing."""
        named = "run_uuid" if kind == "run" else "experiment_id"
        query = f"SELECT {', '.join(('lifecycle_stage', *columns))} FROM {kind}s WHERE {named} = ?"
        found = self._db.execute(query, (key,)).fetchone()
        if found is None or found[0] != "active":
            raise Refusal(f"the {kind} {key} is {'not there' if found is None else found[0]}")
        return tuple(found[1:])

    def _params(self, run: str, params: Mapping[str, str]) -> None:
        there = dict(self._db.execute("SELECT key, value FROM params WHERE run_uuid = ?", (run,)))
        given = {_name(key): value[:LONGEST_PARAM] for key, value in params.items()}
        changed = [key for key, value in given.items() if there.get(key, value) != value]
        if changed:
            raise Refusal(f"parameters of run {run} have other values already: {', '.join(changed)}")
        new = [(run, key, value) for key, value in given.items() if key not in there]
        self._db.executemany("INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)", new)

    def _tags(self, run: str, tags: Mapping[str, str]) -> None:
        self._db.executemany(_TAG, [(run, _name(key), value[:LONGEST_TAG]) for key, value in tags.items()])
        if NAME in tags:
            self._db.execute("UPDATE runs SET name = ? WHERE run_uuid = ?", (tags[NAME], run))

    def _place(self, run: str, path: str) -> tuple[Path, Path]:
        """Return the file of an artifact, which lies inside the run's folder, and the folder of its experiment."""
        (uri,) = self._active("run", run, "artifact_uri")
        parts = PurePosixPath(path)
        if parts.is_absolute() or ".." in parts.parts:
            raise Refusal(f"'{path}' is no path of an artifact")
        root = folder_of(uri)
        return root / parts, root.parents[1]


def _file_number(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one that takes its place; None without a file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _row(run: str, metric: Metric) -> tuple[str, str, float, int, int, bool]:
    value, nan = metric.value, math.isnan(metric.value)
    if nan or math.isinf(value):
        value = 0.0 if nan else math.copysign(LARGEST, value)
    return run, _name(metric.key), value, metric.timestamp, metric.step, nan


def _latest(rows: Iterable[tuple[str, str, float, int, int, bool]]) -> Iterable[tuple[str, str, float, int, int, bool]]:
    """Return the last row of each metric: by step, then time, then value; the first of equal ones."""
    best: dict[str, tuple[str, str, float, int, int, bool]] = {}
    for row in rows:
        there = best.get(row[1])
        if there is None or (row[4], row[3], row[2]) > (there[4], there[3], there[2]):
            best[row[1]] = row
    return best.values()


@functools.lru_cache(maxsize=4096)
def _name(key: str) -> str:
    """Return a name of a metric, parameter or tag, which MLflow keeps free of what would be another path."""
    same = posixpath.normpath(key) == key and key != "." and not key.startswith(("..", "/"))
    if not (same and len(key) <= LONGEST_NAME and re.fullmatch(r"[/\w.\- :]*", key)):
        raise Refusal(f"MLflow takes no metric, parameter or tag of the name '{key}'")
    return key


def _replace(target: Path, beside: Path, write: Callable[[Path], object]) -> None:
    """Write an artifact by way of the experiment's folder: what a kill leaves is found there, and shown in no run."""
    sweep_once(beside)
    with replacement(target, durable=False, beside=beside) as temporary:  # a copy, as MLflow's client makes it
        write(temporary)
