"""What a model gets of every single sample, kept of the evaluations that make a trial's score."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hpsearch.base.samples import SAMPLES, write_samples
from hpsearch.data.base import Splits
from hpsearch.losses.class_weights import each_loss, plain_loss
from hpsearch.metrics.base import Metric, OutputsMetric, SampleMetric, names_of

USUAL = "acc"
"""Kept beside the objective's metric, where there is one: a bit per sample."""
TOLERANCE = 1e-3
"""Numbers are kept whose mean is what is reported but for the digits of float32, relative to their size."""


class SampleWatch:
    """Gathers the results of single samples in one evaluation; they stay on the device until its end.

    A metric that is no mean of samples has none, see `hpsearch.metrics.base.OutputsMetric.samples`.

    Args:
        names: of what is kept, as reports call it without the part.
        metrics: what is measured, by key.
        loss: what is trained on.
        outputs: whether outputs and targets are kept too.
    """

    def __init__(self, names: Sequence[str], metrics: Mapping[str, Metric], loss: nn.Module, outputs: bool) -> None:
        chosen = {key: metric for key, metric in metrics.items() if set(names_of(key, metric)) & set(names)}
        self._each = {key: metric for key, metric in chosen.items() if isinstance(metric, SampleMetric)}
        self._whole = {key: metric for key, metric in chosen.items() if isinstance(metric, OutputsMetric)}
        self._loss = plain_loss(loss) if "loss" in names else None
        self._names, self._kept = frozenset(names), outputs or bool(self._whole)
        self._parts: dict[str, list[Tensor]] = {}
        self._seen: list[tuple[Tensor, Tensor]] = []

    def update(self, outputs_BC: Tensor, y_B: Tensor) -> None:
        """Take in a batch, without waiting for the device."""
        found = {key: metric.each(outputs_BC, y_B) for key, metric in self._each.items()}
        if self._loss is not None and (losses_B := each_loss(self._loss, outputs_BC, y_B)) is not None:
            found["loss"] = losses_B
        for name, each_B in found.items():
            self._parts.setdefault(name, []).append(each_B)
        if self._kept:
            self._seen.append((outputs_BC, y_B))

    def results(self, values: Mapping[str, float]) -> dict[str, Tensor]:
        """Return the results [N] by name, on the host; those whose mean is not what was reported are left out.

        Args:
            values: what the evaluation reports.
        """
        found = {name: torch.cat(parts) for name, parts in self._parts.items()}
        for key, metric in self._whole.items():
            made = metric.samples(*self.seen())
            found |= dict(made) if isinstance(made, Mapping) else {} if made is None else {key: made}
        kept = {name: each.double().cpu() for name, each in found.items() if name in self._names}
        return {name: each.float() for name, each in kept.items() if _is_mean(each, values.get(name))}

    def seen(self) -> tuple[Tensor, Tensor]:
        """Return all outputs [N, C] in float64 and all targets, on the host."""
        outputs, y = (torch.cat(parts).cpu() for parts in zip(*self._seen, strict=True))
        return outputs.double(), y


def _is_mean(each_N: Tensor, value: float | None) -> bool:
    size = float(each_N.abs().mean())
    return value is not None and bool(each_N.isfinite().all()) and abs(float(each_N.mean()) - value) <= TOLERANCE * size


def names_kept(metric: str, metrics: Mapping[str, Metric]) -> tuple[str, ...]:
    """Return what is kept of single samples: the objective's metric, and accuracy where there is one.

    Args:
        metric: the objective's, with its part.
        metrics: what is measured, by key.
    """
    known = {"loss", *(name for key, each in metrics.items() for name in names_of(key, each))}
    return tuple(name for name in dict.fromkeys((metric.rpartition("/")[2], USUAL)) if name in known)


def save_samples(
    folder: Path,
    key: str,
    splits: Splits,
    evaluations: Sequence[Mapping[str, Tensor]],
    outputs: Mapping[str, tuple[Tensor, Tensor]],
) -> None:
    """Write the results of single samples into a trial's folder.

    Args:
        folder: of the trial.
        key: hash of its configuration.
        splits: its data.
        evaluations: results [N] by name, with the part, of every evaluation that counts.
        outputs: outputs and targets by part, where they are kept.
    """
    values: dict[str, NDArray[np.float32]] = {}
    for name in dict.fromkeys(name for each in evaluations for name in each):
        rows = [each[name].numpy() for each in evaluations if name in each]
        values[name] = np.stack(rows)
    more: dict[str, NDArray[Any]] = {}
    for part, (of_part, y) in outputs.items():
        more |= {f"outputs:{part}": of_part.float().numpy(), f"targets:{part}": y.numpy()}
    if not values and not more:
        return
    parts = {name.partition("/")[0] for name in values}
    units = {part: each for part, each in splits.units.of.items() if part in parts}
    folder.mkdir(parents=True, exist_ok=True)
    write_samples(folder / SAMPLES, key, values, units, splits.units.name if units else "sample", more)
