"""Studies written straight to a record, as a driver writes them, and stores to send them to."""

import atexit
import functools
import math
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hpsearch.base.types import Evaluation, Report, Started, TrialId, TrialSpec, TrialState
from hpsearch.tracking import names, store
from hpsearch.tracking.events import read_trials
from hpsearch.tracking.home import Home
from hpsearch.tracking.record import Record
from hpsearch.tracking.runs import TRIAL
from hpsearch.tracking.sender import Sender
from hpsearch.tracking.store import search
from hpsearch.tracking.writer import WITHDRAWN

TIME = 1_790_000_000.0
OBJECTIVE = {"metric": "valid/acc", "direction": "maximize", "reduce": "last"}


@functools.cache
def _template() -> Path:
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    store.connect(store.sqlite_uri(folder / "mlflow.db"), folder / "mlartifacts")
    return folder / "mlflow.db"


def new_store(folder: Path) -> str:
    """Return the address of an empty store: a copy, because MLflow takes a second to open a new one."""
    shutil.copy(_template(), folder / "mlflow.db")
    return store.sqlite_uri(folder / "mlflow.db")


def home(name: str, uid: str = "0a1b" * 8) -> Home:
    """Return where the runs of a study belong that is sent from nowhere."""
    return Home(name, {uid: f"host:/studies/{name}"}, uid)


class Place:
    """A store, a study folder, and the runs that the store holds."""

    def __init__(self, folder: Path) -> None:
        self.uri = new_store(folder)
        self.folder = folder / "studies" / "lr_sweep"
        self.artifacts = folder / "mlartifacts"
        self.client = store.connect(self.uri, self.artifacts)

    def sender(self) -> Sender:
        return Sender(self.folder, self.uri, self.artifacts, artifact_mib=0.001)

    def send(self) -> Sender:
        sender = self.sender()
        assert sender.send(sender.pending()) == set(), sender.problem
        return sender

    @property
    def experiment(self) -> str:
        return self.client.get_experiment_by_name("lr_sweep").experiment_id

    def runs(self) -> dict:
        found = [run for run in search(self.client, self.experiment) if run.info.status != WITHDRAWN]
        named = {run.data.tags.get(TRIAL, "study"): run for run in found}
        assert len(named) == len(found), "one run per trial"
        return named

    def assert_complete(self) -> None:
        """Every trial has one run that holds each of its values once."""
        found = self.runs()
        records = {record.id.stem: record for record in read_trials(self.folder)}
        assert set(found) == {"study", *(stem for stem, record in records.items() if record.started is not None)}
        for stem, run in found.items():
            for key in run.data.metrics:
                steps = Counter(metric.step for metric in self.client.get_metric_history(run.info.run_id, key))
                assert max(steps.values()) == 1, (stem, key)
            if stem != "study" and records[stem].reports:
                assert run.data.metrics[names.STEP] == records[stem].reports[-1].step
                assert run.data.tags["state"] == records[stem].state


def spec(folder: Path, point: int, seed: int = 0, *, attempt: int = 1, **params: object) -> TrialSpec:
    searched = {"optimizer.lr": 0.1 * math.pi * (point + 1)} if not params else {"optimizer.lr": 0.1, **params}
    trial = TrialId(point, seed)
    config = {
        "seed": seed,
        "optimizer": {"_target_": "torch.optim.SGD", "lr": searched["optimizer.lr"], "nesterov": False},
        "data": {"_target_": "hpsearch.data.digits", "batch_size": 64},
        "model": {"hidden": [64, 64], "out": None},
        "launcher": {"workers": 2},
    }
    overrides = (f"+study={folder.name}", *(f"{key}={value}" for key, value in searched.items()), f"seed={seed}")
    place = str(folder / "trials" / trial.stem)
    return TrialSpec(folder.name, trial, config, searched, overrides, f"key{point}{seed}", place, attempt)


