"""Activation functions by name."""

from torch import nn

from hpsearch.errors import check_choice

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "relu6": nn.ReLU6,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
}


def activation_layer(name: str) -> nn.Module:
    """Return a new activation module, with torch's defaults.

    Args:
        name: a key of `ACTIVATIONS`.

    Returns:
        The module.
    """
    check_choice("model.activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()
