"""Multilayer perceptron of a depth and a number of parameters: deep and narrow against shallow and wide."""

from collections.abc import Callable, Sequence
from typing import Unpack

import torch

from hpsearch.base.errors import ConfigError
from hpsearch.models.mlp import MLP
from hpsearch.nn.style import Constants


class MLPOfSize(MLP):
    """A multilayer perceptron whose widths follow from its depth and its number of parameters.

    The hidden layers are as wide as each other, the first ones by one unit wider where that comes closer: of all such
    networks it has the number of parameters nearest to what is asked, of two equally near the smaller one.

    Args:
        in_shape: shape of one input.
        num_outputs: number of classes or targets.
        depth: number of hidden layers, at least 1.
        parameters: how many parameters it should have.
        activation: as of `hpsearch.models.mlp.MLP`.
        norm: likewise.
        norm_first: likewise.
        dropout: likewise.
        **constants: likewise.

    Raises:
        ConfigError: no network of this depth is so small.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        depth: int = 2,
        parameters: int = 20000,
        activation: str = "relu",
        norm: str = "none",
        norm_first: bool = True,
        dropout: float | Sequence[float] = 0.0,
        **constants: Unpack[Constants],
    ) -> None:
        def size(hidden: Sequence[int]) -> int:
            with torch.device("meta"):
                model = MLP(in_shape, num_outputs, hidden, activation, norm, norm_first, dropout, **constants)
            return sum(each.numel() for each in model.parameters())

        hidden = widths(size, depth, parameters)
        super().__init__(in_shape, num_outputs, hidden, activation, norm, norm_first, dropout, **constants)


def widths(size: Callable[[Sequence[int]], int], depth: int, parameters: int) -> list[int]:
    """Return the widths of hidden layers with which a network comes nearest to a number of parameters.

    Args:
        size: number of parameters of a network with these widths; grows with each of them.
        depth: number of hidden layers.
        parameters: that are wanted.

    Returns:
        Widths that differ by one at most, the wider ones first.

    Raises:
        ConfigError: a network with one unit in each layer has more.
    """
    least = size([1] * depth)
    if least > parameters:
        raise ConfigError(
            f"model.parameters = {parameters}: a network of depth {depth} on this data has at least {least:,}; ask for "
            "more parameters, or for fewer layers"
        )
    low, high = 1, 2
    while size([high] * depth) <= parameters:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size([middle] * depth) <= parameters else (low, middle)
    near = [[low + 1] * wider + [low] * (depth - wider) for wider in range(depth + 1)]
    return min(near, key=lambda hidden: abs(size(hidden) - parameters))
