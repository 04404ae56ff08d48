"""What a regression of one input has fitted: points and curve, as a figure that the trial logs."""

import json

import torch
from torch import Tensor

from hpsearch.base.files import replace_text
from hpsearch.base.media import FIGURE, FIT, FIT_CURVE, FIT_TRAIN, FIT_VALID, Medium
from hpsearch.data.part import Part
from hpsearch.trial.job import Job
from hpsearch.trial.updates import forward_pass

GRID = 200
"""Inputs at which the curve is computed, evenly from the smallest to the largest of the points."""
MOST = 500
"""Points drawn of each part, the first ones."""


def save_fit(job: Job, epoch: int) -> tuple[str, ...]:
    """Write what the model answers over its only input, beside the training and validation points.

    Inputs are as the model sees them, targets in the units of the data.

    Args:
        job: the trial, its model as it ended.
        epoch: after which.

    Returns:
        The file, relative to the trial's folder; nothing where the inputs are not one number each or the target is not,
        or where an average of the weights is what was evaluated.
    """
    splits = job.splits
    if splits.task != "regression" or splits.in_shape != (1,) or splits.num_outputs != 1 or job.averaging is not None:
        return ()
    parts = {FIT_TRAIN: _points(splits.train), FIT_VALID: _points(splits.valid)}
    inputs = torch.cat([x for x, _ in parts.values()])
    grid = torch.linspace(float(inputs.min()), float(inputs.max()), GRID, device=job.device)
    training = job.model.training
    job.model.eval()
    try:
        with torch.no_grad():
            curve = forward_pass(job, grid[:, None])[:, 0]
    finally:
        job.model.train(training)
    traces = [_trace(job, name, x, y, "markers") for name, (x, y) in parts.items()]
    traces.append(_trace(job, FIT_CURVE, grid, curve, "lines"))
    layout = {"xaxis": {"title": {"text": "input, as scaled"}}, "yaxis": {"title": {"text": "target"}}}
    medium = Medium(FIT, epoch, FIGURE)
    replace_text(job.folder / medium.path, json.dumps({"data": traces, "layout": layout}))
    return (medium.path,)


def _points(part: Part) -> tuple[Tensor, Tensor]:
    """Return inputs [N] and targets [N] of the first points of a part."""
    rows = torch.arange(min(len(part), MOST), device=part.device)
    ((x, y),) = part.batches(rows, len(rows))
    return x[:, 0], y.reshape(len(rows))


def _trace(job: Job, name: str, x: Tensor, y: Tensor, mode: str) -> dict[str, object]:
    scaling = job.splits.target_scaling
    if scaling is not None:
        y = y * scaling.scale.to(y).reshape(()) + scaling.shift.to(y).reshape(())
    rounded = {axis: [float(f"{value:.6g}") for value in values.tolist()] for axis, values in (("x", x), ("y", y))}
    return {"type": "scatter", "mode": mode, "name": name, **rounded}
