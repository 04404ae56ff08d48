"""The passes over their training parts that the members of a group make together, update by update.

Axes: K member, S step, B sample, C output.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property

import torch
from torch import Tensor

from hpsearch.base.steps import label_count, per_step
from hpsearch.data.part import Split
from hpsearch.trial.fused.epoch import Chunk, FusedEpoch
from hpsearch.trial.fused.step import JointStep, Update
from hpsearch.trial.job import Job
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.updates import epoch_order, mixed, training_batches
from hpsearch.trial.watch import CHUNK_STEPS


class Joint:
    """One pass of every member; a member whose pass is shorter is over when it ends.

    Args:
        jobs: the trials.
        epochs: their passes.
        layers: what measures their layers.
        update: trains them.

    Attributes:
        place: updates of the pass so far.
        steps: updates of a whole pass.
    """

    def __init__(
        self, jobs: Sequence[Job], epochs: Sequence[FusedEpoch], layers: Sequence[LayerWatch], update: Update
    ) -> None:
        self._jobs, self._epochs, self._layers, self._update = jobs, epochs, layers, update
        self.place, self.steps = 0, jobs[0].steps_per_epoch
        self._batches = self._own_batches() if self._differ else self._shared_batches()
        self._begin_K = torch.tensor([epoch.begin for epoch in epochs], device=jobs[0].device)
        self._lr_SK, self._momentum_SK = self._rates()
        self._norms = torch.zeros(len(jobs), 3, device=jobs[0].device)
        self._penalty = torch.zeros(len(jobs), device=jobs[0].device)
        self._measured_at = self._masks([epoch.norms_at for epoch in epochs])
        self._watched_at = {epoch.watched for epoch in epochs}
        self._seconds = 0.0
        self._kept: list[JointStep] = []

    def train_to(self, place: int, stopping: Sequence[int]) -> None:
        """Train every member.

        Args:
            place: up to this update of the pass.
            stopping: members that stand still there; they are told what their pass gave so far.
        """
        started = time.perf_counter()
        while self.place < place:
            self._step()
            if len(self._kept) == CHUNK_STEPS and self.place < place:
                self._add_all()
        chunks = self._chunks(stopping)
        self._seconds += (time.perf_counter() - started) / len(self._jobs)
        for k, chunk in zip(stopping, chunks, strict=True):
            self._epochs[k].stop(place, chunk, self._norms[k], self._penalty[k], self._seconds)
        if len(self._kept) == CHUNK_STEPS:
            self._add_all()

    def _step(self) -> None:
        x, y, targets = next(self._batches)
        rates = self._lr_SK[self.place], None if self._momentum_SK is None else self._momentum_SK[self.place]
        step = self._update.backward(x, y, targets, self._begin_K + self.place)
        self._fail()
        if step is None:
            self.place = self.steps
            return
        at = self.place in self._watched_at
        watched = [k for k, epoch in enumerate(self._epochs) if epoch.watched == self.place] if at else []
        with ExitStack() as watching:
            for k in watched:
                self._update.lend_gradients(k)
                watching.enter_context(self._layers[k].measured())
            self._measured(*rates)
        for k in watched:
            self._layers[k].keep(self._epochs[k].number, self._epochs[k].begin + self.place + 1, step.loss[k])
        if step.penalty is not None:
            self._penalty = self._penalty + step.penalty
        self._kept.append(step)
        self.place += 1

    def _fail(self) -> None:
        """End the passes of members that do not fit into memory."""
        for k, error in self._update.failed.items():
            self._epochs[k].error = self._epochs[k].error or error

    def _measured(self, lr_K: Tensor, momentum_K: Tensor | None) -> None:
        """Update, and measure the members for which that is asked for."""
        mask_K1 = self._measured_at.get(self.place)
        if mask_K1 is None:
            self._update.update(lr_K, momentum_K)
        else:
            self._norms = torch.where(mask_K1, self._norms + self._update.measured(lr_K, momentum_K), self._norms)

    def _masks(self, places: Sequence[Collection[int]]) -> dict[int, Tensor]:
        """Return [K, 1] which members are measured, by the updates of the pass at which any is."""
        device = self._jobs[0].device
        asked = {place: [[place in each] for each in places] for place in set().union(*places)}
        return {place: torch.tensor(members, device=device) for place, members in asked.items()}

    def _add_all(self) -> None:
        for epoch, chunk in zip(self._epochs, self._chunks(range(len(self._jobs))), strict=True):
            if chunk is not None:
                epoch.add(chunk)
        self._kept = []

    def _chunks(self, members: Sequence[int]) -> list[Chunk | None]:
        """Return what the steps that are kept gave some members; None where there are none."""
        if not self._kept:
            return [None for _ in members]
        loss, plain = (torch.stack(each, 1) for each in zip(*((s.loss, s.plain) for s in self._kept), strict=True))
        outputs, y = (torch.cat(each, 1) for each in zip(*((s.outputs, s.y) for s in self._kept), strict=True))
        return [Chunk(loss[k], plain[k], _sizes(self._kept, k), outputs[k], y[k]) for k in members]

    @cached_property
    def _differ(self) -> bool:
        """Whether members see batches that are not the same rows of the same tensors."""
        first = self._jobs[0].splits.train
        changed = any(job.augment is not None or job.mixing is not None for job in self._jobs)
        return changed or any(job.splits.train is not first for job in self._jobs)

    def _shared_batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        train, size = self._jobs[0].splits.train, self._jobs[0].batching.size
        assert isinstance(train, Split), "streamed parts are not fused"
        orders = zip(self._jobs, self._epochs, strict=True)
        rows_KN = torch.stack([epoch_order(job, epoch.number) for job, epoch in orders])
        for rows_KB in torch.split(rows_KN, size, 1):
            rows = rows_KB.reshape(-1)
            x, y = train.x.index_select(0, rows), train.y.index_select(0, rows)
            y = y.view(*rows_KB.shape, *y.shape[1:])
            yield x.view(*rows_KB.shape, *x.shape[1:]), y, y

    def _own_batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        each = [_batches_of(job, epoch) for job, epoch in zip(self._jobs, self._epochs, strict=True)]
        for given in zip(*each, strict=True):
            x, y, targets = (torch.stack(tensors) for tensors in zip(*given, strict=True))
            yield x, y, targets

    def _rates(self) -> tuple[Tensor, Tensor | None]:
        """Return learning rates [S, K], and momenta where a schedule moves some; after a member's last update, 0."""
        rows = [[*epoch.rates, *[(0.0, None)] * (self.steps - len(epoch.rates))] for epoch in self._epochs]
        usual = [_momentum(job) for job in self._jobs]
        moved = any(momentum is not None for row in rows for _, momentum in row)
        momenta = [[m if m is not None else usual[k] for _, m in row] for k, row in enumerate(rows)]
        lr = [[rate for rate, _ in row] for row in rows]
        device = self._jobs[0].device
        return _columns(lr, device), _columns(momenta, device) if moved else None


def _batches_of(job: Job, epoch: FusedEpoch) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    for index, (x, y) in enumerate(training_batches(job, epoch.number)):
        blended, targets = mixed(job, x, y, epoch.begin + index)
        yield blended, y, targets


def _momentum(job: Job) -> float:
    known = job.optimizer.param_groups[0]
    return float(known.get("momentum", known.get("betas", (0.0,))[0]))


def _columns(rows: Sequence[Sequence[float]], device: torch.device) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).t().contiguous().to(device)


def _sizes(steps: Sequence[JointStep], k: int) -> list[int]:
    """Return the labels in each batch of a member."""
    return [label_count(step.y[k]) for step in steps] if per_step(steps[0].y[k]) else [s.y.shape[1] for s in steps]
