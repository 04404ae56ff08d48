"""Layers that compute what some of torch's do, and that `torch.func.vmap` can run for all members.

Axes: B sample, T step, F input feature, H hidden unit, S state (H, or 2H where a layer reads in both directions).
"""

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from hpsearch.nn.normalized_cells import State, ended, gru_step, lstm_step, turned

Recurrence: TypeAlias = nn.RNN | nn.LSTM | nn.GRU


def substituted(model: nn.Module) -> nn.Module:
    """Put another layer in the place of every one of torch that has one, with its parameters, and return the model."""
    if type(model) in (nn.RNN, nn.LSTM, nn.GRU) and not model.proj_size:
        return Looped(model)  # type: ignore[arg-type]
    if type(model) is nn.Embedding and model.padding_idx is not None and model.max_norm is None:
        return Padded(model)
    for name, module in list(model.named_children()):
        setattr(model, name, substituted(module))
    return model


class Padded(nn.Module):
    """An embedding whose vector of padding gets no gradient: under `torch.func.vmap` that of torch gives it one.

    Args:
        layer: an embedding, whose weight it takes over.
    """

    def __init__(self, layer: nn.Embedding) -> None:
        super().__init__()
        self.weight, self.training = layer.weight, layer.training
        self.padding = -1 if layer.padding_idx is None else layer.padding_idx

    def forward(self, x: Tensor) -> Tensor:
        """Return vectors [..., F] of words [...]."""
        vectors = nn.functional.embedding(x, self.weight)
        return torch.where(x.eq(self.padding).unsqueeze(-1), vectors.detach(), vectors)


class Looped(nn.Module):
    """What a recurrent layer of torch computes, step by step.

    Args:
        layer: a layer without dropout and projections, whose parameters it takes over.
    """

    def __init__(self, layer: Recurrence) -> None:
        super().__init__()
        self.layers, self.hidden, self.batch_first = layer.num_layers, layer.hidden_size, layer.batch_first
        self.ends = ("", "_reverse") if layer.bidirectional else ("",)
        self.step = {nn.RNN: self._elman, nn.LSTM: self._lstm, nn.GRU: self._gru}[type(layer)]
        self.activation = torch.relu if getattr(layer, "nonlinearity", "tanh") == "relu" else torch.tanh
        self.remembers = isinstance(layer, nn.LSTM)
        self.training = layer.training
        for name, parameter in layer.named_parameters():
            self.register_parameter(name, parameter)

    def forward(
        self, x: Tensor, hx: Tensor | State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor | State]:
        """Return the states of the last layer [B, T, S] and what each direction of each layer ends with, as torch does.

        Args:
            x: [B, T, F], or as the layer takes it, [T, B, F].
            hx: what each direction of each layer starts with, as the layer takes it; None: zeros.
            lengths: see `hpsearch.nn.recurrent.Recurrent.forward`; with them, what layers end with has no meaning.
        """
        x = x if self.batch_first else x.transpose(0, 1)
        starts = [hx] if isinstance(hx, Tensor) else hx
        ends = list[State]()
        for layer in range(self.layers):
            readings = []
            for end in self.ends:
                start = None if starts is None else tuple(each[len(ends)] for each in starts)
                states, last = self._read(turned(x, lengths) if end else x, f"l{layer}{end}", start)
                readings.append(turned(states, lengths) if end else states)
                ends.append(last)
            x = ended(torch.cat(readings, -1), lengths)
        lasts = [torch.stack(each) for each in zip(*ends, strict=True)]
        return x if self.batch_first else x.transpose(0, 1), tuple(lasts) if self.remembers else lasts[0]

    def _read(self, x: Tensor, name: str, start: State | None) -> tuple[Tensor, State]:
        """Return the states [B, T, H] of one reading, and what it ends with."""
        own: list[Any] = [
            getattr(self, f"{each}_{name}", None) for each in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        ]
        fed = linear(x, own[0], own[2])
        if start is None:
            zero = fed.new_zeros(x.shape[0], self.hidden)
            start = (zero, zero) if self.remembers else (zero,)
        state, states = start, []
        for each in fed.unbind(1):
            state = self.step(each, linear(state[0], own[1], own[3]), state)
            states.append(state[0])
        return torch.stack(states, 1), state

    def _elman(self, fed: Tensor, context: Tensor, state: State) -> State:
        del state
        return (self.activation(fed + context),)

    def _lstm(self, fed: Tensor, context: Tensor, state: State) -> State:
        return lstm_step(fed + context, state[1])

    def _gru(self, fed: Tensor, context: Tensor, state: State) -> State:
        sizes = [2 * self.hidden, self.hidden]
        (gates, new), (gates_h, new_h) = (torch.split(each, sizes, -1) for each in (fed, context))
        return (gru_step(gates + gates_h, new, new_h, state[0]),)
