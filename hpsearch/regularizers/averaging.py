"""Averages of the weights along a training: flatter minima, and a score without the noise of the last updates."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.base.errors import ConfigError
from hpsearch.base.words import number
from hpsearch.regularizers.base import Averaging, Extent

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class EMA(Averaging):
    """Exponential moving average of the weights, its decay given in epochs.

    With n updates per epoch, d = exp(-1 / (`epochs` n)), whatever the batch size: the weights of an update count 1/e
    of the last ones' after so many epochs. With warm-up the weights of an update count by their age alone::

        a_t = sum_i d^(t-i) w_i / sum_i d^(t-i),   which is   s_t = (1 - d) / (1 - d^t)

    so that the decay 1 - s_t grows from 0 to d: the correction of the bias towards the start of Kingma and Ba (Adam,
    ICLR 2015, section 3). Without it s_t = 1 - d from the second update on, and the first weights, which keep the
    share d^(t-1), stay in the average of a short training.

    Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 1992;
    Tarvainen and Valpola, Mean Teachers, NeurIPS 2017.

    Attributes:
        epochs: the time constant.
        warmup: whether the first weights count by their age alone.
    """

    option = "ema"
    epochs: float = 1.0
    warmup: bool = True

    def share(self, update: int, averaged: int, extent: Extent) -> float:  # noqa: ARG002 - every update counts
        """Return the share of the present weights."""
        rate = 1 / (self.epochs * extent.steps_per_epoch)
        whole = -math.expm1(-rate * (averaged + 1)) if self.warmup else 1.0
        return -math.expm1(-rate) / whole

    def rule(self, extent: Extent) -> str:  # noqa: ARG002
        """Return how it averages."""
        epochs = f"{number(self.epochs)} {'epoch' if self.epochs == 1 else 'epochs'}"
        return f"EMA of {epochs}" if self.warmup else f"EMA of {epochs} without warm-up"


@dataclass(frozen=True, kw_only=True)
class TorchEMA(Averaging):
    """Exponential moving average as torch has it: a decay per update, and no warm-up.

    s_t = 1 - decay: `torch.optim.swa_utils.get_ema_multi_avg_fn` after every update. The weights of the first update
    keep the share decay^(t-1).

    Attributes:
        decay: share of the average that an update leaves.
    """

    option = "ema_torch"
    decay: float = 0.999

    def share(self, update: int, averaged: int, extent: Extent) -> float:  # noqa: ARG002
        """Return the share of the present weights."""
        return 1 - self.decay

    def rule(self, extent: Extent) -> str:  # noqa: ARG002
        """Return how it averages."""
        return f"EMA, decay {number(self.decay)} per update"


@dataclass(frozen=True, kw_only=True)
class SWA(Averaging):
    """Stochastic weight averaging: the mean of the weights after some of the last epochs.

    Before the first of them the weights themselves are evaluated.

    Source: Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, UAI 2018.

    Attributes:
        start: the share of the epochs that goes before, below 1; or the first epoch whose weights are averaged, from
            1 on.
        every: epochs from one set of weights to the next; those of the last epoch count where it is one of them.
        lr: the learning rate while weights are averaged, None for that of the schedule.
        anneal_epochs: epochs in which the rate goes there from the schedule's, along half a cosine, as in torch's
            ``SWALR``; 0: at once.
    """

    option = "swa"
    start: float = 0.75
    every: int = 1
    lr: float | None = None
    anneal_epochs: int = 0

    def __post_init__(self) -> None:
        """Refuse what the table does not allow, and a way to no rate."""
        super().__post_init__()
        if self.anneal_epochs and self.lr is None:
            raise ConfigError(
                f"regularizer.swa.anneal_epochs = {self.anneal_epochs}: regularizer.swa.lr is null, so there is no "
                "rate to go to"
            )

    def share(self, update: int, averaged: int, extent: Extent) -> float:
        """Return the share of the present weights: the mean's, after the epochs that count."""
        epoch = -(-update // extent.steps_per_epoch)
        ends = update == min(epoch * extent.steps_per_epoch, extent.steps)
        first = self._first(extent)
        return 1 / (averaged + 1) if ends and epoch >= first and (epoch - first) % self.every == 0 else 0.0

    def rule(self, extent: Extent) -> str:
        """Return how it averages."""
        every = "every epoch" if self.every == 1 else f"every {self.every} epochs"
        return f"SWA, the mean after {every} from {self._first(extent)} on"

    def rates(self, lr: "Tensor", extent: Extent) -> "Tensor":
        """Return the learning rates with `lr` while weights are averaged."""
        import torch

        if self.lr is None:
            return lr
        begin = (self._first(extent) - 1) * extent.steps_per_epoch
        passed = torch.arange(len(lr) - begin, dtype=lr.dtype) / max(1, self.anneal_epochs * extent.steps_per_epoch)
        share = (1 - torch.cos(math.pi * passed.clamp(max=1))) / 2 if self.anneal_epochs else torch.ones_like(passed)
        return torch.cat((lr[:begin], self.lr * share + lr[begin] * (1 - share)))

    def _first(self, extent: Extent) -> int:
        """Return the first epoch whose weights are averaged."""
        first = int(self.start * extent.epochs) + 1 if self.start < 1 else int(self.start)
        if first > extent.epochs:
            raise ConfigError(f"regularizer.swa.start = {first}: the trial has {extent.epochs} epochs")
        return first
