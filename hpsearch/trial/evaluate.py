"""Loss and metrics of a model on a whole split."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from hpsearch.data.base import Part
from hpsearch.metrics.base import Metric
from hpsearch.metrics.meter import Meter


@torch.no_grad()
def evaluate(
    model: nn.Module,
    forward: Callable[[Tensor], Tensor],
    loss: nn.Module,
    split: Part,
    batch_size: int,
    metrics: Mapping[str, Metric],
) -> dict[str, float]:
    """Evaluate a model in evaluation mode on a fixed grid of batches, in the split's order.

    A mean over the split is the mean over its batches, weighted by their sizes. The device is waited for once, at
    the end. The model is left in the mode it was in.

    Args:
        model: what is switched to evaluation mode.
        forward: maps inputs [B, ...] to outputs [B, C] by means of the model.
        loss: maps (outputs, targets) to their mean loss.
        split: the samples, on the model's device.
        batch_size: samples per forward pass; the last one may have fewer.
        metrics: what is measured besides the loss, by key.

    Returns:
        ``loss``, the mean over the samples, and the metrics by name.
    """
    training = model.training
    model.eval()
    meter = Meter(metrics, split.device)
    try:
        for x, y in split.in_order(batch_size):
            outputs = forward(x)
            meter.update(loss(outputs, y), outputs, y)
        return meter.compute()
    finally:
        model.train(training)
