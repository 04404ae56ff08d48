"""Losses in which the samples of each class count by a weight of their own."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError
from hpsearch.losses.targets import class_shares


class QuotientLoss(nn.Module, ABC):
    """A loss that over a whole part is a quotient of two sums, and no mean over samples."""

    @abstractmethod
    def sums(self, outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor | int]:
        """Return the 0-d sums over a batch of the loss and of what it is divided by over a whole part."""


class ClassWeighted(QuotientLoss):
    """A loss in which samples count by the weight w of their class.

    In training, of a batch of B samples with the losses l::

        sum_i w_i l_i / (B w_mean)

    with the mean weight of all samples of the training part. A quotient by the batch's own weights, as torch's, would
    make the batch size part of the weighting: at one sample per batch the weights cancel. This way the expected
    gradient is the same at every batch size.

    Over a whole part, as reports give it, the loss is sum_i w_i l_i / sum_i w_i, see `sums`.

    A sample that mixing has blended of several classes counts in each by its share: sum_c y_ic w_c l_ic.

    Args:
        loss: gives the losses of each class, see `class_losses`; it has no weights itself.
        weights: one per class.
        shares: [classes] of each class in the training part.

    Attributes:
        weight: [classes] the weights.
        mean: 0-d, the mean weight of the training part.
    """

    weight: Tensor
    mean: Tensor

    def __init__(self, loss: nn.Module, weights: Sequence[float], shares: Tensor) -> None:
        super().__init__()
        self.loss = loss
        weight = torch.tensor(weights, dtype=torch.float64)
        self.register_buffer("weight", weight.float(), persistent=False)
        self.register_buffer("mean", (weight * shares.double().cpu()).sum().float(), persistent=False)

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the 0-d training loss of outputs [B, C] for class numbers [B] or shares [B, classes]."""
        return self.sums(outputs, y)[0] / (len(y) * self.mean)

    def sums(self, outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the 0-d sums over a batch of the weighted losses and of the weights."""
        weights = class_shares(outputs, y) * self.weight
        return (weights * class_losses(self.loss, outputs)).sum(), weights.sum()

    def plain(self) -> nn.Module:
        """Return the loss without weights, and without what else only training is told."""
        return plain_loss(self.loss)


def class_losses(loss: nn.Module, outputs: Tensor) -> Tensor:
    """Return what the loss of each sample is if it is of class c.

    Args:
        loss: cross-entropy or negative log-likelihood of torch; or a loss with a method ``class_losses`` that takes the
            outputs, such as ours.
        outputs: [B, C].

    Returns:
        [B, classes].
    """
    if isinstance(loss, nn.CrossEntropyLoss):
        losses = -outputs.log_softmax(1)
        return losses.lerp(losses.mean(1, keepdim=True), loss.label_smoothing)
    if isinstance(loss, nn.NLLLoss):
        return -outputs
    of_classes: Tensor = loss.class_losses(outputs)  # type: ignore[operator]
    return of_classes


def with_class_weights(loss: nn.Module, weights: Sequence[float] | None, shares: Tensor | None) -> nn.Module:
    """Return a loss with weights per class, its own (of torch's cross-entropy) or those of the data.

    Args:
        loss: as configured.
        weights: of the data, None for none.
        shares: of each class in the training part, None for a regression.

    Returns:
        The loss itself where no class has a weight.

    Raises:
        ConfigError: the loss cannot be weighted, or has weights already.
    """
    of_torch, own = isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss), getattr(loss, "weight", None)
    if shares is None:
        return loss
    if weights is None:
        if own is None or not of_torch:
            return loss
        return ClassWeighted(_without(loss, weight=None), own.tolist(), shares)  # torch's divides by a batch's weights
    name = type(loss).__name__
    if not (of_torch or hasattr(loss, "class_losses")):
        raise ConfigError(f"data.class_weights: the loss {name} takes no weights; cross_entropy, focal and others do")
    if own is not None or getattr(loss, "pos_weight", None) is not None:
        raise ConfigError(f"data.class_weights: the loss {name} has weights already")
    return ClassWeighted(loss, weights, shares)


WEIGHTED = "weighted_loss"
"""What reports call the loss that is trained on, where it is not the plain one."""

_NEUTRAL = {"weight": None, "pos_weight": None, "label_smoothing": 0.0}
"""Arguments of torch's losses that only training is told, and their value without effect."""


def plain_loss(loss: nn.Module) -> nn.Module:
    """Return a loss without weights, label smoothing and focus: what reports compare trials by.

    Args:
        loss: as trained on; one of your own may say by a method ``plain`` what it is without.

    Returns:
        The loss itself where it has none of these.
    """
    if callable(own := getattr(loss, "plain", None)):
        plain: nn.Module = own()
        return plain
    if not isinstance(loss, nn.modules.loss._Loss):
        return loss
    told = {name: value for name, value in _NEUTRAL.items() if _is_set(getattr(loss, name, value), value)}
    return _without(loss, **told) if told else loss


def reported_losses(loss: nn.Module) -> dict[str, nn.Module]:
    """Return what is reported of a loss: ``loss``, the plain one, and `WEIGHTED` where another one is trained on."""
    plain = plain_loss(loss)
    return {"loss": plain} if plain is loss else {"loss": plain, WEIGHTED: loss}


def summed(loss: nn.Module, outputs: Tensor, y: Tensor) -> tuple[Tensor, Tensor | int]:
    """Return the 0-d sums of a loss over a batch, and of what it is divided by over a whole part."""
    if isinstance(loss, QuotientLoss):
        return loss.sums(outputs, y)
    return loss(outputs, y).float() * len(y), len(y)


def each_loss(loss: nn.Module, outputs: Tensor, y: Tensor) -> Tensor | None:
    """Return the loss of every sample of a batch, [B]; None where a loss gives no more than its mean.

    Args:
        loss: cross-entropy, a loss with a method ``class_losses`` as `class_losses` has it, or another one of torch,
            whose mean is over samples and outputs.
        outputs: [B, C].
        y: [B] class numbers or shares, or [B, C] targets.
    """
    if isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) or hasattr(loss, "class_losses"):
        return (class_shares(outputs, y) * class_losses(loss, outputs)).sum(1)
    if isinstance(loss, nn.modules.loss._Loss) and loss.reduction == "mean":
        each: Tensor = _without(loss, reduction="none")(outputs, y)
        return each.flatten(1).mean(1) if each.ndim > 1 and len(each) == len(y) else None
    return None


def _is_set(value: Any, neutral: float | None) -> bool:
    return value is not None if isinstance(value, Tensor | None) else bool(value != neutral)


def _without(loss: nn.Module, **values: Any) -> nn.Module:
    changed = copy.deepcopy(loss)
    for name, value in values.items():
        setattr(changed, name, value)
    return changed
