"""Initializations by name."""

from collections.abc import Callable
from typing import Any

from torch import nn

from hpsearch.errors import check_choice

INITS: dict[str, Callable[..., Any] | None] = {
    "default": None,
    "xavier_uniform": nn.init.xavier_uniform_,
}


def initialize(model: nn.Module, name: str) -> None:
    """Draw the weights of every linear and convolutional layer anew; biases stay as torch drew them.

    ``default`` keeps torch's own, uniform in ±1/sqrt(fan_in). ``xavier_uniform`` is uniform in
    ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
    networks, AISTATS 2010).

    Args:
        model: changed in place, from torch's global generator.
        name: a key of `INITS`.
    """
    check_choice("model.init", name, INITS)
    if draw := INITS[name]:
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                draw(module.weight)
