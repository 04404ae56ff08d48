"""Activation functions by name."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError, check_choice

PIECES = 2
"""Linear pieces that a maxout unit takes the maximum of unless told otherwise."""


class Identity(nn.Identity):
    """No activation, ``f(x) = x``: layers without one in between are one linear layer, however many there are.

    A class of its own, so that it is told from a normalization that does nothing.
    """


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
        slope: what `make` calls the slope below zero; empty where there is none to choose.
        pieces: whether a unit is the maximum of several channels.
        gives: channels it gives for one unit of width.
    """

    make: Callable[..., nn.Module]
    slope: str = ""
    pieces: bool = False
    gives: int = 1


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(Identity),
    "sigmoid": Activation(nn.Sigmoid),
    "tanh": Activation(nn.Tanh),
    "relu": Activation(nn.ReLU),
    "crelu": Activation(CReLU, gives=2),
    "leaky_relu": Activation(nn.LeakyReLU, slope="negative_slope"),
    "prelu": Activation(nn.PReLU, slope="init"),
    "relu6": Activation(nn.ReLU6),
    "elu": Activation(nn.ELU),
    "selu": Activation(nn.SELU),
    "silu": Activation(nn.SiLU),
    "gelu": Activation(nn.GELU),
    "mish": Activation(nn.Mish),
    "maxout": Activation(Maxout, pieces=True),
    "softplus": Activation(nn.Softplus),
}

SLOPED = tuple(name for name, each in ACTIVATIONS.items() if each.slope)
"""Those whose slope below zero can be chosen."""
PIECEWISE = tuple(name for name, each in ACTIVATIONS.items() if each.pieces)
"""Those whose number of pieces can be chosen."""


def activation_layer(name: str, axis: int = 1, slope: float | None = None, pieces: int | None = None) -> nn.Module:
    """Return a new activation module, with the published constants (torch's defaults) unless told otherwise.

    ``leaky_relu`` is ``max(x, 0) + slope * min(x, 0)`` (Maas, Hannun and Ng, ICML 2013). ``prelu`` learns one slope per
    layer, from `slope` on (He, Zhang, Ren and Sun, Delving deep into rectifiers, ICCV 2015).

    Args:
        name: a key of `ACTIVATIONS`.
        axis: the axis of the channels, for the two that change their number.
        slope: below zero, of those in `SLOPED`; None is 0.01 of ``leaky_relu`` and 0.25 of ``prelu``.
        pieces: of a unit of ``maxout``; None is `PIECES`.

    Returns:
        The module.
    """
    check_choice("model.activation", name, ACTIVATIONS)
    kind = ACTIVATIONS[name]
    module = kind.make() if slope is None else kind.make(**{kind.slope: slope})
    if isinstance(module, CReLU | Maxout):
        module.axis = axis
    if isinstance(module, Maxout):
        module.pieces = pieces or PIECES
    return module


def channels_before(name: str, width: int, pieces: int | None = None) -> int:
    """Return how many channels a layer of `width` units computes: `pieces` times as many for ``maxout``, by default 2.

    Args:
        name: a key of `ACTIVATIONS`.
        width: units of the layer.
        pieces: of a unit of ``maxout``; None is `PIECES`.
    """
    check_choice("model.activation", name, ACTIVATIONS)
    return width * (pieces or PIECES) if ACTIVATIONS[name].pieces else width


def channels_after(name: str, channels: int, pieces: int | None = None) -> int:
    """Return how many channels an activation makes of the `channels` it is given.

    Args:
        name: a key of `ACTIVATIONS`.
        channels: what it is applied to.
        pieces: of a unit of ``maxout``; None is `PIECES`.

    Returns:
        Twice as many for ``crelu``, a `pieces`-th for ``maxout``, else the same.

    Raises:
        ConfigError: ``maxout`` of a number of channels that its pieces do not divide.
    """
    check_choice("model.activation", name, ACTIVATIONS)
    taken = channels_before(name, 1, pieces)
    units, rest = divmod(channels, taken)
    if rest:
        raise ConfigError(f"model.activation = '{name}': needs a multiple of {taken} channels, not {channels}")
    return units * ACTIVATIONS[name].gives