def open_study(record: Record, time: float = TIME, **fields: object) -> None:
    opened = {
        "name": record.folder.name,
        "question": "Which learning rates train this model?",
        "config": {"trainer": {"epochs": 3}},
        "space": {"optimizer.lr": "tag(log, interval(1e-3, 10))"},
        "objective": OBJECTIVE,
        "command": f"python -m hpsearch +study={record.folder.name}",
        "git": {"commit": "c0ffee", "branch": "main", "dirty": True},
        "environment": {"python": "3.11.7", "host": "laptop"},
        "seed": 0,
        "sampler": "Grid",
    }
    record.study("open", time, **{**opened, **fields})


def start(record: Record, made: TrialSpec, epoch: int | None = None, time: float = TIME) -> None:
    record.spec(made, time)
    record.message(made.id, Started(epoch, {"parameters": 4810, "device": "cpu", "data.digest": "d1gest"}, time))


def report(record: Record, made: TrialSpec, epoch: int, end: tuple[Evaluation, ...] = (), **values: float) -> bool:
    """Report an epoch of 20 steps; every value is a function of trial and epoch."""
    loss = values.get("loss", 2.3 / (1 + epoch + made.id.point))
    steps = tuple((20 * (epoch - 1) + k, loss + k / 100) for k in (1, 10, 20)) if epoch else ()
    metrics = {"train/loss": loss, "valid/acc": 1 - loss / 3, "epoch_sec": 0.25}
    time = TIME + 10 * made.id.point + epoch + made.id.seed / 7
    return record.message(made.id, Report(epoch, 20 * epoch, metrics, steps, time, end=end))


def finish(record: Record, made: TrialSpec, state: TrialState = TrialState.COMPLETE, **fields: object) -> None:
    score = math.nan if state is not TrialState.COMPLETE else 0.9 + made.id.point / 1000
    record.state(made.id, state, TIME + 10 * made.id.point + 9.5, **{"score": score, **fields})


def train(record: Record, made: TrialSpec, epochs: int = 3) -> None:
    start(record, made, time=TIME + 10 * made.id.point)
    for epoch in range(epochs + 1):
        report(record, made, epoch)
    finish(record, made, facts={"peak_memory_mib": 12.5})


def write_study(folder: Path, points: int = 3, changed: object = None) -> Record:
    """Write a study with every kind of end: complete, diverged, failed, retried, paused."""
    record = Record(folder, changed)  # type: ignore[arg-type]
    open_study(record)
    for point in range(points):
        for seed in range(2):
            train(record, spec(folder, point, seed))
    _diverge(record, spec(folder, points))
    _fail(record, spec(folder, points + 1))
    _retry(record, spec(folder, points + 2))
    paused = spec(folder, points + 3)
    start(record, paused)
    report(record, paused, 0)
    record.state(paused.id, TrialState.PAUSED, TIME + 99, reason="interrupted")
    record.spec(spec(folder, points + 4), TIME)
    record.study("system", TIME + 5, metrics={"system/cpu_percent": 55.0})
    record.study("system", TIME + 10, metrics={"system/cpu_percent": 65.0})
    record.study("best", TIME + 20, point=1, params={"optimizer.lr": 0.62}, mean=0.901, sd=0.0, n=2)
    record.study("state", TIME + 100, state="COMPLETE", answer="The best learning rate is 0.62 (n = 2).")
    record.flush()
    return record


def _diverge(record: Record, made: TrialSpec) -> None:
    start(record, made)
    report(record, made, 0)
    report(record, made, 1, loss=math.nan)
    report(record, made, 2, loss=math.inf)
    finish(record, made, TrialState.INFEASIBLE, reason="train/loss is nan at step 11")


def _fail(record: Record, made: TrialSpec) -> None:
    start(record, made)
    finish(record, made, TrialState.FAILED, reason="ZeroDivisionError: no", traceback="Traceback ...\nno")


def _retry(record: Record, made: TrialSpec) -> None:
    """Two epochs, death of the worker, and on from the checkpoint after the first."""
    start(record, made)
    for epoch in range(3):
        report(record, made, epoch)
    record.state(made.id, TrialState.WAITING, TIME + 51, reason="its worker died: signal 9")
    again = spec(record.folder, made.id.point, attempt=2)
    start(record, again, epoch=1, time=TIME + 52)
    for epoch in range(2, 4):
        report(record, again, epoch)
    finish(record, again)
