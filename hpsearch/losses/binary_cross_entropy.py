"""Binary cross-entropy."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from hpsearch.base.limits import check_values
from hpsearch.losses.limits import BINARY_CROSS_ENTROPY
from hpsearch.losses.targets import class_shares


class BinaryCrossEntropy(nn.Module):
    """Binary cross-entropy of the sigmoid of each output, the mean over samples and outputs.

    One output is the logit of class 1 of two (logistic regression); C outputs are C questions, class c or not.

    Args:
        label_smoothing: share s of each target spread evenly over yes and no: y becomes y (1 - s) + s / 2.
        pos_weight: factor on the loss of a yes; None is 1.
    """

    def __init__(self, label_smoothing: float = 0.0, pos_weight: float | None = None) -> None:
        super().__init__()
        check_values("loss", BINARY_CROSS_ENTROPY, {"label_smoothing": label_smoothing, "pos_weight": pos_weight})
        self.label_smoothing = label_smoothing
        self.pos_weight: Tensor | None
        self.register_buffer("pos_weight", None if pos_weight is None else torch.tensor(pos_weight), persistent=False)

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the 0-d loss of outputs [B, C] for class numbers [B] or shares [B, C]."""
        shares = class_shares(outputs, y)
        if outputs.shape[1] == 1:
            shares = shares[:, 1:]
        smoothed = shares * (1 - self.label_smoothing) + self.label_smoothing / 2
        return functional.binary_cross_entropy_with_logits(outputs, smoothed, pos_weight=self.pos_weight)

    def class_losses(self, outputs: Tensor) -> Tensor:
        """Return [B, classes] what the loss of each sample is if it is of class c."""
        factor = 1.0 if self.pos_weight is None else self.pos_weight
        yes, no = functional.softplus(-outputs) * factor, functional.softplus(outputs)
        smoothed_yes, smoothed_no = yes.lerp(no, self.label_smoothing / 2), no.lerp(yes, self.label_smoothing / 2)
        if outputs.shape[1] == 1:
            return torch.cat((smoothed_no, smoothed_yes), 1)
        return (smoothed_yes - smoothed_no + smoothed_no.sum(1, keepdim=True)) / outputs.shape[1]

    def plain(self) -> "BinaryCrossEntropy":
        """Return the loss without smoothing and factor."""
        return self if not self.label_smoothing and self.pos_weight is None else BinaryCrossEntropy()
