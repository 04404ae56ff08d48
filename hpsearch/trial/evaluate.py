"""Loss and metrics of a model on a whole split."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from hpsearch import metrics
from hpsearch.data.base import Part


@torch.no_grad()
def evaluate(
    model: nn.Module,
    forward: Callable[[Tensor], Tensor],
    loss: nn.Module,
    split: Part,
    batch_size: int,
    task: str,
    asked: Sequence[str] = (),
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
        task: ``classification`` or ``regression``.
        asked: metrics that need all outputs at once, see `hpsearch.metrics.wholes`.

    Returns:
        The means of `hpsearch.metrics.names`, and the metrics asked for.
    """
    training = model.training
    model.eval()
    kept: list[tuple[Tensor, Tensor]] = []
    try:
        sums = torch.zeros(len(metrics.names(task)), device=split.device)
        for x, y in split.in_order(batch_size):
            outputs = forward(x)
            if asked:
                kept.append((outputs, y))
            sums += metrics.batch_sums(task, loss(outputs, y), outputs, y)
        whole = metrics.of_outputs(asked, [outputs for outputs, _ in kept], [y for _, y in kept])
        return metrics.means(task, sums, len(split)) | whole
    finally:
        model.train(training)
