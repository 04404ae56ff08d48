"""Loss and metrics of a model on a whole split."""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from hpsearch.data.part import Part
from hpsearch.losses.class_weights import reported_losses, summed
from hpsearch.metrics.base import Metric
from hpsearch.metrics.meter import Meter
from hpsearch.trial.samples import SampleWatch


@torch.no_grad()
def evaluate(
    model: nn.Module,
    forward: Callable[[Tensor], Tensor],
    loss: nn.Module,
    split: Part,
    batch_size: int,
    metrics: Mapping[str, Metric],
    watch: SampleWatch | None = None,
) -> dict[str, float]:
    """Evaluate a model in evaluation mode on a fixed grid of batches, in the split's order.

    Losses and weights are summed over the split and divided at the end, so that no number depends on the size of the
    batches. The device is waited for once, at the end. The model is left in the mode it was in.

    Args:
        model: what is switched to evaluation mode.
        forward: maps inputs [B, ...] to outputs [B, C] by means of the model.
        loss: maps (outputs, targets) to their mean loss, as it is trained on.
        split: the samples, on the model's device.
        batch_size: samples per forward pass; the last one may have fewer.
        metrics: what is measured besides the loss, by key.
        watch: gathers what single samples give.

    Returns:
        ``loss``, the mean over the samples without weights, smoothing and focus; ``weighted_loss``, that with them,
        where there are any; and the metrics by name.
    """
    training = model.training
    model.eval()
    try:
        given = ((forward(x), y) for x, y in split.in_order(batch_size))
        return measured(given, loss, metrics, split.device, watch)
    finally:
        model.train(training)


@torch.no_grad()
def measured(
    given: Iterable[tuple[Tensor, Tensor]],
    loss: nn.Module,
    metrics: Mapping[str, Metric],
    device: torch.device,
    watch: SampleWatch | None = None,
) -> dict[str, float]:
    """Return what `evaluate` does, of what a model gave.

    Args:
        given: outputs [B, C] and targets of each batch.
        loss: maps (outputs, targets) to their mean loss, as it is trained on.
        metrics: what is measured besides the loss, by key.
        device: where the outputs are.
        watch: gathers what single samples give.
    """
    meter, losses = Meter(metrics, device), reported_losses(loss)
    for outputs, y in given:
        if watch is not None:
            watch.update(outputs, y)
        meter.update({name: summed(each, outputs, y) for name, each in losses.items()}, outputs, y)
    return meter.compute()
