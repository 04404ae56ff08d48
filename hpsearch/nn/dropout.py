"""Dropout whose masks are a function of where they are drawn, not of what was drawn before."""

import torch
from torch import Tensor, nn

from hpsearch.base.limits import BELOW_ONE
from hpsearch.base.rng import address, mix


class Dropout(nn.Module):
    """Inverted dropout with addressed masks.

    In training, entry i of the input is kept when ``h(i ^ h(seed ^ step)) >= rate * 2^32 - 2^31`` and divided by
    ``1 - rate``, so that its expectation is kept; h mixes the bits of a signed 32-bit number (see
    `hpsearch.base.rng.mix`). The same seed, step and shape give the same mask on every device, whatever else was drawn,
    and under `torch.func.vmap` with one seed, step and rate per member the mask each member would get alone. In
    evaluation it does nothing. A group of a larger batch, see `locate`, has the masks of its samples in the whole one.

    Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, JMLR 2014.

    Args:
        rate: probability of dropping an entry, in [0, 1).

    Attributes:
        rate: 0-d float32 buffer, not saved.
        seed: 0-d int32 buffer, not saved, of the trial's seed and the layer, see `address_dropout`.
        step: 0-d int32 buffer, not saved, the optimizer update in progress, see `advance`.
        start: 0-d int32 buffer, not saved, samples of the batch before this group.
        rows: 0-d int32 buffer, not saved, samples of this group.
        grouped: whether `start` and `rows` were told.
        active: whether masks are drawn in training; False where `rate` is 0 from the start. Whoever replaces the
            buffers (one rate per member) sets it.
    """

    rate: Tensor
    seed: Tensor
    step: Tensor
    start: Tensor
    rows: Tensor

    def __init__(self, rate: float = 0.5) -> None:
        super().__init__()
        BELOW_ONE("model.dropout", rate)
        self.active = rate > 0
        self.grouped = False
        self.register_buffer("rate", torch.tensor(rate, dtype=torch.float32), persistent=False)
        self.register_buffer("seed", torch.tensor(0, dtype=torch.int32), persistent=False)
        for name in ("step", "start", "rows"):
            self.register_buffer(name, torch.tensor(0, dtype=torch.int32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Drop entries of `x` in training."""
        if not (self.training and self.active):
            return x
        index = torch.arange(x.numel(), dtype=torch.int32, device=x.device).view(x.shape)
        if self.grouped:
            index = index + self.start * (x.numel() // self.rows)
        return drop(x, index, self.rate, self.seed ^ self.step)

    def extra_repr(self) -> str:
        """Show the rate."""
        return f"rate={self.rate.tolist()}"


def drop(x: Tensor, index: Tensor, rate: Tensor, place: Tensor) -> Tensor:
    """Drop entries of `x`, see `Dropout`.

    Args:
        x: the entries.
        index: int32, of each entry.
        rate: float32, probability of dropping it.
        place: int32, seed ^ step, where it is drawn.

    Returns:
        What is left, scaled so that its expectation is kept.
    """
    keep = mix(index ^ mix(place)) >= (rate * 2.0**32 - 2.0**31).int()
    return x * (keep / (1 - rate)).to(x.dtype)


def address_dropout(model: nn.Module, seed: int) -> None:
    """Give every `Dropout` of a model its address: the trial's seed and its place among the model's `Dropout` layers.

    Args:
        model: searched in the order of ``model.modules()``.
        seed: the trial's seed.
    """
    layers = [module for module in model.modules() if isinstance(module, Dropout)]
    for layer, module in enumerate(layers):
        module.seed.fill_((address(seed, "dropout", layer) & 0xFFFFFFFF) - 2**31)


def advance(model: nn.Module, step: int) -> None:
    """Tell every `Dropout` of a model which optimizer update comes next; this does not wait for the device.

    Args:
        model: the model.
        step: updates completed so far.
    """
    for module in model.modules():
        if isinstance(module, Dropout):
            module.step.fill_(step)


def locate(model: nn.Module, start: int, rows: int) -> None:
    """Tell every `Dropout` of a model which samples of a batch the next forward pass is of.

    Args:
        model: the model.
        start: samples of the batch before them.
        rows: how many they are.
    """
    for module in model.modules():
        if isinstance(module, Dropout):
            module.grouped = True
            module.start.fill_(start)
            module.rows.fill_(rows)
