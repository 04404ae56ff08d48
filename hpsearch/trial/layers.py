"""What each layer does in training, measured at few steps and kept in one small file per trial.

A network of a hundred layers would fill a page of MLflow with hundreds of charts if each layer's numbers were metrics,
and every trial's row in every table. They are read together, layer beside layer, or not at all: so they are one
artifact, ``layers.json``, of some kilobytes.
"""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hpsearch.base.files import LAYERS, replacement
from hpsearch.base.layer_rows import read_layer_rows
from hpsearch.base.steps import PADDING
from hpsearch.nn.activations import ACTIVATIONS

SAMPLES = 256
"""Outputs of activations are read of so many samples at most: of a thousand images a convolution has millions."""
BOUNDS: dict[type[nn.Module], tuple[float, float]] = {nn.Sigmoid: (0.0, 1.0), nn.Tanh: (-1.0, 1.0)}
"""What the outputs of an activation lie between that flattens out on both sides."""
CLOSE = 0.05
"""Share of the range between its bounds within which an output is saturated: the slope of both is under .19 of the
largest there, 4 · .05 · .95 of a sigmoid, 1 - .9² of a tanh."""
_NONLINEAR = tuple({type(each.make()) for each in ACTIVATIONS.values()})
_Row = dict[str, Any]


class LayerWatch:
    """Measures layers at one step of the epochs 1, 2, 4, 8, ... and of the last one.

    Early epochs are where gradients vanish, explode and units die; doubling keeps the cost of long training near zero.
    In epoch 1 the step is the first, of the untrained model, else the middle one. Of every layer, that is every trained
    parameter of two axes or more, a row holds the Euclidean norms of the gradient before clipping, of the weights and
    of their update; of every activation module the mean and the standard deviation of its outputs, the share of its
    units that give the same output for all samples (a ReLU's: dead) and, where it has `BOUNDS`, the share of saturated
    outputs, on the first batch of the validation split after the epoch, of which `SAMPLES` at most; where weights are
    averaged, with these.

    Numbers stay on the device until `write`, which is called where a checkpoint is written and at the end, so that a
    watched epoch waits for nothing.

    Args:
        model: the model.
        folder: of the trial.
        epochs: of the trial.
        done: the epoch that it goes on from; rows up to it are kept.
        active: whether anything is measured.
        see_outputs: whether the outputs of activations are; a compiled model does not show them.
    """

    def __init__(
        self, model: nn.Module, folder: Path, epochs: int, done: int | None, active: bool, see_outputs: bool = True
    ) -> None:
        self._layers = {
            name.removesuffix(".weight"): parameter
            for name, parameter in model.named_parameters()
            if active and parameter.requires_grad and parameter.ndim > 1
        }
        self._outputs = {
            name: module
            for name, module in model.named_modules()
            if active and see_outputs and isinstance(module, _NONLINEAR)
        }
        self._model, self._file, self._epochs = model, folder / LAYERS, epochs
        self._rows = [row for row in read_layer_rows(self._file) if row["epoch"] <= (done or 0)]
        self._raw: list[_Row] = []
        self._open = False

    @property
    def files(self) -> tuple[str, ...]:
        """The file written, if any; call `write` before."""
        return (LAYERS,) if self._rows else ()

    def place(self, epoch: int, steps: int) -> int | None:
        """Return which of an epoch's steps, from 0, is measured, None for none."""
        if not self._layers or not watched(epoch, self._epochs):
            return None
        return 0 if epoch == 1 else steps // 2

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Keep the norms of gradients, weights and changes of the update inside."""
        weights = [weight.detach() for weight in self._layers.values()]
        gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in self._layers.values()]
        norms = torch._foreach_norm(gradients)
        before = [weight.clone() for weight in weights]
        yield
        changes = torch._foreach_norm(torch._foreach_sub(weights, before))
        self._raw.append({"norms": [*norms, *torch._foreach_norm(before), *changes], "outputs": {}})

    def keep(self, epoch: int, step: int, loss: Tensor) -> None:
        """Say which step was measured, and the loss of its batch."""
        self._raw[-1] |= {"epoch": epoch, "step": step, "loss": loss}
        self._open = True

    @property
    def looks(self) -> bool:
        """Whether the next forward pass inside `outputs` is looked at."""
        return self._open and bool(self._outputs)

    @contextmanager
    def outputs(self) -> Iterator[None]:
        """Look at the outputs of activations in the first forward pass inside, where a step was measured before."""
        seen: dict[str, Tensor] = self._raw[-1]["outputs"] if self._open else {}
        given: list[Any] = [None]

        def begin(_module: nn.Module, inputs: tuple[Any, ...]) -> None:
            given[:] = inputs

        def look(name: str, module: nn.Module, _inputs: Any, output: Tensor) -> None:
            if name not in seen:
                seen[name] = _described(_of_words(output, given[0])[:SAMPLES], BOUNDS.get(type(module)))

        looked_at = self._outputs if self._open else {}
        handles = [self._model.register_forward_pre_hook(begin)] if looked_at else []
        handles += [module.register_forward_hook(partial(look, name)) for name, module in looked_at.items()]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._open = False

    def write(self) -> None:
        """Write what was measured since the last call, in one move; this waits for the device."""
        new = [self._numbers(row) for row in self._raw if "epoch" in row]
        self._raw = []
        if not new:
            return
        self._rows += new
        with replacement(self._file, durable=False) as temporary:
            temporary.write_text(json.dumps(self._rows), encoding="utf-8")

    def _numbers(self, raw: _Row) -> _Row:
        """Return a row as plain numbers, in one transfer from the device."""
        outputs: dict[str, Tensor] = raw["outputs"]
        values = torch.cat([torch.stack([raw["loss"], *raw["norms"]]), *outputs.values()]).tolist()
        loss, *finite = map(_finite, values)
        each = iter(finite)
        row = {"epoch": raw["epoch"], "step": raw["step"], "loss": loss}
        row |= {key: {name: next(each) for name in self._layers} for key in ("gradient", "weight", "update")}
        described = {name: {key: next(each) for key in ("mean", "sd", "dead", "saturated")} for name in outputs}
        return row | ({"outputs": described} if described else {})


def watched(epoch: int, epochs: int) -> bool:
    """Return whether layers are measured in an epoch: 1, 2, 4, 8, ... and the last."""
    return epoch == epochs or epoch & (epoch - 1) == 0


def _of_words(output: Tensor, x: Any) -> Tensor:
    """Return the outputs [M, C] for the words of inputs [B, T], without padding; those of other inputs as they are."""
    words = isinstance(x, Tensor) and x.ndim == 2 and not x.is_floating_point()
    return output[x != PADDING] if words and output.shape[:2] == x.shape else output


def _described(output: Tensor, bounds: tuple[float, float] | None) -> Tensor:
    """Return [4] mean, standard deviation, share of constant units, share of saturated outputs, nan without bounds.

    A unit is a channel, or an entry of a token.
    """
    values = output.detach().float()
    axis = values.ndim - 1 if values.ndim == 3 else min(1, values.ndim - 1)
    others = [each for each in range(values.ndim) if each != axis]
    constant = (values.amax(others) == values.amin(others)).float().mean()
    sd, mean = torch.std_mean(values, correction=0)
    saturated = torch.full_like(mean, math.nan)
    if bounds is not None:
        low, high = bounds
        edge = CLOSE * (high - low)
        saturated = ((values < low + edge) | (values > high - edge)).float().mean()
    return torch.stack((mean, sd, constant, saturated))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
