"""Recurrent layers whose summed inputs or weights are normalized at every step.

Axes: B batch, T step, F input feature, H hidden unit, S state (H, or 2H where a layer reads in both directions).
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hpsearch.nn.normalization import EPS, weighted

State = tuple[Tensor, ...]
"""What a step hands to the next one; the first, [B, H], is what the layer says."""


class BothWays(nn.Module):
    """A layer that reads a sequence from its start and, where `backwards` is given, a second time from its end.

    Args:
        forwards: maps [B, T, F] to [B, T, H].
        backwards: a second such module; None for one direction.
    """

    def __init__(self, forwards: nn.Module, backwards: nn.Module | None) -> None:
        super().__init__()
        self.forwards, self.backwards = forwards, backwards

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, None]:
        """Return the states [B, T, S] of a batch [B, T, F], and None where torch's layers return a last state.

        Args:
            x: the batch.
            lengths: see `hpsearch.nn.recurrent.Recurrent.forward`.
        """
        outputs: Tensor = self.forwards(x)
        if self.backwards is not None:
            outputs = torch.cat([outputs, turned(self.backwards(turned(x, lengths)), lengths)], -1)
        return ended(outputs, lengths), None


def turned(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return sequences [B, T, F] from their last step to their first one.

    Args:
        x: the sequences.
        lengths: [B] steps of each; what follows them stays behind them. None: all T.
    """
    if lengths is None:
        return x.flip(1)
    step, end = torch.arange(x.shape[1], device=x.device), lengths.to(x.device)[:, None]
    return x.gather(1, torch.where(step < end, end - 1 - step, step)[..., None].expand_as(x))


def ended(states: Tensor, lengths: Tensor | None) -> Tensor:
    """Return states [B, T, S] that are 0 behind the end of each sequence.

    Args:
        states: of every step.
        lengths: [B] steps of each; None: all T.
    """
    if lengths is None:
        return states
    real = torch.arange(states.shape[1], device=states.device) < lengths.to(states.device)[:, None]
    return states * real[..., None]


def lstm_step(gates: Tensor, memory: Tensor, norm: Callable[[Tensor], Tensor] | None = None) -> State:
    """Return the state and the memory of an LSTM after a step.

    Args:
        gates: [B, 4 H] summed inputs of the input gate, the forget gate, what is new and the output gate.
        memory: [B, H] before the step.
        norm: of the memory, for the state; None for none.

    Returns:
        Both, [B, H].
    """
    enter, forget, new, leave = gates.chunk(4, -1)
    memory = forget.sigmoid() * memory + enter.sigmoid() * new.tanh()
    return leave.sigmoid() * (memory if norm is None else norm(memory)).tanh(), memory


def gru_step(gates: Tensor, new: Tensor, new_h: Tensor, h: Tensor) -> Tensor:
    """Return the state [B, H] of a gated recurrent unit after a step.

    Args:
        gates: [B, 2 H] summed inputs of the reset and the update gate.
        new: [B, H] what the input adds to what is new.
        new_h: [B, H] what the state adds to it, as far as the reset gate lets it.
        h: [B, H] the state before the step.
    """
    reset, update = gates.sigmoid().chunk(2, -1)
    return (1 - update) * (new + reset * new_h).tanh() + update * h


