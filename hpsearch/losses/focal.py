"""Focal loss."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hpsearch.base.limits import check_values
from hpsearch.losses.limits import FOCAL
from hpsearch.losses.targets import class_shares


class Focal(nn.Module):
    """Focal loss: cross-entropy that looks away from what is easy, the mean over samples.

    With p the softmax of the outputs (of one output: its sigmoid and the rest) and y the shares of the classes::

        sum_c  weight_c * y_c * (1 - p_c) ** gamma * -log p_c

    gamma = 0 is cross-entropy. Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.

    Args:
        gamma: focusing parameter.
        weight: factor per class, the alpha of the paper; None is 1 for all.
    """

    def __init__(self, gamma: float = 2.0, weight: Sequence[float] | None = None) -> None:
        super().__init__()
        check_values("loss", FOCAL, {"gamma": gamma, "weight": weight})
        self.gamma = gamma
        self.weight: Tensor | None
        self.register_buffer("weight", None if weight is None else torch.tensor(weight), persistent=False)

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the 0-d loss of outputs [B, C] for class numbers [B] or shares [B, C]."""
        return (class_shares(outputs, y) * self.class_losses(outputs)).sum(1).mean()

    def class_losses(self, outputs: Tensor) -> Tensor:
        """Return [B, classes] what the loss of each sample is if it is of class c."""
        logits = outputs if outputs.shape[1] > 1 else torch.cat((torch.zeros_like(outputs), outputs), 1)
        log_p = logits.log_softmax(1)
        losses = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny) ** self.gamma * -log_p
        return losses if self.weight is None else losses * self.weight

    def plain(self) -> "Focal":
        """Return cross-entropy: the loss without focus and factors."""
        return self if not self.gamma and self.weight is None else Focal(gamma=0.0)
