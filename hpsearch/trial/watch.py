"""What the loop sees of its steps without waiting for the device at each of them."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from hpsearch.metrics.base import Metric
from hpsearch.metrics.meter import Meter

CHUNK_STEPS = 64
"""Steps read from the device at once; a diverged trial trains at most this many steps too many."""
MEASURED_STEPS = 4
"""Updates measured per epoch."""


class Diverged(Exception):
    """A loss that is not finite or far above the first one.

    Attributes:
        step: the step, from 1, whose batch had that loss.
        first_loss: the loss of the trial's first step.
    """

    def __init__(self, step: int, reason: str, first_loss: float) -> None:
        super().__init__(f"diverged at step {step}: {reason}")
        self.step = step
        self.first_loss = first_loss


class EpochLog:
    """The losses and metric sums of one epoch's steps, read from the device in chunks.

    Args:
        metrics: what is measured besides the loss, by key.
        done: steps before the epoch.
        first_loss: loss of the trial's first step, None when the epoch begins with it.
        factor: a loss above this many times the first one is a divergence. A first loss of 0 or less has no such limit.
        device: where the losses are.

    Attributes:
        losses: the loss of every step read so far.
        first_loss: as the argument; set by the first step.
    """

    def __init__(
        self,
        metrics: Mapping[str, Metric],
        done: int,
        first_loss: float | None,
        factor: float,
        device: torch.device,
    ) -> None:
        self.losses: list[float] = []
        self.first_loss = first_loss
        self._done, self._factor = done, factor
        self._meter = Meter(metrics, device)
        self._chunk: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, loss: Tensor, outputs: Tensor, y: Tensor) -> None:
        """Keep a step's 0-d loss, outputs [B, C] and targets; when that completes a chunk, `read` it."""
        self._chunk.append((loss, outputs, y))
        if len(self._chunk) == CHUNK_STEPS:
            self.read()

    def read(self) -> None:
        """Read what is kept, waiting for the device; raise `Diverged` for the first divergence in it."""
        if not self._chunk:
            return
        chunk_losses, outputs, targets = zip(*self._chunk, strict=True)
        self._chunk = []
        losses, y = torch.stack(chunk_losses), torch.cat(targets)
        self._check(losses.tolist())
        sizes = torch.tensor([len(part) for part in targets], device=losses.device)
        self._meter.update((losses * sizes).sum() / len(y), torch.cat(outputs), y)

    def means(self) -> dict[str, float]:
        """Return the loss and the metrics of the epoch by name."""
        return self._meter.compute()

    def thinned(self, every: int) -> tuple[tuple[int, float], ...]:
        """Return (step, loss) of the trial's first and then every `every`-th step, as far as they are in this epoch."""
        numbered = enumerate(self.losses, self._done + 1)
        return tuple((step, value) for step, value in numbered if (step - 1) % every == 0)

    def _check(self, values: Sequence[float]) -> None:
        for value in values:
            step = self._done + len(self.losses) + 1
            if self.first_loss is None:
                self.first_loss = value
            if not math.isfinite(value):
                raise Diverged(step, f"loss {value}", self.first_loss)
            if 0 < self._factor * self.first_loss < value:
                limit = f"more than {self._factor:g} times the first step's {self.first_loss:.6g}"
                raise Diverged(step, f"loss {value:.6g}, {limit}", self.first_loss)
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
    gradient = _flat([parameter.grad for parameter in parameters if parameter.grad is not None]).norm()
    before = _flat(parameters)
    update()
    return torch.stack((gradient, (_flat(parameters) - before).norm(), before.norm()))


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])
