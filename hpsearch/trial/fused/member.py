"""A trial of a group: what trains and evaluates it together with the others."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from hpsearch.base.types import Shared, Wait
from hpsearch.trial.averaging import Average
from hpsearch.trial.checkpoint import Progress
from hpsearch.trial.engine import Alone, named, part_of
from hpsearch.trial.epoch import Epoch
from hpsearch.trial.evaluate import measured
from hpsearch.trial.fused.epoch import FusedEpoch
from hpsearch.trial.job import Job
from hpsearch.trial.layers import SAMPLES, LayerWatch
from hpsearch.trial.reference import divergence_limit
from hpsearch.trial.samples import SampleWatch, may_count
from hpsearch.trial.updates import forward_pass


class Others(Shared, Protocol):
    """What a member asks of its group."""

    def join(self, member: "Member") -> None:
        """Take a member in where the next epoch begins."""
        ...

    def outputs(self, member: "Member", part: str) -> Iterable[tuple[Tensor, Tensor]] | None:
        """Return outputs [B, C] and targets of each batch of a part of the data, for a member that stands still.

        None where memory does not suffice for every single one of the members.
        """
        ...

    def is_plain(self, epoch: int) -> bool:
        """Return whether a recorded trial was trained by the plain loop in an epoch."""
        ...

    def part(self, member: "Member") -> None:
        """Go on without a member, until it joins again."""
        ...


class Member:
    """Trains a trial together with the others of its group.

    Args:
        group: the others.
        job: the trial.
        progress: how far it has come.
        layers: measures its layers.

    Attributes:
        job: the trial.
        layers: measures its layers.
        groups: how many samples go through its model at once where it is evaluated by itself.
        present: whether it is trained further.
        pass_: the pass that it is in, once there is one.
        target: updates of this pass after which it goes on; None while it does something itself.
    """

    def __init__(self, group: Others, job: Job, progress: Progress, layers: LayerWatch) -> None:
        self._alone = Alone(job, progress, layers)
        self.groups = self._alone.groups
        self.job, self._progress, self.layers, self._group = job, progress, layers, group
        self.present = True
        self.pass_: FusedEpoch | None = None
        self.target: int | None = None

    @property
    def facts(self) -> Mapping[str, str | int]:
        """What a trial's record says of how it was trained."""
        return self._alone.facts

    @property
    def current(self) -> FusedEpoch:
        """The pass that it is in."""
        assert self.pass_ is not None, "it has joined its group"
        return self.pass_

    def epoch(self, average: Average, number: int, rates: Sequence[tuple[float, float | None]]) -> Epoch:
        """Begin a pass over the training part, once the others do."""
        if self._group.is_plain(number):
            self._group.part(self)
            self.pass_ = None
            return self._alone.epoch(average, number, rates)
        limit = self._progress.limit = self._progress.limit or divergence_limit(self.job, self.groups)
        first = self.pass_ is None
        self.pass_ = FusedEpoch(self.job, self.layers, number, rates, limit, self._wait)
        if first:
            self._group.join(self)
        return self.pass_

    @property
    def ready(self) -> bool:
        """Whether it was trained as far as it waits for, or fails."""
        return self.current.error is not None or self.current.place == self.target

    def _wait(self, place: int) -> Iterator[Wait]:
        self.target = place
        yield Wait(self._group, lambda: self.ready)
        self.target = None

    def evaluate(self, part: str, step: int) -> dict[str, float]:
        """Return the metrics of a part of the data by name, after `step` updates."""
        job = self.job
        together = self.pass_ is not None and self.present and job.trainer.eval_views == "none"
        given = self._group.outputs(self, part) if together else None
        if given is None:
            return self._alone.evaluate(part, step)
        if self.layers.looks:
            self._look(part)
        watch = SampleWatch(job) if may_count(job, part, step) else None
        values = measured(given, job.loss, job.metrics, job.device, watch)
        if watch is not None:
            self._progress.samples.setdefault(step, {}).update(watch.results(part, values))
        return named(part, values)

    @torch.no_grad()
    def _look(self, part: str) -> None:
        """Let what looks at layers see a few samples go through the member's own model."""
        self.job.model.eval()
        x, _ = next(iter(part_of(self.job, part).in_order(min(SAMPLES, self.job.trainer.eval_batch_size))))
        forward_pass(self.job, x)

    def leave(self) -> None:
        """Train no further; what is evaluated from here on are the weights in its model."""
        self.present = False


class Single(Member):
    """The member of a group of one: it lets its group train whenever it waits, and nobody has to be asked."""

    def _wait(self, place: int) -> Iterator[Wait]:
        for wait in super()._wait(place):
            while not wait.ready():
                wait.on.advance()
        yield from ()
