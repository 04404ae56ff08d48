"""Layers, activations, normalizations and initializations the models share."""

from hpsearch.nn.activations import ACTIVATIONS, CReLU, Maxout, activation_layer, channels_after, channels_before
from hpsearch.nn.dropout import Dropout, address_dropout, advance
from hpsearch.nn.init import Initializer, redraw
from hpsearch.nn.layers import (
    Block,
    Step,
    Style,
    check_images,
    check_odd,
    check_widths,
    conv_block,
    dense_block,
    dropout_rates,
    hidden_layers,
    side_after,
    slimmed,
    smallest_side,
)
from hpsearch.nn.normalization import NORMS, normalization, weighted

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "Block",
    "CReLU",
    "Dropout",
    "Initializer",
    "Maxout",
    "Step",
    "Style",
    "activation_layer",
    "address_dropout",
    "advance",
    "channels_after",
    "channels_before",
    "check_images",
    "check_odd",
    "check_widths",
    "conv_block",
    "dense_block",
    "dropout_rates",
    "hidden_layers",
    "normalization",
    "redraw",
    "side_after",
    "slimmed",
    "smallest_side",
    "weighted",
]
