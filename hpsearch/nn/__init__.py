"""Layers, activations and initializations the models share."""

from hpsearch.nn.activations import ACTIVATIONS, activation_layer
from hpsearch.nn.dropout import Dropout, address_dropout, advance
from hpsearch.nn.init import INITS, initialize
from hpsearch.nn.layers import check_widths, hidden_layers

__all__ = [
    "ACTIVATIONS",
    "INITS",
    "Dropout",
    "activation_layer",
    "address_dropout",
    "advance",
    "check_widths",
    "hidden_layers",
    "initialize",
]
