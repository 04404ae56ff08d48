"""Studies as tidy tables, from their event files or from MLflow: the same columns and values.

A metric with the name of a fixed column has one of its own, see `hpsearch.base.columns.metric_column`. Where other
names collide, hyperparameters win over metrics, and these over facts.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.columns import CURVE_COLUMNS, END_COLUMNS, STEP_COLUMNS, TRIAL_COLUMNS, metric_column
from hpsearch.base.copies import leader_of
from hpsearch.base.errors import StorageError
from hpsearch.base.failures import Failure, alike
from hpsearch.base.files import LAYERS, LOG
from hpsearch.base.inside import check_links, check_name, inside
from hpsearch.base.intake import json_file, json_value, yaml_text
from hpsearch.base.keys import is_single
from hpsearch.base.leftovers import is_held, temporary_folder
from hpsearch.base.observer import StudySummary
from hpsearch.base.outcome import Failures
from hpsearch.base.passwords import without_password
from hpsearch.base.samples import SAMPLES, read_samples
from hpsearch.base.types import BestPoint, Report, TrialId, TrialState, TrialTable
from hpsearch.tracking import runs, store
from hpsearch.tracking.events import (
    STUDY,
    TrialRecord,
    read_study,
    read_trial,
    read_trials,
    replay_command,
    trial_files,
)
from hpsearch.tracking.found import study_runs
from hpsearch.tracking.lazy import Lazy, Media, media_by_trial, rows_of
from hpsearch.tracking.lines import last_state
from hpsearch.tracking.mlflow_internals import media_path
from hpsearch.tracking.read_back import trial_of
from hpsearch.tracking.runs import CONTINUED, STUDY_NAME, TRIAL, UID
from hpsearch.tracking.sent import sent_runs

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run


def table_from_events(folder: Path) -> TrialTable:
    """Read a study from its folder.

    Args:
        folder: the study's folder.

    Returns:
        Its tables; `run_id` is that of the store it was sent to last.

    Raises:
        StorageError: there is no record in the folder.
    """
    study = read_study(folder)
    if not study:
        raise StorageError(f"no study in {folder}: it has no events/study.jsonl")
    sent, records, trials = sent_runs(folder), read_trials(folder), folder / "trials"
    files = {record.id: trials / f"{record.id.stem}/{LAYERS}" for record in records}
    there = [trial for trial, file in files.items() if file.is_file()]
    layers = Lazy(there, rows_of(lambda trial: json_file(files[trial])))
    media = media_by_trial(records, lambda record, medium: inside(trials / record.id.stem, medium.path).read_bytes())
    runs = [sent.get(record.id.stem) for record in records]
    keys = {record.id: record.key for record in records}
    samples = Lazy(keys, lambda trial: read_samples(trials / trial.stem / SAMPLES, keys[trial]))
    table = _table({**study, "name": folder.name}, records, runs, layers, media, folder)
    return replace(table, samples=samples)


def table_from_mlflow(uri: str | None, name: str, uid: str | None = None) -> TrialTable:
    """Read a study from a tracking store.

    Args:
        uri: tracking store; None for the default one.
        name: of the study, see `hpsearch.tracking.found`.
        uid: of the one that is meant where several have the name; None where that is not known.

    Returns:
        Its tables, of its newest run when it was started again. A store that does not answer or has no such study, or
        several, raises a StorageError.
    """
    client = _client(uri)
    address = store.store_uri(uri)
    with store.one_line_errors(address):
        mine = study_runs(client, address, name, uid)
        parents = [run for run in mine if TRIAL not in run.data.tags]
        study = _artifact(client, parents[0].info.run_id, "study.json") if parents else {"name": name}
        pairs = [(trial_of(client, run, {}), run.info.run_id) for run in mine if runs.RECORD_FIRST in run.data.tags]
    pairs.sort(key=lambda pair: pair[0].id)
    watched = {record.id: run for record, run in pairs if LAYERS in record.artifacts}
    layers = Lazy(watched, rows_of(lambda trial: _artifact(_client(uri), watched[trial], LAYERS)))
    records, run_ids = [record for record, _ in pairs], {record.id: run for record, run in pairs}
    media = media_by_trial(
        records, lambda record, medium: _content(_client(uri), run_ids[record.id], media_path(record, medium))
    )
    return _table(study, records, list(run_ids.values()), layers, media)


def study_called(uri: str | None, name: str) -> tuple[str, str]:
    """Return the name that a study gave itself, and its uid, by what its folder or its experiment is called.

    Args:
        uri: tracking store; None for the default one.
        name: see `hpsearch.tracking.found`; for errors see `table_from_mlflow`.
    """
    client, address = _client(uri), store.store_uri(uri)
    with store.one_line_errors(address):
        tags = study_runs(client, address, name)[0].data.tags
    return check_name(tags[STUDY_NAME]), tags[UID]


def find_run(uri: str | None, run_id: str) -> tuple[str, TrialRecord]:
    """Find a trial by its MLflow run id.

    Args:
        uri: tracking store; None for the default one.
        run_id: of a trial's run.

    Returns:
        The name of its study and the trial as it was logged, its configuration and its curve included.

    Raises:
        StorageError: the store does not answer or has no such run, or it is no trial's.
    """
    client = _client(uri)
    with store.one_line_errors(store.store_uri(uri)):
        run = _run(client, run_id)
    if run is None:
        raise StorageError(f"no run '{run_id}' in {without_password(store.store_uri(uri))}")
    if TRIAL not in run.data.tags or runs.RECORD_FIRST not in run.data.tags:
        raise StorageError(f"run '{run_id}' is not the run of a trial; its name is '{run.info.run_name}'")
    with store.one_line_errors(store.store_uri(uri)):
        config = _artifact(client, run_id, "config.yaml")
        if not isinstance(config, dict):
            raise StorageError(f"run '{run_id}': its config.yaml is no table")
        return check_name(run.data.tags[STUDY_NAME]), trial_of(client, run, config)


def download(uri: str | None, run_id: str, file: str) -> Path | None:
    """Fetch an artifact of a run.

    Args:
        uri: tracking store; None for the default one.
        run_id: of the run.
        file: the artifact.

    Returns:
        Where it lies now: in the store's own folder or in a temporary one; None when the run has no such artifact.
    """
    from mlflow.exceptions import MlflowException

    try:
        with store.settings():
            return Path(_client(uri).download_artifacts(run_id, file))
    except (MlflowException, OSError):
        return None


def _run(client: "MlflowClient", run_id: str) -> "Run | None":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def _client(uri: str | None) -> "MlflowClient":
    address = store.store_uri(uri)
    path = store.sqlite_path(address)
    if path is not None and not path.exists():
        raise StorageError(f"no tracking store at {address}")
    store.check_store(address)
    return store.connect(address, store.artifact_root(None, address))


def _artifact(client: "MlflowClient", run_id: str, file: str) -> Any:
    text = _content(client, run_id, file)
    try:
        return json_value(text) if file.endswith(".json") else yaml_text(text)
    except ValueError as error:
        raise StorageError(f"run '{run_id}': its artifact {file} is damaged ({error})") from None


def _content(client: "MlflowClient", run_id: str, file: str) -> bytes:
    from mlflow.exceptions import MlflowException

    with store.settings(), temporary_folder() as folder:
        try:
            return Path(client.download_artifacts(run_id, file, folder)).read_bytes()
        except (MlflowException, OSError) as error:
            raise StorageError(f"run '{run_id}' has no readable artifact {file}: {error}") from error


def failure_of(record: TrialRecord, folder: Path | None = None) -> Failure:
    """Return what a FAILED trial has to say.

    Args:
        record: of the trial.
        folder: of its study, where there is one.
    """
    log = None if folder is None else inside(folder, Path(record.folder) / LOG)
    return Failure(str(record.id), record.reason, record.traceback, log if log and log.is_file() else None)


def _failures(records: Sequence[TrialRecord], folder: Path | None) -> tuple[Failure, ...]:
    failed = [record for record in records if record.state is TrialState.FAILED]
    return alike((_kind(record), failure_of(record, folder)) for record in failed)


def _kind(record: TrialRecord) -> str:
    """Return what failures that are alike share: where an error was raised, else the words without their numbers."""
    return Failures.of(record.facts).failed_at or re.sub(r"\d+", "", record.reason)


def _table(
    study: Mapping[str, Any],
    records: Sequence[TrialRecord],
    run_ids: Sequence[str | None],
    layers: Mapping[TrialId, Sequence[Mapping[str, Any]]],
    media: Media,
    folder: Path | None = None,
) -> TrialTable:
    trials = [_trial_row(str(study["name"]), record, run) for record, run in zip(records, run_ids, strict=True)]
    curves = [_curve_row(record.id, report) for record in records for report in record.reports]
    steps = [
        {**_id_columns(record.id), "step": step, "loss": loss}
        for record in records
        for report in record.reports
        for step, loss in report.steps
    ]
    ends = [
        {**_id_columns(record.id), "step": step, **{metric_column(key): value for key, value in measured.items()}}
        for record in records
        for step, measured in (record.reports[-1].end if record.reports else ())
    ]
    params = dict.fromkeys(key for record in records for key in record.params)
    measured = set[str]().union(*(report.metrics for record in records for report in record.reports))
    metrics = sorted(map(metric_column, measured))
    facts = sorted(set[str]().union(*(record.facts for record in records)))
    return TrialTable(
        name=str(study["name"]),
        study=study,
        trials=_frame(trials, TRIAL_COLUMNS, params, metrics, facts),
        curves=_frame(curves, CURVE_COLUMNS, metrics),
        steps=_frame(steps, STEP_COLUMNS),
        layers=layers,
        failures=_failures(records, folder),
        media=media,
        ends=_frame(ends, END_COLUMNS, sorted({key for row in ends for key in row})) if ends else None,
    )


def _id_columns(trial: TrialId) -> dict[str, int]:
    return {"point": trial.point, "seed": trial.seed, "fold": trial.fold}


def _trial_row(study: str, record: TrialRecord, run: str | None) -> dict[str, Any]:
    last = {metric_column(key): value for report in record.reports for key, value in report.metrics.items()}
    return {
        **record.facts,
        **last,
        **record.params,
        **_id_columns(record.id),
        "state": record.state.value,
        "score": record.score,
        "attempts": record.attempts,
        "reason": record.reason,
        "started": record.started,
        "ended": record.ended,
        "duration_sec": None if record.started is None else record.ran_sec,
        "run_id": run,
        "key": record.key,
        "command": replay_command(study, record),
    }


def _curve_row(trial: TrialId, report: Report) -> dict[str, Any]:
    own = {**_id_columns(trial), "epoch": report.epoch, "step": report.step, "time": report.time}
    return {**{metric_column(key): value for key, value in report.metrics.items()}, **own}


def _frame(rows: Sequence[Mapping[str, Any]], *columns: Iterable[str]) -> "pd.DataFrame":
    """Return rows as a frame; a name that stands in several groups of columns belongs to the first."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(dict.fromkeys(name for group in columns for name in group)))


