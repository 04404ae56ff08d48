"""What the loop sees of a step without waiting for the device: its loss, its gradient, its update."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

CHUNK_STEPS = 64
"""Losses read from the device at once; a diverged trial trains at most this many steps too many."""
MEASURED_STEPS = 4
"""Updates measured per epoch."""


class Diverged(Exception):
    """A loss that is not finite or far above the first one.

    Attributes:
        step: the step, from 1, whose batch had that loss.
    """

    def __init__(self, step: int, reason: str) -> None:
        super().__init__(f"diverged at step {step}: {reason}")
        self.step = step


class LossLog:
    """The losses of one epoch's steps, kept on the device and read in chunks.

    Args:
        steps: number of steps in the epoch.
        done: steps before the epoch.
        first_loss: loss of the trial's first step, None when the epoch begins with it.
        factor: a loss above this many times the first one is a divergence. A first loss of 0 or less has no such limit.
        device: where the losses are.
    """

    def __init__(self, steps: int, done: int, first_loss: float | None, factor: float, device: torch.device) -> None:
        self.values: list[float] = []
        self.first_loss = first_loss
        self._buffer = torch.empty(steps, device=device)
        self._done, self._factor, self._size = done, factor, 0

    def add(self, loss: Tensor) -> None:
        """Keep a step's loss, a 0-d tensor; when that completes a chunk, raise `Diverged` for the first divergence."""
        self._buffer[self._size] = loss
        self._size += 1
        if self._size % CHUNK_STEPS == 0 or self._size == len(self._buffer):
            self._read()

    def thinned(self, every: int) -> tuple[tuple[int, float], ...]:
        """Return (step, loss) of the trial's first and then every `every`-th step, as far as they are in this epoch."""
        numbered = enumerate(self.values, self._done + 1)
        return tuple((step, value) for step, value in numbered if (step - 1) % every == 0)

    def _read(self) -> None:
        for value in self._buffer[len(self.values) : self._size].tolist():
            step = self._done + len(self.values) + 1
            if self.first_loss is None:
                self.first_loss = value
            if not math.isfinite(value):
                raise Diverged(step, f"loss {value}")
            if 0 < self._factor * self.first_loss < value:
                limit = f"more than {self._factor:g} times the first step's {self.first_loss:.6g}"
                raise Diverged(step, f"loss {value:.6g}, {limit}")
            self.values.append(value)


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
    gradient = get_total_norm([parameter.grad for parameter in parameters if parameter.grad is not None])
    before = [parameter.detach().clone() for parameter in parameters]
    update()
    change = [parameter.detach() - old for parameter, old in zip(parameters, before, strict=True)]
    return torch.stack((gradient, get_total_norm(change), get_total_norm(before)))
