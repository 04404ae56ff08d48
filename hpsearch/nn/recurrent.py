"""Recurrent layers: each reads a sequence step by step and yields a state per step.

Axes: B batch, T step, F input feature, H hidden unit, S state (H, or 2H where a layer reads in both directions).
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from hpsearch.base.errors import ConfigError, check_choice, check_int
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.normalized_cells import BothWays, normalized
from hpsearch.nn.style import refuse_unused

CELLS = ("elman", "jordan", "lstm", "gru")
"""Kinds of recurrent layers."""

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu}
"""Activations of an Elman or Jordan layer; the gated cells have their own."""

NORMS = ("none", "layer", "weight")
"""What can be normalized at every step: nothing, the summed inputs of a sample, the weights. Not a batch: a sequence's
steps have statistics of their own, and one that is longer than those seen in training has none."""


class Recurrent(nn.Module):
    """Recurrent layers in a row, with dropout between them.

    - ``elman``: ``h_t = f(W x_t + U h_{t-1} + b)`` (Elman, Finding structure in time, Cognitive Science 14, 1990).
    - ``jordan``: feeds back its output instead of its hidden units, see `Jordan`.
    - ``lstm``: input, forget and output gates around a memory (Hochreiter and Schmidhuber, Long short-term memory,
      Neural Computation 9(8), 1997; with the forget gate of Gers, Schmidhuber and Cummins, 2000).
    - ``gru``: update and reset gates, no memory besides the state (Cho et al., Learning phrase representations using
      RNN encoder-decoder, EMNLP 2014).

    Args:
        cell: one of those (`CELLS`).
        inputs: features of a step.
        hidden: units of each layer and direction.
        layers: number of layers.
        bidirectional: each layer reads a second time from the end, with weights of its own; its state is both.
        dropout: rate between layers, in [0, 1).
        activation: a key of `ACTIVATIONS`; ``tanh`` for the gated cells.
        norm: one of `NORMS`, see `hpsearch.nn.normalized_cells.Cell`.
        norm_eps: added to the variance by ``layer``; None is 1e-5.

    Attributes:
        size: entries of a state.
    """

    def __init__(
        self,
        cell: str,
        inputs: int,
        hidden: int,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        activation: str = "tanh",
        norm: str = "none",
        norm_eps: float | None = None,
    ) -> None:
        super().__init__()
        check_choice("model.norm", norm, NORMS)
        refuse_unused("norm_eps", norm_eps, "norm", norm, ("layer",))
        check_int("model.hidden", hidden, 1)
        check_int("model.layers", layers, 1)
        check_choice("model.bidirectional", bidirectional, (True, False))
        self.size = hidden * (1 + bidirectional)
        sizes = [inputs] + [self.size] * (layers - 1)
        plain = [_layer(cell, size, hidden, bidirectional, activation) for size in sizes]
        self.layers = nn.ModuleList(plain)
        if norm != "none":
            f = ACTIVATIONS[activation]
            self.layers = nn.ModuleList(normalized(cell, layer, f, norm, norm_eps) for layer in plain)
        self.dropouts = nn.ModuleList(Dropout(dropout) for _ in sizes[1:])

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the last layer's states [B, T, S] of a batch [B, T, F].

        Args:
            x: the batch.
            lengths: [B] steps of each sequence, at least 1; what follows them is not read, in either direction, and
                has states of 0. None: all T.
        """
        with _precision(x):
            states = _states(self.layers[0], x, lengths)
            for dropout, layer in zip(self.dropouts, self.layers[1:], strict=True):
                states = _states(layer, dropout(states), lengths)
        return states


def _states(layer: nn.Module, x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return a layer's states [B, T, S]."""
    if lengths is None:
        states: Tensor = layer(x)[0]
    elif isinstance(layer, nn.RNNBase):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states = pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=x.shape[1])[0]
    else:
        states = layer(x, lengths=lengths)[0]
    return states


def _precision(x: Tensor) -> AbstractContextManager[Any]:
    """Leave bfloat16 to CPUs with instructions for it: on others oneDNN has no LSTM in it."""
    in_bf16 = x.device.type == "cpu" and torch.is_autocast_enabled("cpu")
    lacking = in_bf16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast("cpu", enabled=False) if lacking else nullcontext()


def _layer(cell: str, inputs: int, hidden: int, bidirectional: bool, activation: str) -> nn.Module:
    check_choice("model.cell", cell, CELLS)
    check_choice("model.activation", activation, ACTIVATIONS)
    if cell == "jordan":
        return Jordan(inputs, hidden, bidirectional, activation)
    if cell == "elman":
        return nn.RNN(inputs, hidden, nonlinearity=activation, batch_first=True, bidirectional=bidirectional)
    if activation != "tanh":
        raise ConfigError(f"model.activation = {activation!r}: the gates of {cell} go with tanh alone")
    gated: type[nn.LSTM | nn.GRU] = nn.LSTM if cell == "lstm" else nn.GRU
    return gated(inputs, hidden, batch_first=True, bidirectional=bidirectional)


class Jordan(BothWays):
    """A layer that feeds back its output, where an Elman layer feeds back its hidden units.

    With the activation f, ``h_t = f(W x_t + U y_{t-1} + b)`` and ``y_t = f(V h_t + c)``, from ``y_0 = 0``; the output
    has as many entries as there are hidden units.

    Source: Jordan, Serial order: a parallel distributed processing approach, ICS report 8604, UC San Diego 1986, in
    the form of textbooks: what is fed back is the last output alone, without a decaying trace of earlier ones.

    Args:
        inputs: features of a step.
        hidden: number of hidden units.
        bidirectional: read a second time from the end, with weights of its own.
        activation: a key of `ACTIVATIONS`.
    """

    def __init__(self, inputs: int, hidden: int, bidirectional: bool = False, activation: str = "tanh") -> None:
        forwards = _JordanDirection(inputs, hidden, activation)
        super().__init__(forwards, _JordanDirection(inputs, hidden, activation) if bidirectional else None)


class _JordanDirection(nn.Module):
    """One reading of the sequence."""

    def __init__(self, inputs: int, hidden: int, activation: str) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.input = nn.Linear(inputs, hidden)
        self.context = nn.Linear(hidden, hidden, bias=False)
        self.output = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs [B, T, H] of a batch [B, T, F]."""
        fed = self.input(x)
        output = torch.zeros_like(fed[:, 0])
        outputs = []
        for step in range(fed.shape[1]):
            hidden = self.activation(fed[:, step] + self.context(output))
            output = self.activation(self.output(hidden))
            outputs.append(output)
        return torch.stack(outputs, 1)
