"""One pass over the training part, trained in pieces between evaluations."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch

from hpsearch.base.types import Wait
from hpsearch.trial.averaging import Average
from hpsearch.trial.checkpoint import Progress
from hpsearch.trial.groups import Groups
from hpsearch.trial.job import Job
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.reference import divergence_limit
from hpsearch.trial.updates import (
    Draws,
    drawn_so_far,
    epoch_steps,
    torch_state,
    trained_parameters,
    training_mode,
    update_weights,
)
from hpsearch.trial.watch import EpochLog, measured, measured_steps

LOGGED_STEPS = 100
"""Thinned losses kept per epoch unless `Trainer.log_every` says otherwise."""


class Epoch(ABC):
    """A pass over the training part, which may stand still between two of its updates.

    What it trains does not depend on where it stands still: evaluations leave no trace in the draws, the sums and the
    order of the pass.

    Args:
        job: the trial.
        layers: measures layers at one of its updates.
        number: of the pass, from 1.
        rates: (learning rate, momentum) of each of its updates.

    Attributes:
        number: of the pass, from 1.
        done: updates of the trial so far.
        end: updates of the trial after this pass.
        width: trials that are trained as one program in it; 0: it alone, by the plain loop.
    """

    width = 0

    def __init__(self, job: Job, layers: LayerWatch, number: int, rates: Sequence[tuple[float, float | None]]) -> None:
        self._job, self._layers, self.number, self._rates = job, layers, number, rates
        self._begin = self.done = (number - 1) * job.steps_per_epoch
        self.end = min(self.done + job.steps_per_epoch, job.steps)
        self._every = job.trainer.log_every or math.ceil((self.end - self.done) / LOGGED_STEPS)
        self._measure = measured_steps(self.end - self.done)
        self._place = layers.place(number, self.end - self.done)
        self._norms = torch.zeros(3, device=job.device)
        self._penalties = torch.zeros((), device=job.device)
        self._seconds, self._logged = 0.0, 0
        self._log: EpochLog | None = None
        self._read: EpochLog | None = None

    @abstractmethod
    def trained_to(self, step: int) -> AbstractContextManager[None]:
        """Train up to an update of the trial; inside, layers that draw at random go on from there."""

    def waits(self, step: int) -> Iterator[Wait]:  # noqa: ARG002
        """Yield what others have to do before `trained_to` is called."""
        yield from ()

    def values(self) -> dict[str, float]:
        """Return what the pass measures so far: metrics of its batches, rates, norms and speed."""
        assert self._read is not None, "nothing was trained"
        steps = self.done - self._begin
        values = {f"train/{name}": value for name, value in self._read.means().items()}
        if self._job.regularizers:
            values["train/penalty"] = self._penalties.item() / steps
        gradient, change, weight = self._norms.tolist()
        values["lr"] = self._rates[steps - 1][0]
        if count := sum(place < steps for place in self._measure):
            values |= {"grad_norm": gradient / count, "update_ratio": change / weight if weight else math.nan}
        samples = min(steps * self._job.batching.size, self._job.batching.rows)
        return values | {"epoch_sec": self._seconds, "samples_per_sec": samples / self._seconds}

    def thinned(self) -> tuple[tuple[int, float], ...]:
        """Return (step, loss) of every n-th update of the trial, as far as they are new since the last call."""
        assert self._read is not None, "nothing was trained"
        new = tuple(each for each in self._read.thinned(self._every) if each[0] > self._logged)
        self._logged = self.done
        return new


class PlainEpoch(Epoch):
    """A pass that is trained by itself, with `torch.optim`.

    Args:
        job: the trial.
        groups: how many samples go through its model at once.
        progress: of the trial, whose last report is that of an epoch before.
        layers: measures layers at one of its updates.
        average: takes the weights in after each of them.
        number: of the pass, from 1.
        rates: (learning rate, momentum) of each of its updates.
    """

    def __init__(
        self,
        job: Job,
        groups: Groups,
        progress: Progress,
        layers: LayerWatch,
        average: Average,
        number: int,
        rates: Sequence[tuple[float, float | None]],
    ) -> None:
        super().__init__(job, layers, number, rates)
        self._groups, self._progress, self._average = groups, progress, average
        named = trained_parameters(job)
        self._parameters = [parameter for _, parameter in named]
        self._plain_update = partial(update_weights, job, named, self._parameters)
        self._draws: Draws | None = None
        self._steps = epoch_steps(job, groups, number, self.done, rates, self._update)

    @contextmanager
    def trained_to(self, step: int) -> Iterator[None]:
        """Train up to an update of the trial; inside, layers that draw at random go on from there."""
        with torch_state(self._job, self.number, self._draws):
            self._train(step)
            self._draws = None if self.done == self.end else drawn_so_far(self._job)
            yield

    def _train(self, step: int) -> None:
        started = time.perf_counter()
        if self._log is None:
            self._progress.limit = self._progress.limit or divergence_limit(self._job, self._groups)
            self._log = EpochLog(self._job.metrics, self._begin, self._progress.limit, self._job.device)
        training_mode(self._job)
        while self.done < step:
            each = next(self._steps)
            if self.done - self._begin == self._place:
                self._layers.keep(self.number, self.done + 1, each.loss)
            if each.penalty is not None:
                self._penalties += each.penalty
            self._log.add(each)
            self.done += 1
        whole = self.done == self.end
        if whole:
            next(self._steps, None)  # which lets go of what reads ahead
        self._read = self._log if whole else self._log.copy()  # reading early would change the order of its sums
        self._read.read()
        self._progress.micro = self._groups.training
        self._seconds += time.perf_counter() - started

    def _update(self, index: int) -> None:
        with self._layers.measured() if index == self._place else nullcontext():
            if index in self._measure:
                self._norms.add_(measured(self._plain_update, self._parameters))
            else:
                self._plain_update()
        self._average.update(self._begin + index + 1)