class StackedLinear(nn.Linear):
    """A linear layer that computes several summed inputs of each unit, one below the other: the gates of a cell.

    Args:
        weight: [parts * H, inputs], which is copied.
        bias: [parts * H], which is copied; None for none.
        parts: how many are stacked; an initializer draws each of them by itself.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, parts: int) -> None:
        super().__init__(weight.shape[1], weight.shape[0], bias=bias is not None)
        self.parts = parts
        with torch.no_grad():
            self.weight.copy_(weight)
            if bias is not None:
                self.bias.copy_(bias)


class Cell(nn.Module):
    """One reading of a sequence by a cell with normalization.

    ``weight`` normalizes every weight, see `hpsearch.nn.normalization.WeightNorm`. ``layer`` normalizes summed inputs,
    with N the layer normalization, its scale and shift learned, the shift in place of a bias::

        elman   h_t = f(N(W x_t + U h_{t-1}))
        jordan  h_t = f(N(W x_t + U y_{t-1})),   y_t = f(N(V h_t))
        lstm    (i, f, g, o) = N(W x_t) + N(U h_{t-1}),   c_t = s(f) c_{t-1} + s(i) tanh(g),   h_t = s(o) tanh(N(c_t))
        gru     (r, z) = N(W x_t) + N(U h_{t-1}),   n = tanh(N(W' x_t) + s(r) N(U' h_{t-1})),
                h_t = (1 - s(z)) n + s(z) h_{t-1}

    where s is the sigmoid, and N of several gates is over all of them together. Source: Ba, Kiros and Hinton, Layer
    normalization, arXiv:1607.06450, section 3.1 and supplement; of Jordan's cell by analogy.

    Args:
        cell: ``elman``, ``jordan``, ``lstm`` or ``gru``.
        weights: the layer starts with copies of: input weight, context weight, their biases (of ``jordan`` the first
            alone), and of ``jordan`` the output's weight and bias.
        activation: f.
        norm: ``layer`` or ``weight``.
        eps: added to the variance by ``layer``.
    """

    def __init__(
        self, cell: str, weights: list[Tensor], activation: Callable[[Tensor], Tensor], norm: str, eps: float
    ) -> None:
        super().__init__()
        by_layer = norm == "layer"
        self.hidden = hidden = weights[1].shape[1]
        self.activation, self.step = activation, getattr(self, f"_{cell}")
        parts = weights[0].shape[0] // hidden
        inputs, context, input_bias, *rest = weights
        context_bias = None if cell == "jordan" else rest[0]

        def linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
            return weighted(StackedLinear(weight, None if by_layer else bias, weight.shape[0] // hidden), norm)

        self.input, self.context = linear(inputs, input_bias), linear(context, context_bias)
        self.output = linear(rest[0], rest[1]) if cell == "jordan" else None
        together = {"gru": [2, 1]}.get(cell, [parts])
        self.sizes = [each * hidden for each in together]

        def norms(sizes: list[int]) -> nn.ModuleList:
            return nn.ModuleList(nn.LayerNorm(size, eps) if by_layer else nn.Identity() for size in sizes)

        self.input_norms = norms(self.sizes)
        self.context_norms = norms(self.sizes if cell in ("lstm", "gru") else [])
        self.last_norm = norms([hidden] if cell in ("jordan", "lstm") else [])

    def forward(self, x: Tensor) -> Tensor:
        """Return the states [B, T, H] of a batch [B, T, F]."""
        fed = self.input(x).transpose(0, 1)
        zero = fed.new_zeros(fed.shape[1], self.hidden)
        state, states = (zero, zero), []
        for each in fed:
            state = self.step(each, *state)
            states.append(state[0])
        return torch.stack(states, 1)

    def _elman(self, fed: Tensor, h: Tensor, _: Tensor) -> State:
        h = self.activation(self.input_norms[0](fed + self.context(h)))
        return h, h

    def _jordan(self, fed: Tensor, y: Tensor, _: Tensor) -> State:
        assert self.output is not None
        hidden = self.activation(self.input_norms[0](fed + self.context(y)))
        y = self.activation(self.last_norm[0](self.output(hidden)))
        return y, y

    def _lstm(self, fed: Tensor, h: Tensor, memory: Tensor) -> State:
        gates = self.input_norms[0](fed) + self.context_norms[0](self.context(h))
        return lstm_step(gates, memory, self.last_norm[0])

    def _gru(self, fed: Tensor, h: Tensor, _: Tensor) -> State:
        (gates, new), (gates_h, new_h) = (
            self._normed(self.input_norms, fed),
            self._normed(self.context_norms, self.context(h)),
        )
        h = gru_step(gates + gates_h, new, new_h, h)
        return h, h

    def _normed(self, norms: nn.ModuleList, sums: Tensor) -> list[Tensor]:
        return [norm(part) for norm, part in zip(norms, torch.split(sums, self.sizes, -1), strict=True)]


def normalized(
    cell: str, plain: nn.Module, activation: Callable[[Tensor], Tensor], norm: str, eps: float | None
) -> BothWays:
    """Return a layer that starts with the weights of a plain one, normalized at every step.

    With ``weight`` it computes at first what the plain one does.

    Args:
        cell: ``elman``, ``jordan``, ``lstm`` or ``gru``.
        plain: of torch, or of ``jordan`` a `BothWays` of two linear readings.
        activation: of ``elman`` and ``jordan``.
        norm: ``layer`` or ``weight``.
        eps: of ``layer``; None is `hpsearch.nn.normalization.EPS`.
    """
    if isinstance(plain, BothWays):
        readings = [[*_of(each)] for each in (plain.forwards, plain.backwards) if each is not None]
    else:
        names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        ends = ("", "_reverse") if plain.bidirectional else ("",)
        readings = [[getattr(plain, f"{name}{end}") for name in names] for end in ends]
    cells = [Cell(cell, each, activation, norm, EPS if eps is None else eps) for each in readings]
    return BothWays(cells[0], cells[1] if len(cells) > 1 else None)


def _of(reading: nn.Module) -> tuple[Tensor, ...]:
    """Return the weights of a Jordan layer's reading."""
    linear = [getattr(reading, name) for name in ("input", "context", "output")]
    fed, context, output = linear
    return fed.weight, context.weight, fed.bias, output.weight, output.bias
