"""Predictions that know nothing of the inputs: the same outputs for every sample."""

import torch
from torch import Tensor


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
