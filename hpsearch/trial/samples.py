"""What a model gives of every single sample in the evaluations that make a trial's score, and what is kept of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hpsearch.base.samples import SAMPLES, write_samples
from hpsearch.base.steps import label_counts, labelled, per_step
from hpsearch.losses.class_weights import each_loss, plain_loss
from hpsearch.losses.steps import StepLoss
from hpsearch.metrics.base import OutputsMetric, SampleMetric, names_of
from hpsearch.metrics.steps import StepMetric, by_sequence, samples_of

if TYPE_CHECKING:
    from hpsearch.trial.checkpoint import Progress
    from hpsearch.trial.job import Job

USUAL = "acc"
"""Kept beside the objective's metric, where there is one: a bit per sample."""
TOLERANCE = 1e-3
"""Numbers are kept whose mean is what is reported but for the digits of float32, relative to their size."""
_OUTPUTS, _TARGETS = "outputs:", "targets:"


class SampleWatch:
    """Gathers the results of single samples in one evaluation; they stay on the device until its end.

    Of the objective's metric, and of accuracy where there is one. A metric that is no mean of samples has none, see
    `hpsearch.metrics.base.OutputsMetric.samples`. Of labels per step a sample is a whole sequence, as the steps of one
    are not independent, see `hpsearch.metrics.steps.by_sequence`.

    Args:
        job: the trial.
    """

    def __init__(self, job: "Job") -> None:
        self._names = frozenset({job.objective.metric.rpartition("/")[2], USUAL})
        chosen = {key: each for key, each in job.metrics.items() if self._names.intersection(names_of(key, each))}
        inner = {key: each.metric if isinstance(each, StepMetric) else each for key, each in chosen.items()}
        self._each = {key: metric for key, metric in inner.items() if isinstance(metric, SampleMetric)}
        self._whole = {key: chosen[key] for key, metric in inner.items() if isinstance(metric, OutputsMetric)}
        loss = job.loss.loss if isinstance(job.loss, StepLoss) else job.loss
        self._loss = plain_loss(loss) if "loss" in self._names else None
        self._all = job.trainer.keep_predictions == "all"
        self._parts: dict[str, list[Tensor]] = {}
        self._seen: list[tuple[Tensor, Tensor]] = []
        self._labels: list[Tensor] = []

    def update(self, outputs_BC: Tensor, y_B: Tensor) -> None:
        """Take in a batch, without waiting for the device."""
        if self._all or self._whole:
            self._seen.append((outputs_BC, y_B))
        if per_step(y_B):
            self._labels.append(label_counts(y_B))
            outputs_BC, y_B = labelled(outputs_BC, y_B)
        found = {key: metric.each(outputs_BC, y_B) for key, metric in self._each.items()}
        if self._loss is not None and (losses_B := each_loss(self._loss, outputs_BC, y_B)) is not None:
            found["loss"] = losses_B
        for name, each_B in found.items():
            self._parts.setdefault(name, []).append(each_B)

    def results(self, part: str, values: Mapping[str, float]) -> dict[str, Tensor]:
        """Return the results [N] by name, on the host; those whose mean is not what is reported are left out.

        Args:
            part: of the data, put before the names.
            values: what the evaluation reports.
        """
        found = {name: torch.cat(parts).cpu() for name, parts in self._parts.items()}
        if self._labels:
            labels_N = torch.cat(self._labels).cpu()
            found = {name: by_sequence(each_M, labels_N) for name, each_M in found.items()}
        if self._seen:
            outputs_NC, y_N = (torch.cat(parts).cpu() for parts in zip(*self._seen, strict=True))
            for key, metric in self._whole.items():
                made = samples_of(metric, outputs_NC.double(), y_N)
                found |= dict(made) if isinstance(made, Mapping) else {} if made is None else {key: made}
        kept = {name: each.double() for name, each in found.items() if name in self._names}
        results = {f"{part}/{name}": each.float() for name, each in kept.items() if _is_mean(each, values.get(name))}
        if self._all:
            results |= {_OUTPUTS + part: outputs_NC.float(), _TARGETS + part: y_N}
        return results


def _is_mean(each_N: Tensor, value: float | None) -> bool:
    size = float(each_N.abs().mean())
    return value is not None and bool(each_N.isfinite().all()) and abs(float(each_N.mean()) - value) <= TOLERANCE * size


def may_count(job: "Job", part: str, step: int) -> bool:
    """Return whether an evaluation may be one of those that make the score, as far as that is known beforehand.

    Args:
        job: the trial.
        part: of the data.
        step: optimizer updates before it.
    """
    if job.trainer.keep_predictions == "none" or part == "train_eval":
        return False
    foreseen = job.early_stopping is None and job.objective.reduce != "best"
    return not foreseen or step in job.ends or step == (job.steps if job.epochs else 0)


def forget_samples(job: "Job", progress: "Progress") -> None:
    """Forget, after a report, the evaluations that make no score any more, whatever follows."""
    if job.early_stopping is None and job.objective.reduce != "best":
        return
    reports, best = progress.reports, progress.best.epoch if progress.best is not None else None
    at = next((place for place, report in enumerate(reports) if report.epoch == best), len(reports) - 1)
    near = {report.step for report in (*reports[max(at - 1, 0) : at + 2], reports[-1])}
    progress.samples = {step: each for step, each in progress.samples.items() if step in near or step in job.ends}


def save_samples(job: "Job", progress: "Progress") -> None:
    """Write the results of single samples, of the evaluations that make the score, into the trial's folder.

    Outputs and targets are those of the last of them.

    Args:
        job: the trial.
        progress: of a trial that is COMPLETE.
    """
    evaluations = [progress.samples.get(step, {}) for step in _scored(job, progress)]
    last = progress.samples.get(progress.reports[-1].step, {}) if progress.reports else {}
    tested = {name: each for name, each in last.items() if not _of_valid(name)}
    if not any(tested.keys() & each.keys() for each in evaluations):
        evaluations.append(tested)
    rows: dict[str, list[Tensor]] = {}
    for each in evaluations:
        for name, values in each.items():
            rows.setdefault(name, []).append(values)
    more = {name: each[-1].numpy() for name, each in rows.items() if name.startswith((_OUTPUTS, _TARGETS))}
    stacked = {name: np.stack([row.numpy() for row in each]) for name, each in rows.items() if name not in more}
    if stacked or more:
        parts = {name.partition("/")[0] for name in stacked}
        units = {part: each for part, each in job.splits.units.of.items() if part in parts}
        job.folder.mkdir(parents=True, exist_ok=True)
        write_samples(job.folder / SAMPLES, job.key, stacked, units, job.splits.units.name, more)


def _scored(job: "Job", progress: "Progress") -> list[int]:
    """Return the updates before each evaluation that makes the score."""
    if not progress.reports:
        return []
    last = progress.reports[-1]
    if job.objective.reduce == "end" and last.end:
        return [step for step, _ in last.end]
    if job.objective.reduce == "best" and progress.best is not None:
        return [each.step for each in progress.reports if each.epoch == progress.best.epoch]
    return [last.step]


def _of_valid(name: str) -> bool:
    return name.startswith("valid/") or name.endswith(":valid")
