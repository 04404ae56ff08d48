"""Predictions that know nothing of the inputs: the same outputs for every sample."""

import torch
from torch import Tensor, nn

_STEPS = (1.0, 0.5, 0.25, 0.125)
_MOST = 20


def margin_of(loss: nn.Module) -> float | None:
    """Return the margin of a hinge loss, 0 of a perceptron's, whatever it is wrapped in; None of other losses."""
    while isinstance(inner := getattr(loss, "loss", None), nn.Module):
        loss = inner
    margin = getattr(loss, "margin", None)
    return float(margin) if isinstance(margin, int | float) else None


def best_margins(loss: nn.Module, y: Tensor, columns: int) -> list[Tensor]:
    """Return the best constant outputs of a loss with a margin, such as the hinge loss; none of other losses.

    The mean loss is a convex function of the differences of outputs. With power 1 it is linear between multiples of the
    margin, so the best differences are such multiples; the search goes by these and then by parts of them. At every
    step the classes that cost most at outputs 0, as many as help most, get more.

    Args:
        loss: as trained on.
        y: [N] class numbers.
        columns: outputs of the model; 1 is the lead of class 1 of two.

    Returns:
        [columns] outputs, in a list.
    """
    if not (margin := margin_of(loss)) or y.is_floating_point():
        return []
    share = torch.bincount(y, minlength=max(columns, 2)).float() / len(y)
    present = share.nonzero()[:, 0]
    best = torch.zeros(max(columns, 2), device=y.device)

    def parts(outputs: Tensor) -> Tensor:
        given = outputs[1:] - outputs[:1] if columns == 1 else outputs
        return share[present] * torch.stack([loss(given[None], c[None]) for c in present])

    def cost(outputs: Tensor) -> float:
        return float(parts(outputs).sum())

    order = present[parts(best).argsort(descending=True)][:_MOST]
    least = cost(best)
    for step in _STEPS:
        improved = True
        while improved:
            tried = [best.index_add(0, order[:k], best.new_full((k,), step * margin)) for k in range(1, len(order) + 1)]
            costs = [cost(each) for each in tried]
            improved = min(costs) < least - 1e-6 * least
            if improved:
                least, best = min(costs), tried[costs.index(min(costs))]
    return [best[1:] - best[:1] if columns == 1 else best]


def constant_outputs(y: Tensor, columns: int, task: str, even: float = 0.0) -> list[Tensor]:
    """Return outputs among which are the best constant ones for the usual losses.

    Args:
        y: [N] class numbers, or [N, columns] targets.
        columns: outputs of the model; 1 of a classification is the logit of class 1 of two.
        task: ``classification`` or ``regression``.
        even: part of the classes' shares that is dealt out evenly, as smoothed labels and class weights do.

    Returns:
        [columns] each: zeros first; of a regression then the mean and the median of the targets; of a classification
        ln of the classes' shares (cross-entropy) and their logits (binary cross-entropy).
    """
    zeros = torch.zeros(columns, device=y.device)
    if task == "regression":
        return [zeros, y.mean(0), y.median(0).values]
    share = torch.bincount(y, minlength=max(columns, 2)).to(zeros) / len(y)
    share = (1 - even) * share + even / len(share)
    share = share.clamp_min(torch.finfo(share.dtype).eps)
    logit = share.log() - torch.log1p(-share)
    return [zeros, logit[1:]] if columns == 1 else [zeros, share.log(), logit]
