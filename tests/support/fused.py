"""Trials that are trained as one program, and the same ones each by itself."""

import copy
import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor

from hpsearch.base.files import LAYERS
from hpsearch.base.outcome import failure
from hpsearch.base.samples import SAMPLES
from hpsearch.base.types import Decision, Message, Report, TrialResult, Wait, WaitingRun
from hpsearch.base.widths import WIDTHS
from hpsearch.config.compose import compose
from hpsearch.data.base import Splits
from hpsearch.data.part import Split
from hpsearch.trial.build import prepare
from hpsearch.trial.fused import fusing
from hpsearch.trial.job import Job
from hpsearch.trial.loop import train

DIGITS = ("data=digits", "data.train_size=160", "data.batch_size=16", "trainer.epochs=5", "trainer.eval_batch_size=200")
"""Ten steps an epoch."""
CONF = Path(__file__).parents[2] / "conf"
SINGLE, NAMED = ("model", "optimizer", "scheduler", "loss"), ("regularizer", "augment", "metric")
"""Groups of which one option is chosen, and those of which several are, by their names."""
TOLERANCE = 1e-9
ROUNDED = 1e-6
"""Of what both loops round to float32 before it is reported."""
DOUBLE = ("lr", "train/loss", "train/weighted_loss")
"""Metrics that are float64 throughout."""
MACHINE = ("epoch_sec", "samples_per_sec")

Decide: TypeAlias = Callable[[int, Message], Decision | None]


def make(words: Sequence[str], folder: Path, seed: int = 0, double: bool = True, fold: int = 0) -> Job:
    """Build the trial of a command; in float64 unless said otherwise.

    Args:
        words: of the command; all but the data are set without hydra, which takes longer than the training.
        folder: of the trial.
        seed: of the trial.
        double: whether model, loss and data are made float64.
        fold: of a cross-validation.
    """
    pairs = [word.split("=", 1) for word in words]
    config = copy.deepcopy(_composed(tuple(f"{key}={value}" for key, value in pairs if key == "data")))
    for group, option in pairs:
        if group in (*SINGLE, *NAMED):
            config[group] = _options(group, option)
    for key, value in pairs:
        if "." in key:
            _set(config, key.split("."), yaml.safe_load(value))
    job = prepare(config | {"seed": seed, "fold": fold}, "key", folder)
    if not double:
        return job
    job.model.double()
    job.loss.double()
    job.optimizer.load_state_dict(job.optimizer.state_dict())  # which casts what it began with
    return dataclasses.replace(job, splits=doubled(job.splits))


@cache
def _composed(words: tuple[str, ...]) -> dict[str, Any]:
    config: dict[str, Any] = compose([*words]).trial({}, 0, 0).config
    return config


def _options(group: str, option: str) -> dict[str, Any]:
    if group in SINGLE:
        return _read_options(group, option)
    names = [] if option == "none" else option.strip("[]").split(",")
    return {name: _read_options(group, name) for name in names}


def _read_options(group: str, option: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CONF / group / f"{option}.yaml").read_text(encoding="utf-8"))
    return found


def _set(config: dict[str, Any], path: list[str], value: object) -> None:
    *parents, last = path
    for each in parents:
        config = config[each]
    assert last in config, f"no option {path}"
    config[last] = value


@dataclass(frozen=True)
class _Same:
    """Equal where it is the same object."""

    splits: Splits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.splits is other.splits

    def __hash__(self) -> int:
        return id(self.splits)


def doubled(splits: Splits) -> Splits:
    """Return data in float64, the same object for the same data, so that members share it."""
    return _doubled(_Same(splits))


@cache
def _doubled(same: _Same) -> Splits:
    splits = same.splits
    parts = {name: getattr(splits, name) for name in ("train", "valid", "test")}
    return dataclasses.replace(splits, **{name: _wide(part) for name, part in parts.items() if part is not None})


def _wide(part: Split) -> Split:
    x, y = (each.double() if each.is_floating_point() else each for each in (part.x, part.y))
    return Split(x, y)