def studies(root: Path) -> list[StudySummary]:
    """Return the studies in a folder of studies, the one changed last first."""
    folders = [path.parent.parent for path in root.glob("*/events/study.jsonl")]
    return sorted((_summary_or_damage(folder) for folder in folders), key=lambda summary: -summary.changed)


def _summary_or_damage(folder: Path) -> StudySummary:
    try:
        check_links(folder)
    except StorageError:
        return StudySummary(folder.name, folder, "", "DAMAGED", Counter(), None, 0.0, 0.0)
    try:
        return _summary(folder, read_study(folder))
    except StorageError:
        return _of_what_is_whole(folder)


def _of_what_is_whole(folder: Path) -> StudySummary:
    """Return the summary of a study of which a file is damaged: its other trials."""
    states: Counter[TrialState] = Counter()
    for path in trial_files(folder):
        with suppress(StorageError):
            states[last_state(path)] += 1
    changed = max(path.stat().st_mtime for path in (folder / "events").glob("*.jsonl"))
    return StudySummary(folder.name, folder, "", "DAMAGED", states, None, changed, changed)


def _summary(folder: Path, study: Mapping[str, Any]) -> StudySummary:
    files = trial_files(folder)
    best = study.get("best")
    changed = max(path.stat().st_mtime for path in [folder / "events" / f"{STUDY}.jsonl", *files])
    return StudySummary(
        name=folder.name,
        folder=folder,
        question=study.get("question") or "",
        state=study["state"]["state"] if "state" in study else _unfinished(folder),
        counts=Counter(last_state(path) for path in files),
        best=BestPoint(**{name: best[name] for name in ("point", "params", "mean", "sd", "n")}) if best else None,
        created=study.get("created", changed),
        changed=changed,
        continued=_continued(files) if is_single(folder.name) else {},
        as_good=study.get("state", {}).get("as_good"),
    )


def _continued(files: Iterable[Path]) -> dict[str, str]:
    """Return which single trials go on from others, from those event files alone that say so."""
    telling = [path for path in files if b'"continued":"' in path.read_bytes()]
    records = [record for path in telling if (record := read_trial(path)) is not None]
    return {str(record.id): str(record.facts[CONTINUED]) for record in records if CONTINUED in record.facts}


def _unfinished(folder: Path) -> str:
    """Return whether a study without a final state runs: its driver holds the lock then, or leads it elsewhere."""
    return "RUNNING" if is_held(folder / "lock") or leader_of(folder) else "INTERRUPTED"
