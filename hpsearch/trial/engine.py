"""What trains and evaluates a trial: it alone, by the plain loop, or a group of them as one program."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from hpsearch.data.part import Part
from hpsearch.data.views import averaged
from hpsearch.trial.averaging import Average
from hpsearch.trial.checkpoint import Progress
from hpsearch.trial.epoch import Epoch, PlainEpoch
from hpsearch.trial.evaluate import evaluate
from hpsearch.trial.groups import Groups
from hpsearch.trial.job import Job
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.samples import SampleWatch, may_count
from hpsearch.trial.updates import forward_pass


class Engine(Protocol):
    """Trains and evaluates a trial, whose own model holds its weights whenever it is asked.

    Attributes:
        groups: how many samples go through its model at once.
    """

    groups: Groups

    @property
    def facts(self) -> Mapping[str, str | int]:
        """What a trial's record says of how it was trained."""
        ...

    def epoch(self, average: Average, number: int, rates: Sequence[tuple[float, float | None]]) -> Epoch:
        """Begin a pass over the training part.

        Args:
            average: takes the weights in after each update.
            number: of the pass, from 1.
            rates: (learning rate, momentum) of each of its updates.
        """
        ...

    def evaluate(self, part: str, step: int) -> dict[str, float]:
        """Return the metrics of a part of the data by name, after `step` updates."""
        ...

    def leave(self) -> None:
        """Train no further; what is evaluated from here on are the weights in its model."""
        ...


class Alone:
    """Trains a trial by itself, with `torch.optim`.

    Args:
        job: the trial.
        progress: how far it has come.
        layers: measures its layers.

    Attributes:
        groups: how many samples go through its model at once.
    """

    def __init__(self, job: Job, progress: Progress, layers: LayerWatch) -> None:
        self.groups = Groups(job, progress.micro)
        self._job, self._progress, self._layers = job, progress, layers

    @property
    def facts(self) -> Mapping[str, str | int]:
        """How many samples went through the model at once, where that was found out."""
        return self.groups.facts

    def epoch(self, average: Average, number: int, rates: Sequence[tuple[float, float | None]]) -> Epoch:
        """Begin a pass over the training part."""
        return PlainEpoch(self._job, self.groups, self._progress, self._layers, average, number, rates)

    def evaluate(self, part: str, step: int) -> dict[str, float]:
        """Return the metrics of a part of the data by name, after `step` updates."""
        job, split, watched = self._job, part_of(self._job, part), may_count(self._job, part, step)
        forward = averaged(partial(forward_pass, job), job.trainer.eval_views, job.splits.task)

        def attempt(size: int) -> dict[str, float]:
            watch = SampleWatch(job) if watched else None
            values = evaluate(job.model, forward, job.loss, split, size, job.metrics, watch)
            if watch is not None:
                self._progress.samples.setdefault(step, {}).update(watch.results(part, values))
            return values

        return named(part, self.groups.evaluate(attempt))

    def leave(self) -> None:
        """Nothing is shared."""


def part_of(job: Job, part: str) -> Part:
    """Return a part of a trial's data by the name that its metrics begin with."""
    split = {"valid": job.splits.valid, "test": job.splits.test, "train_eval": job.splits.train}[part]
    assert split is not None, f"there is no {part}"
    return split


def named(part: str, values: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of a part of the data by the names that reports have for them."""
    return {f"{part}/{name}": value for name, value in values.items()}
