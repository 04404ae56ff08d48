"""A loss of the steps of sequences."""

from torch import Tensor, nn

from hpsearch.base.steps import labelled
from hpsearch.losses.class_weights import QuotientLoss, plain_loss, summed


class StepLoss(QuotientLoss):
    """A loss of samples, for labels per step: the mean over all steps of a batch that have a label.

    Every label counts alike, whatever the length of its sequence and however much padding there is. The divisor is the
    number of labels of an update, as torch's losses with ``ignore_index`` have it.

    Args:
        loss: maps outputs [M, C] and class numbers [M] to their mean loss.

    Attributes:
        loss: the same.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the 0-d loss of outputs [B, T, C] for class numbers [B, T], or of [M, C] for [M]."""
        loss: Tensor = self.loss(*labelled(outputs, y))
        return loss

    def sums(self, outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor | int]:
        """Return the 0-d sums over a batch of the loss and of what it is divided by over a whole part."""
        return summed(self.loss, *labelled(outputs, y))

    def plain(self) -> nn.Module:
        """Return the loss without what only training is told."""
        inner = plain_loss(self.loss)
        return self if inner is self.loss else StepLoss(inner)
