"""A trial as a run of a tracking store holds it, put back together."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hpsearch.base.errors import StorageError, first_line
from hpsearch.base.types import Evaluation, Report, TrialId, TrialState, whole_or_fraction
from hpsearch.tracking import names, runs
from hpsearch.tracking.events import TrialRecord
from hpsearch.tracking.lines import RUN_RULES, problem
from hpsearch.tracking.runs import TRIAL

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def trial_of(client: "MlflowClient", run: "Run", config: Mapping[str, Any]) -> TrialRecord:
    """Return the trial that a run is of: whoever can write to the store may have written it.

    Args:
        client: of the store.
        run: of the trial, with its tags.
        config: that it was trained with; empty where nobody asks for it: then what its command is made of.

    Returns:
        The trial.

    Raises:
        StorageError: its tags or metrics are damaged.
    """
    about = f"run '{run.info.run_id}'"
    try:
        kept = runs.joined(run.data.tags, run.info.run_id)
        if what := problem("a record", kept, RUN_RULES):
            raise StorageError(f"{about} is damaged ({what})")
        return _read_back(
            run, kept, _reports(client, run, kept["nonfinite"], kept.get("names", {})), config or kept.get("config", {})
        )
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise StorageError(f"{about} is damaged ({type(error).__name__}: {first_line(error)})") from None


def _read_back(
    run: "Run", kept: Mapping[str, Any], reports: tuple[Report, ...], config: Mapping[str, Any]
) -> TrialRecord:
    point, seed, fold = (int(part) for part in run.data.tags[TRIAL].split("-"))
    return TrialRecord(
        id=TrialId(point, seed, fold),
        key=run.data.tags["key"],
        params=kept["params"],
        overrides=tuple(kept["overrides"]),
        config=config,
        folder=kept["folder"],
        state=TrialState(kept["state"]),
        attempts=kept["attempts"],
        reports=reports,
        score=kept["score"],
        reason=kept["reason"],
        traceback="",
        facts=kept["facts"],
        artifacts=tuple(kept["artifacts"]),
        queued=kept["queued"],
        started=kept["started"],
        ran_sec=kept["ran_sec"],
        ended=kept["ended"],
    )


def _reports(
    client: "MlflowClient", run: "Run", nonfinite: Mapping[str, Mapping[str, str]], known: Mapping[str, str]
) -> tuple[Report, ...]:
    """Put an MLflow run's metrics back together; losses of steps belong to the first epoch that ends behind them."""
    own = [key for key in run.data.metrics if not key.startswith(names.AFTERWARDS)]
    histories = {key: client.get_metric_history(run.info.run_id, key) for key in own}
    epochs = {metric.step: (int(metric.value), metric.timestamp / 1000) for metric in histories.pop(names.STEP, [])}
    fractions = {metric.step: whole_or_fraction(metric.value) for metric in histories.pop(names.EPOCH, [])}
    values = {key: {metric.step: metric.value for metric in history} for key, history in histories.items()}
    for key, lost in nonfinite.items():
        values.setdefault(key, {}).update({int(step): float(text) for step, text in lost.items()})
    losses = sorted(values.pop(names.STEP_LOSS, {}).items())
    values.pop(names.SCORE, None)
    ends = _ends({_end_key(key, known): values.pop(key) for key in list(values) if key.startswith(names.END)})
    values = {known.get(key, key): history for key, history in values.items()}
    reports, before = [], -1
    for place, (step, time) in sorted(epochs.items()):
        metrics = {key: history[place] for key, history in values.items() if place in history}
        epoch = fractions.get(place, place)
        reports.append(Report(epoch, step, metrics, tuple((s, v) for s, v in losses if before < s <= step), time))
        before = step
    return (*reports[:-1], replace(reports[-1], end=ends)) if ends and reports else tuple(reports)


def _end_key(there: str, known: Mapping[str, str]) -> str:
    return known.get(there, there.removeprefix(names.END))


def _ends(values: Mapping[str, Mapping[int, float]]) -> tuple[Evaluation, ...]:
    """Return the evaluations at the end of a trial, from what each metric of them was by its updates."""
    steps = sorted({step for of_one in values.values() for step in of_one})
    return tuple((step, {key: one[step] for key, one in values.items() if step in one}) for step in steps)
