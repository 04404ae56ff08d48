"""What the loop sees of its steps without waiting for the device at each of them."""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hpsearch.base.steps import label_count
from hpsearch.metrics.base import Metric
from hpsearch.metrics.meter import Meter

CHUNK_STEPS = 64
"""Steps read from the device at once; a diverged trial trains at most this many steps too many."""
MEASURED_STEPS = 4
"""Updates measured per epoch."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The loss above which training has diverged: a multiple of what knowing nothing costs.

    Attributes:
        reference: that cost; at 0 or less there is no limit.
        of: what has it, for messages.
        factor: how many times the cost is too much.
    """

    reference: float
    of: str
    factor: float

    def broken_by(self, loss: float) -> str:
        """Return why a step's loss ends training; empty where it does not."""
        if not math.isfinite(loss):
            return f"loss {loss}"
        if 0 < self.factor * self.reference < loss:
            return f"loss {loss:.6g}, more than {self.factor:g} times {self.of}'s {self.reference:.6g}"
        return ""


class Diverged(Exception):
    """A loss that is not finite or beyond its `Limit`.

    Attributes:
        step: the step, from 1, whose batch had that loss.
    """

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(f"diverged at step {step}: {reason}")
        self.step = step


class Step(NamedTuple):
    """One step of training, on the device.

    Attributes:
        y: [B] class numbers, of steps [B, T], or [B, C] targets, before any mixing.
        outputs: [B, C] of the model, of steps [B, T, C], before the update.
        losses: what is reported of the batch by name, 0-d, without penalties.
        loss: 0-d, the one that is trained on.
        penalty: 0-d, of the regularizers; None where there are none.
    """

    y: Tensor
    outputs: Tensor
    losses: Mapping[str, Tensor]
    loss: Tensor
    penalty: Tensor | None


class EpochLog:
    """The losses and metric sums of one epoch's steps, read from the device in chunks.

    Args:
        metrics: what is measured besides the loss, by key.
        done: steps before the epoch.
        limit: what is a divergence.
        device: where the losses are.

    Attributes:
        losses: the loss of every step read so far.
    """

    def __init__(self, metrics: Mapping[str, Metric], done: int, limit: Limit, device: torch.device) -> None:
        self.losses: list[float] = []
        self._done, self._limit = done, limit
        self._meter = Meter(metrics, device)
        self._chunk: list[Step] = []

    def add(self, step: Step) -> None:
        """Keep a step; when that completes a chunk, `read` it."""
        self._chunk.append(step)
        if len(self._chunk) == CHUNK_STEPS:
            self.read()

    def copy(self) -> "EpochLog":
        """Return a log of its own of the same steps."""
        other = copy(self)
        other.losses, other._chunk, other._meter = list(self.losses), list(self._chunk), self._meter.copy()
        return other

    def read(self) -> None:
        """Read what is kept, waiting for the device; raise `Diverged` for the first divergence in it."""
        if not self._chunk:
            return
        chunk, self._chunk = self._chunk, []
        losses = {name: torch.stack([step.losses[name] for step in chunk]) for name in chunk[0].losses}
        y, outputs = torch.cat([step.y for step in chunk]), torch.cat([step.outputs for step in chunk])
        sizes = [label_count(step.y) for step in chunk]
        self.take(torch.stack([step.loss for step in chunk]).tolist(), losses, sizes, outputs, y)

    def take(
        self, loss: Sequence[float], losses: Mapping[str, Tensor], sizes: Sequence[int], outputs: Tensor, y: Tensor
    ) -> None:
        """Take in a chunk of steps; raise `Diverged` for the first divergence in it.

        Args:
            loss: of each step, the one that is trained on.
            losses: [S] what is reported of each step's batch, by name.
            sizes: labels in each step's batch.
            outputs: [N, C] of the model in all of them.
            y: [N] or [N, C] their targets.
        """
        self._check(loss)
        sizes_S = torch.tensor(sizes, device=y.device)
        sums = {name: ((each_S * sizes_S).sum(), sum(sizes)) for name, each_S in losses.items()}
        self._meter.update(sums, outputs, y)

    def means(self) -> dict[str, float]:
        """Return the losses and the metrics of the epoch by name."""
        return self._meter.compute()

    def thinned(self, every: int) -> tuple[tuple[int, float], ...]:
        """Return (step, loss) of the trial's first and then every `every`-th step, as far as they are in this epoch."""
        numbered = enumerate(self.losses, self._done + 1)
        return tuple((step, value) for step, value in numbered if (step - 1) % every == 0)

    def _check(self, values: Sequence[float]) -> None:
        for value in values:
            if reason := self._limit.broken_by(value):
                raise Diverged(self._done + len(self.losses) + 1, reason)
            self.losses.append(value)


def measured_steps(steps: int) -> frozenset[int]:
    """Return the evenly spaced places of an epoch's steps, from 0, whose updates are measured."""
    count = min(steps, MEASURED_STEPS)
    return frozenset((2 * place + 1) * steps // (2 * count) for place in range(count))


def measured(update: Callable[[], None], parameters: Sequence[Tensor]) -> Tensor:
    """Run an update and measure it.

    Args:
        update: changes the parameters.
        parameters: with their gradients.

    Returns:
        [3] the Euclidean norms, over all parameters, of the gradient before, of the change and of the weights before.
    """
    norm = torch.linalg.vector_norm
    gradient = norm(_flat([parameter.grad for parameter in parameters if parameter.grad is not None]))
    before = _flat(parameters)
    update()
    return torch.stack((gradient, norm(_flat(parameters) - before), norm(before)))


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    with torch.no_grad():
        return torch.cat([tensor.reshape(-1) for tensor in tensors])