@dataclass(frozen=True)
class Trained:
    """What became of a trial; `weights` are those that its model had when it ended, buffers included."""

    messages: Sequence[Message]
    result: TrialResult | None
    weights: Mapping[str, Tensor]
    folder: Path

    @property
    def reports(self) -> list[Report]:
        """All of them, without what is said before."""
        return [message for message in self.messages if isinstance(message, Report)]


class _Run:
    """A trial that is driven from message to message; of one that is killed there is no result."""

    def __init__(self, job: Job, generator: WaitingRun) -> None:
        self.job, self._generator, self.messages = job, generator, []
        self.begun = self.over = False
        self.wait: Wait | None = None
        self._answer: Decision | None = Decision.CONTINUE
        self.result: TrialResult | None = None
        self.weights: dict[str, Tensor] = {}

    @property
    def can_move(self) -> bool:
        return not self.over and (self.wait is None or self.wait.ready())

    @property
    def epoch(self) -> float:
        return math.inf if self.over else max((m.epoch for m in self.messages if isinstance(m, Report)), default=-1)

    def move(self, decide: Callable[[Message], Decision | None]) -> None:
        if self._answer is None:
            self.close()
            self._end(None)
            return
        try:
            (said,) = self._generator.send((self._answer,)) if self.begun else next(self._generator)
        except StopIteration as stop:
            self._end(stop.value[0])
            return
        except MemoryError as error:
            self._end(failure(error, 0.0))
            return
        self.begun, self.wait = True, said if isinstance(said, Wait) else None
        self._answer = Decision.CONTINUE
        if self.wait is None:
            self.messages.append(said)
            self._answer = decide(said)

    def close(self) -> None:
        self._generator.close()

    def _end(self, result: TrialResult | None) -> None:
        self.over, self.result = True, result
        self.weights = {name: each.clone() for name, each in self.job.model.state_dict().items()}

    def trained(self) -> Trained:
        return Trained(self.messages, self.result, self.weights, self.job.folder)


def go_on(_member: int, _message: Message) -> Decision:
    """Decide that everybody goes on."""
    return Decision.CONTINUE


def together(
    jobs: Sequence[Job], decide: Decide = go_on, after: Mapping[int, tuple[int, float]] | None = None
) -> list[Trained]:
    """Train trials as one program.

    Args:
        jobs: the trials.
        decide: what is said to a member after a message; None kills it.
        after: members that begin late, once another one (first) has reported an epoch (second) or is over.
    """
    runs = [_Run(job, train(job, fusing.group_of(job, 64))) for job in jobs]
    late = after or {}

    def may_move(k: int) -> bool:
        other, epoch = late.get(k, (k, -1))
        return runs[k].can_move and (runs[k].begun or runs[other].epoch >= epoch)

    try:
        while not all(run.over for run in runs):
            moving = [k for k in range(len(runs)) if may_move(k)]
            for k in moving:
                runs[k].move(lambda message, k=k: decide(k, message))
            if not moving:
                next(run.wait for run in runs if run.wait is not None and not run.over).on.advance()
    finally:
        for run in runs:
            run.close()
    return [run.trained() for run in runs]


def beside(job: Job) -> WaitingRun:
    """Begin a trial that is trained as one program with another one, of another seed, where that is possible."""
    if fusing.fault(job):
        return train(job)
    other = copy.deepcopy(job, {id(job.splits): job.splits})
    other = dataclasses.replace(other, seed=job.seed + 1, folder=job.folder / "other")
    runs = [train(each, fusing.group_of(each, 64)) for each in (job, other)]
    return _beside(runs[0], _Run(other, runs[1]))


def _beside(run: WaitingRun, other: "_Run") -> WaitingRun:
    try:
        said = next(run)
        while True:
            while isinstance(said[0], Wait):
                while not said[0].ready():
                    if other.can_move:
                        other.move(lambda _: Decision.CONTINUE)
                    else:
                        said[0].on.advance()
                said = run.send((Decision.CONTINUE,))
            said = run.send((yield said))
    except StopIteration as stop:
        results: tuple[TrialResult, ...] = stop.value
        return results
    finally:
        run.close()


