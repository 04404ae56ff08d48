"""What a trial's event lines become in MLflow: metrics, params, tags. Pure functions and one fold."""

import functools
import getpass
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from hpsearch.base.epochs import evaluated_between_epochs
from hpsearch.base.formats import FORMAT, TAG, untagged
from hpsearch.base.journal import Event
from hpsearch.base.keys import ARGS, UNNAMED
from hpsearch.base.labels import shorten
from hpsearch.base.lacking import of_command
from hpsearch.base.markdown import markdown_text
from hpsearch.base.plain import flatten
from hpsearch.base.types import TrialState
from hpsearch.base.words import typed
from hpsearch.tracking.events import RENEWING, TrialFold, TrialRecord, check_command
from hpsearch.tracking.names import (
    END,
    EPOCH,
    SCORE,
    STEP,
    STEP_LOSS,
    end_name,
    fact_name,
    metric_name,
    name,
    param_name,
    param_names,
)

RECORD = "hpsearch.record"
UID, STUDY_NAME, TRIAL = "hpsearch.uid", "hpsearch.study", "hpsearch.trial"
"""Tags of every run of a study: the study's uid and name, and of a trial's run its stem."""
WITHIN = "hpsearch.within"
"""Tag of the runs of a recipe's stage: the recipe's uid."""
SENT = "hpsearch.sent"
"""Tag of a run: up to which byte of its event file it holds everything. A store that went back in time shows it."""
NAME = "mlflow.runName"
SUPERSEDED = "superseded"
COLOUR = "mlflow.runColor"
CONTINUED = "continued"
"""The fact of a trial that names the one whose last state it goes on from."""
CONTINUED_RUN = "continued.run"
"""Tag of its run: the run of that one, where it is in the same store."""
RECORD_FIRST = f"{RECORD}.0"
ELSEWHERE = ("id", "key", "config", "reports", "traceback", "ended_by")
"""What of a trial's record the tags that hold it leave out: a run has it in tags, files and metrics of their own."""
CHUNK = 5000
LONGEST_TEXT, LONGEST_LABEL = 6000, 500
"""Characters that MLflow takes of a parameter, and that a tag has which is there to be read."""
STATUS = {
    TrialState.WAITING: "SCHEDULED",
    TrialState.RUNNING: "RUNNING",
    TrialState.PAUSED: "SCHEDULED",
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "FINISHED",
    TrialState.INFEASIBLE: "FINISHED",
    TrialState.FAILED: "FAILED",
}
STUDY_STATUS = {"COMPLETE": "FINISHED", "FAILED": "FAILED", "RUNNING": "RUNNING"}


class Metric(NamedTuple):
    """One value as MLflow keeps it; `timestamp` in milliseconds."""

    key: str
    value: float
    timestamp: int
    step: int


