"""What each layer does in training, measured at few steps and kept in one small file per trial.

A network of a hundred layers would fill a page of MLflow with hundreds of charts if each layer's numbers were metrics,
and every trial's row in every table. They are read together, layer beside layer, or not at all: so they are one
artifact, ``layers.json``, of some kilobytes.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hpsearch.nn import ACTIVATIONS

FILE = "layers.json"
_NONLINEAR = tuple({type(each.make()) for each in ACTIVATIONS.values()})
_Row = dict[str, Any]


class LayerWatch:
    """Measures layers at one step of the epochs 1, 2, 4, 8, ... and of the last one.

    Early epochs are where gradients vanish, explode and units die; doubling keeps the cost of long training near zero.
    In epoch 1 the step is the first, of the untrained model, else the middle one. Of every layer, that is every trained
    parameter of two axes or more, a row holds the Euclidean norms of the gradient before clipping, of the weights and
    of their update; of every activation module the mean and the standard deviation of its outputs and the share of its
    units that give the same output for all samples (a ReLU's: dead), on the first batch of the validation split after
    the epoch.

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
        self._file, self._epochs = folder / FILE, epochs
        self._rows = [row for row in _read(self._file) if row["epoch"] <= (done or 0)]
        self._pending: dict[str, Any] = {}

    @property
    def files(self) -> tuple[str, ...]:
        """The file written, if any."""
        return (FILE,) if self._rows else ()

    def place(self, epoch: int, steps: int) -> int | None:
        """Return which of an epoch's steps, from 0, is measured, None for none."""
        if not self._layers or not watched(epoch, self._epochs):
            return None
        return 0 if epoch == 1 else steps // 2

    def measure(self, update: Callable[[], None]) -> None:
        """Run an update and keep the norms of gradients, weights and changes."""
        weights = list(self._layers.values())
        gradients = [_norm(weight.grad) for weight in weights]
        before = [weight.detach().clone() for weight in weights]
        update()
        changes = [(weight.detach() - old).norm() for weight, old in zip(weights, before, strict=True)]
        self._pending = {"gradient": gradients, "weight": [old.norm() for old in before], "update": changes}

    def keep(self, epoch: int, step: int, loss: Tensor) -> None:
        """Say which step was measured, and the loss of its batch."""
        self._pending |= {"epoch": epoch, "step": step, "loss": loss}

    @contextmanager
    def outputs(self) -> Iterator[None]:
        """Look at the outputs of activations in the first forward pass inside, where a step was measured before."""
        seen: dict[str, Tensor] = {}

        def look(name: str, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
            if name not in seen:
                seen[name] = _described(output)

        handles = [m.register_forward_hook(partial(look, name)) for name, m in self._outputs.items() if self._pending]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
        if seen:
            self._pending["outputs"] = seen

    def write(self) -> None:
        """Write what was measured since the last call, in one move; this waits for the device."""
        if "epoch" not in self._pending:
            return
        row, self._pending = self._pending, {}
        names = list(self._layers)
        numbers: _Row = {key: row[key] for key in ("epoch", "step")} | {"loss": _finite(row["loss"].item())}
        for key in ("gradient", "weight", "update"):
            numbers[key] = dict(zip(names, map(_finite, torch.stack(row[key]).tolist()), strict=True))
        for name, output in row.get("outputs", {}).items():
            mean, sd, dead = map(_finite, output.tolist())
            numbers.setdefault("outputs", {})[name] = {"mean": mean, "sd": sd, "dead": dead}
        self._rows.append(numbers)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_name(f"{FILE}.tmp")
        temporary.write_text(json.dumps(self._rows), encoding="utf-8")
        temporary.replace(self._file)


def watched(epoch: int, epochs: int) -> bool:
    """Return whether layers are measured in an epoch: 1, 2, 4, 8, ... and the last."""
    return epoch == epochs or epoch & (epoch - 1) == 0


def _described(output: Tensor) -> Tensor:
    """Return [3] mean, standard deviation and share of constant units; a unit is a channel, or an entry of a token."""
    values = output.detach().float()
    axis = values.ndim - 1 if values.ndim == 3 else min(1, values.ndim - 1)
    others = [each for each in range(values.ndim) if each != axis]
    constant = (values.amax(others) == values.amin(others)).float().mean()
    sd, mean = torch.std_mean(values, correction=0)
    return torch.stack((mean, sd, constant))


def _norm(gradient: Tensor | None) -> Tensor:
    return torch.zeros(()) if gradient is None else gradient.norm()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _read(file: Path) -> Sequence[_Row]:
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return rows if isinstance(rows, list) else []