def alone(job: Job, decide: Callable[[Message], Decision | None] = lambda _: Decision.CONTINUE) -> Trained:
    """Train a trial by the plain loop."""
    run = _Run(job, train(job))
    while not run.over:
        run.move(decide)
    return run.trained()


def distance(found: Tensor, expected: Tensor) -> float:
    """Return the norm of the difference, relative to that of what is expected; equal ones, nan included, have none."""
    if torch.equal(found, expected) or (torch.equal(found.isnan(), expected.isnan()) and expected.isnan().all()):
        return 0.0
    error = (found.double() - expected.double()).norm() / expected.double().norm()
    return float(error) if expected.is_floating_point() else math.inf


def assert_same(found: Trained, expected: Trained, tolerance: float = TOLERANCE) -> None:
    """Compare a trial of a group with its plain twin: weights, buffers, losses, reports, facts and files.

    No weight is exempt. The exact gradient of a bias in front of batch norm is 0, and rounding alone moves it, but our
    models have none there; that of the bias of a key is 0 too, and it stays what it is drawn as.

    Args:
        found: of the group.
        expected: alone.
        tolerance: relative, of the norm of a tensor.
    """
    assert found.weights.keys() == expected.weights.keys()
    errors = {name: distance(found.weights[name], each) for name, each in expected.weights.items()}
    assert not {name: error for name, error in errors.items() if not error <= tolerance}
    rounded = max(tolerance, ROUNDED)
    assert_same_reports(found.reports, expected.reports, tolerance, rounded)
    _assert_same_ends(found.result, expected.result, rounded)
    for name in (LAYERS, SAMPLES):
        _assert_same_files(found.folder / name, expected.folder / name, rounded)


def assert_same_reports(found: Sequence[Report], expected: Sequence[Report], tolerance: float, rounded: float) -> None:
    """Compare the curves of two trials but for what measures the machine."""
    for ours, theirs in zip(found, expected, strict=True):
        _assert_close((ours.epoch, ours.step, _told(ours.metrics), ours.end), _whole(theirs), rounded)
        exact = [name for name in DOUBLE if name in theirs.metrics]
        _assert_close([ours.metrics[name] for name in exact], [theirs.metrics[name] for name in exact], tolerance)
        _assert_close(ours.steps, theirs.steps, tolerance)


def _whole(report: Report) -> object:
    return report.epoch, report.step, _told(report.metrics), report.end


def _told(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in MACHINE}


def _assert_same_ends(found: TrialResult | None, expected: TrialResult | None, tolerance: float) -> None:
    if found is None or expected is None:
        assert found is expected
        return
    reasons = [re.sub(r"\d+\.\d+\S*", "x", each.reason) for each in (found, expected)]  # losses
    assert (found.state, found.artifacts, reasons[0]) == (expected.state, expected.artifacts, reasons[1])
    facts = {name: each for name, each in found.facts.items() if name != WIDTHS}
    _assert_close(facts, expected.facts, tolerance)


def _assert_same_files(found: Path, expected: Path, tolerance: float) -> None:
    assert found.exists() == expected.exists()
    if expected.exists():
        _assert_close(_read(found), _read(expected), tolerance)


def _read(file: Path) -> object:
    if file.suffix == ".json":
        return json.loads(file.read_text(encoding="utf-8"))
    return {name: each.tolist() for name, each in load_file(file).items()}


def _assert_close(found: object, expected: object, tolerance: float) -> None:
    """Compare nested values, numbers relative to their size."""
    ours, theirs = dict(_leaves(found)), dict(_leaves(expected))
    assert ours.keys() == theirs.keys()
    for place, value in theirs.items():
        if isinstance(value, float):
            assert ours[place] == pytest.approx(value, rel=tolerance, abs=1e-12, nan_ok=True), place
        else:
            assert ours[place] == value, place


def _leaves(value: object, place: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, f"{place}/{key}")
    elif isinstance(value, list | tuple):
        for key, each in enumerate(value):
            yield from _leaves(each, f"{place}/{key}")
    else:
        yield place, value