@dataclass(slots=True)
class Trail:
    """How far a trial's event file is sent, and what its lines say so far.

    Per metric and step the first value wins: after a cut back to a checkpoint, what is sent already is not sent again.
    A trial that other code trains from the beginning has no run and nothing sent.

    Attributes:
        offset: bytes of the file that are taken in.
        run: its MLflow run.
        epoch: last epoch sent.
        step: last optimizer step whose loss is sent; of the study's own file, samples of the machine sent.
        nonfinite: values that MLflow cannot keep, by metric and step, as text.
        names: what metrics are called that MLflow has under other names, by these.
        fold: the trial so far.
    """

    offset: int = 0
    run: str | None = None
    epoch: float = -1
    step: int = -1
    nonfinite: dict[str, dict[str, str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    fold: TrialFold = field(default_factory=TrialFold)

    def take(self, events: Iterable[Event]) -> list[Metric]:
        """Take in lines and return the metrics among them that are new."""
        metrics: list[Metric] = []
        for event in events:
            self.fold.apply(event)
            if event["event"] == "report":
                metrics += self._report(event)
            elif is_renewal(event):
                metrics, self.run, self.epoch, self.step, self.nonfinite, self.names = [], None, -1, -1, {}, {}
        return metrics

    def _report(self, event: Event) -> list[Metric]:
        time, epoch = ms(event["time"]), event["epoch"]
        between = evaluated_between_epochs((self.fold.spec or {}).get("config", {}))
        place = event["step"] if between else epoch  # MLflow's steps are whole numbers
        values: list[tuple[str, float, int]] = []
        if epoch > self.epoch:
            self.epoch = epoch
            values += [(self._named(key, metric_name(key)), value, place) for key, value in event["metrics"].items()]
            values.append((STEP, event["step"], place))
            values += [(EPOCH, epoch, place)] if between else []
            for step, metrics in event.get("end", ()):
                values += [(self._named(key, end_name(key)), value, step) for key, value in metrics.items()]
        for step, value in event["steps"]:
            if step > self.step:
                self.step = step
                values.append((STEP_LOSS, value, step))
        for key, value, step in values:
            if not math.isfinite(value):
                self.nonfinite.setdefault(key, {})[str(step)] = str(float(value))
        return [Metric(key, float(value), time, step) for key, value, step in values if math.isfinite(value)]

    def _named(self, key: str, there: str) -> str:
        if there.removeprefix(END) != key:
            self.names[there] = key
        return there


def is_renewal(event: Event) -> bool:
    """Return whether a trial is trained from the beginning, by other code or on other data: then it has a new run."""
    return event["event"] == "again" and bool(RENEWING & event.keys())


def ms(time: float) -> int:
    """Return a time in whole milliseconds."""
    return round(time * 1000)


def text_of(value: Any, longest: int = LONGEST_TEXT) -> str:
    """Return a text that says a value exactly, unless that is too long: the shortest of a number, a list as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = repr(value) if isinstance(value, float) else text
    text = text.encode(errors="backslashreplace").decode().replace("\0", "\\x00")  # no store takes these
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def short(value: Any, digits: int = 6) -> str:
    """Return a value as it fits a cell: numbers with so many significant digits, and no long text."""
    return f"{value:.{digits}g}" if isinstance(value, float) else text_of(value, LONGEST_LABEL)


def trial_params(record: TrialRecord) -> dict[str, str]:
    """Return every hyperparameter of a trial by dotted key; how and where it ran is left out."""
    config = {key: value for key, value in record.config.items() if key not in UNNAMED}
    flat = {**flatten(config), **record.params}
    if not flat.get(ARGS, True):
        del flat[ARGS]  # of a trial that has asked for none yet
    names = param_names(flat)
    return {names[key]: text_of(value) for key, value in flat.items()}


def trial_name(record: TrialRecord) -> str:
    """Return a run name that says what the trial is: ``3/1 lr=0.1``."""
    words = (
        f"{key.rsplit('.', 1)[-1]}={typed(value) if isinstance(value, float) else short(value)}"
        for key, value in record.params.items()
    )
    return shorten(" ".join([str(record.id), *words]), 120)


def trial_tags(study: str, trail: Trail, record: TrialRecord, replay: str) -> dict[str, str]:
    """Return the tags of a study's trial: readable ones, and its record in full for `query`.

    Args:
        study: its name.
        trail: how far the trial is sent.
        record: what its lines say so far.
        replay: the command that trains it again.
    """
    readable = {
        **{fact_name(key): text_of(value, LONGEST_LABEL) for key, value in record.facts.items()},
        "state": record.state.value,
        "point": str(record.id.point),
        "seed": str(record.id.seed),
        "fold": str(record.id.fold),
        "attempts": str(record.attempts),
        "key": record.key,
        "replay": check_command(study, record) if is_cut(replay) else replay,
    }
    if record.reason or record.attempts > 1:
        readable["reason"] = short(record.reason)
    if trail.nonfinite:
        readable["nonfinite"] = short(trail.nonfinite)
    kept = {field.name: getattr(record, field.name) for field in fields(record) if field.name not in ELSEWHERE}
    kept |= {"nonfinite": trail.nonfinite, "names": trail.names, "config": of_command(record.config)}
    return {**readable, **chunks(kept)}


def is_cut(command: str) -> bool:
    """Return whether a command is too long for a tag, which holds then the one that takes the trial from the record."""
    return len(command) > CHUNK


def chunks(value: Mapping[str, Any], begin: str = RECORD) -> dict[str, str]:
    """Return a record as JSON in as many tags as it needs: MLflow cuts long ones without a word."""
    text = json.dumps(value, separators=(",", ":"))
    parts = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    return {f"{begin}.{index}": part for index, part in enumerate(parts)}


def whole(tags: Mapping[str, str], begin: str = RECORD) -> str:
    """Return what stands in the tags that `chunks` made, with whatever is left over behind it; empty without them."""
    parts: list[str] = []
    while (part := tags.get(f"{begin}.{len(parts)}")) is not None:
        parts.append(part)
    return "".join(parts)


def joined(tags: Mapping[str, str], run: str) -> dict[str, Any]:
    """Return what `chunks` made tags of a run of, empty without them; chunks left over from a longer one are not read.

    Args:
        tags: of the run; those of a newer format raise a StorageError.
        run: its id.

    Returns:
        The record that they hold.
    """
    text = whole(tags)
    value: dict[str, Any] = json.JSONDecoder().raw_decode(text)[0] if text else {}
    return untagged({**value, TAG: tags.get(TAG, FORMAT)}, "run", f"run '{run}'") if text else {}


def study_tags(study: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that every run of a study carries: who, from what code, where."""
    git, environment = study.get("git") or {}, study.get("environment") or {}
    tags = {
        "mlflow.user": _user(),
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": str(study.get("command", "")),
        "mlflow.source.git.commit": str(git.get("commit", "")),
        "mlflow.source.git.branch": str(git.get("branch", "")),
        **{name(f"git.{key}"): short(value) for key, value in git.items()},
        **{name(f"env.{key}"): short(value) for key, value in environment.items()},
        STUDY_NAME: str(study.get("name", "")),
        UID: str(study.get("uid", "")),
        TAG: str(FORMAT),
        WITHIN: str((study.get("within") or {}).get("uid", "")),
        SUPERSEDED: "true" if study.get(SUPERSEDED) else "",
    }
    return {key: value for key, value in tags.items() if value}


@functools.cache
def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def best_tags(best: Mapping[str, Any]) -> dict[str, str]:
    """Return the best point's hyperparameters as tags: unlike params they may change while the study goes on."""
    tags = {param_name(f"best.{key}"): text_of(value) for key, value in best.get("params", {}).items()}
    return {**tags, "best.point": str(best.get("point", ""))}


def score_metric(record: TrialRecord) -> list[Metric]:
    """Return the score of a finished trial, if it has one that MLflow can keep."""
    if record.score is None or record.ended is None or not math.isfinite(record.score):
        return []
    return [Metric(SCORE, float(record.score), ms(record.ended), 0)]


def data_input(record: TrialRecord) -> tuple[str, str]:
    """Return what a trial was trained on, as MLflow names its inputs: a name and the digest of the data."""
    data = record.config.get("data", {})
    title = record.facts.get("data.name") or data.get("name") or data.get("_target_", "data").rsplit(".")[-1]
    return str(title), str(record.facts["data.digest"])[:36]


def best_metrics(best: Mapping[str, Any]) -> list[Metric]:
    """Return mean, spread and number of trials of the best point so far, by its number."""
    values = ((f"best/{key}", best.get(key)) for key in ("mean", "sd", "n"))
    return [
        Metric(key, float(value), ms(best["time"]), int(best["point"]))
        for key, value in values
        if value is not None and math.isfinite(value)
    ]


def note(study: Mapping[str, Any], links: str = "") -> str:
    """Return a study's description: what it is a stage of, its question, the answer if there is one, where to look."""
    whole = (study.get("within") or {}).get("name")
    question, answer = (markdown_text(str(said or "")) for said in (study.get("question"), _answer(study)))
    parts = [f"A stage of {markdown_text(whole)}." if whole else "", f"**{question}**" if question else "", answer]
    return "\n\n".join(part for part in (*parts, links) if part)


def _answer(study: Mapping[str, Any]) -> Any:
    return study.get("state", {}).get("answer")
