"""Activation functions by name."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError, check_choice

PIECES = 2
"""Linear pieces that a maxout unit takes the maximum of."""


class CReLU(nn.Module):
    """Concatenated ReLU: ``[max(x, 0), max(-x, 0)]``, twice the channels.

    Source: Shang, Sohn, Almeida and Lee, Understanding and improving convolutional neural networks via concatenated
    rectified linear units, ICML 2016.

    Args:
        axis: the axis of the channels.
    """

    def __init__(self, axis: int = 1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Return the positive and the negative part, one behind the other."""
        return torch.cat([x, -x], self.axis).relu()


class Maxout(nn.Module):
    """Maxout: unit i is the maximum of the `pieces` neighbouring channels from ``i * pieces`` on.

    Source: Goodfellow, Warde-Farley, Mirza, Courville and Bengio, Maxout networks, ICML 2013.

    Args:
        pieces: linear pieces of a unit.
        axis: the axis of the channels.
    """

    def __init__(self, pieces: int = PIECES, axis: int = 1) -> None:
        super().__init__()
        self.pieces, self.axis = pieces, axis

    def forward(self, x: Tensor) -> Tensor:
        """Return the maxima; a `pieces`-th of the channels."""
        axis = self.axis % x.ndim
        return torch.unflatten(x, axis, (-1, self.pieces)).amax(axis + 1)


@dataclass(frozen=True, slots=True)
class Activation:
    """An activation function and what it does to the number of channels.

    Attributes:
        make: returns a new module.
        takes: channels it needs for one unit of width.
        gives: channels it gives for one unit of width.
    """

    make: Callable[[], nn.Module]
    takes: int = 1
    gives: int = 1


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(nn.Sigmoid),
    "tanh": Activation(nn.Tanh),
    "relu": Activation(nn.ReLU),
    "crelu": Activation(CReLU, gives=2),
    "leaky_relu": Activation(nn.LeakyReLU),
    "prelu": Activation(nn.PReLU),
    "relu6": Activation(nn.ReLU6),
    "elu": Activation(nn.ELU),
    "selu": Activation(nn.SELU),
    "silu": Activation(nn.SiLU),
    "gelu": Activation(nn.GELU),
    "mish": Activation(nn.Mish),
    "maxout": Activation(Maxout, takes=PIECES),
    "softplus": Activation(nn.Softplus),
}


def activation_layer(name: str, axis: int = 1) -> nn.Module:
    """Return a new activation module, with the published constants (torch's defaults).

    ``prelu`` learns one slope per layer, from 1/4 on (He, Zhang, Ren and Sun, Delving deep into rectifiers, ICCV 2015).

    Args:
        name: a key of `ACTIVATIONS`.
        axis: the axis of the channels, for the two that change their number.

    Returns:
        The module.
    """
    check_choice("model.activation", name, ACTIVATIONS)
    module = ACTIVATIONS[name].make()
    if isinstance(module, CReLU | Maxout):
        module.axis = axis
    return module


def channels_before(name: str, width: int) -> int:
    """Return how many channels a layer of `width` units computes for its activation: twice as many for ``maxout``."""
    check_choice("model.activation", name, ACTIVATIONS)
    return width * ACTIVATIONS[name].takes


def channels_after(name: str, channels: int) -> int:
    """Return how many channels an activation makes of the `channels` it is given.

    Args:
        name: a key of `ACTIVATIONS`.
        channels: what it is applied to.

    Returns:
        Twice as many for ``crelu``, half as many for ``maxout``, else the same.

    Raises:
        ConfigError: ``maxout`` of an odd number of channels.
    """
    check_choice("model.activation", name, ACTIVATIONS)
    units, rest = divmod(channels, ACTIVATIONS[name].takes)
    if rest:
        raise ConfigError(f"model.activation = '{name}': needs a multiple of {PIECES} channels, not {channels}")
    return units * ACTIVATIONS[name].gives
