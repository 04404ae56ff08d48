"""A pass over the training part that a member makes together with the others of its group.

Axes: S step, N samples of several steps, C output.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor

from hpsearch.base.types import Wait
from hpsearch.losses.class_weights import reported_losses
from hpsearch.trial.epoch import Epoch
from hpsearch.trial.job import Job
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.updates import set_rates
from hpsearch.trial.watch import Diverged, EpochLog, Limit


@dataclass(frozen=True, slots=True)
class Chunk:
    """What some of a member's steps gave.

    Attributes:
        loss: [S], the one that is trained on, without penalties.
        plain: [S], without weights and smoothing.
        sizes: labels in each step's batch.
        outputs: [N, C], before the updates.
        y: [N] or [N, C] targets, before any mixing.
    """

    loss: Tensor
    plain: Tensor
    sizes: Sequence[int]
    outputs: Tensor
    y: Tensor


class FusedEpoch(Epoch):
    """A pass that a member makes together with the others of its group, which trains it and says what that gave.

    Args:
        job: the trial.
        layers: measures layers at one of its updates.
        number: of the pass, from 1.
        rates: (learning rate, momentum) of each of its updates.
        limit: what is a divergence.
        wait: yields what others have to do before a place of this pass is reached.

    Attributes:
        rates: as given.
        begin: updates of the trial before it.
        watched: its update, from 0, at which layers are measured; None for none.
        norms_at: its updates, from 0, whose norms are measured.
        place: its updates so far.
        error: what ends it.
    """

    def __init__(
        self,
        job: Job,
        layers: LayerWatch,
        number: int,
        rates: Sequence[tuple[float, float | None]],
        limit: Limit,
        wait: Callable[[int], Iterator[Wait]],
    ) -> None:
        super().__init__(job, layers, number, rates)
        self.rates, self.begin = rates, self._begin
        self.watched, self.norms_at = self._place, self._measure
        self.place = 0
        self.error: Exception | None = None
        self._limit, self._wait = limit, wait
        self._whole = EpochLog(job.metrics, self._begin, limit, job.device)
        self._weighted = len(reported_losses(job.loss)) > 1

    def copied(self, job: Job, layers: LayerWatch) -> "FusedEpoch":
        """Return the same pass of a copy of the trial, which nobody waits for."""
        return FusedEpoch(job, layers, self.number, self.rates, self._limit, self._wait)

    def waits(self, step: int) -> Iterator[Wait]:
        """Yield what others have to do before `trained_to` is called."""
        yield from self._wait(step - self._begin)

    @contextmanager
    def trained_to(self, step: int) -> Iterator[None]:
        """Find that it has been trained up to an update of the trial."""
        if self.error is not None:
            raise self.error
        assert self.place == step - self._begin, "it was waited for"
        self.done = step
        set_rates(self._job.optimizer, *self.rates[self.place - 1])
        yield

    def add(self, chunk: Chunk) -> None:
        """Take in steps once and for all, unless the pass is over."""
        if self.place < self.end - self._begin:
            self._take(self._whole, chunk)

    def stop(self, place: int, chunk: Chunk | None, norms: Tensor, penalty: Tensor, seconds: float) -> None:
        """Stand still for an evaluation.

        Args:
            place: its updates so far.
            chunk: the steps that were not added yet; they will be, unless it ends here.
            norms: [3] sums of those measured so far, see `hpsearch.trial.watch.measured`.
            penalty: 0-d sum of its penalties so far.
            seconds: its share of the time so far.
        """
        self.place, self._norms, self._penalties, self._seconds = place, norms, penalty, seconds
        self._read = self._whole if place == self.end - self._begin else self._whole.copy()
        if chunk is not None:
            self._take(self._read, chunk)

    def _take(self, log: EpochLog, chunk: Chunk) -> None:
        if self.error is not None:
            return
        losses = {"loss": chunk.plain, "weighted_loss": chunk.loss} if self._weighted else {"loss": chunk.loss}
        try:
            log.take(chunk.loss.tolist(), losses, chunk.sizes, chunk.outputs, chunk.y)
        except Diverged as diverged:
            self.error = diverged
