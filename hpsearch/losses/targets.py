"""Targets as a share of every class."""

import torch
from torch import Tensor


def class_shares(outputs: Tensor, y: Tensor) -> Tensor:
    """Return targets as a share of every class.

    Args:
        outputs: [B, C] what a model returned; one column stands for two classes.
        y: [B] class numbers, or [B, classes] shares, which are returned as they are.

    Returns:
        [B, classes] in the dtype of `outputs`.
    """
    if y.ndim > 1:
        return y.to(outputs.dtype)
    classes = torch.arange(max(outputs.shape[1], 2), device=y.device)
    return (y[:, None] == classes).to(outputs.dtype)
