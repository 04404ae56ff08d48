"""Blocks of layers that several models share."""

from collections.abc import Sequence

from torch import nn

from hpsearch.errors import ConfigError, check_int
from hpsearch.nn.activations import activation_layer
from hpsearch.nn.dropout import Dropout


def hidden_layers(inputs: int, widths: Sequence[int], activation: str, dropout: float) -> nn.Sequential:
    """Return fully connected hidden layers, each followed by its activation and dropout.

    Args:
        inputs: number of inputs of the first.
        widths: width of each layer, checked as ``model.hidden``; empty returns what it is given.
        activation: a key of `hpsearch.nn.ACTIVATIONS`.
        dropout: rate after each layer, in [0, 1).

    Returns:
        The layers in a row.
    """
    check_widths("model.hidden", widths)
    layers: list[nn.Module] = []
    for width in widths:
        layers += [nn.Linear(inputs, width), activation_layer(activation), Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers)


def check_widths(key: str, widths: object) -> None:
    """Refuse what is not a list of positive whole numbers.

    Args:
        key: dotted key of the configuration.
        widths: what was given.

    Raises:
        ConfigError: naming the key and the value.
    """
    if not isinstance(widths, Sequence) or isinstance(widths, str):
        raise ConfigError(f"{key} = {widths!r}: must be a list of whole numbers, such as [64, 32]")
    for place, width in enumerate(widths):
        check_int(f"{key}[{place}]", width, 1)
