"""The losses of the members of a group, each the mean over its own batch.

Axes: K member, B sample, C output.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import chain
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.nn.functional import cross_entropy

from hpsearch.losses.steps import StepLoss

MemberLosses: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Maps outputs [K, B, C] and targets, [K, B] class numbers or [K, B, C], to losses [K]."""


def member_losses(losses: Sequence[nn.Module]) -> MemberLosses:
    """Return what computes the loss of every member at once.

    Args:
        losses: one per member, each maps (outputs, targets) to their mean loss; they may differ.

    Returns:
        The function; what it gives of a member does not depend on the others.
    """
    first = losses[0]
    if all(_is_cross_entropy(loss) for loss in losses):
        return _cross_entropy([loss.label_smoothing for loss in losses])  # type: ignore[misc]  # numbers of torch's class
    if _is_known(first) and all(_described(loss) == _described(first) for loss in losses):
        return vmap(first)
    return lambda outputs, y: torch.stack([loss(*each) for loss, *each in zip(losses, outputs, y, strict=True)])


def _is_cross_entropy(loss: nn.Module) -> bool:
    return type(loss) is nn.CrossEntropyLoss and loss.weight is None and loss.reduction == "mean"


def _is_known(loss: nn.Module) -> bool:
    """Return whether a loss is one of torch or of ours, with all that it is made of, and has a rule for members."""
    kinds = [type(each) for each in loss.modules()]
    return StepLoss not in kinds and all(kind.__module__.startswith(("torch.", "hpsearch.")) for kind in kinds)


def _described(loss: nn.Module) -> list[object]:
    """Return what tells a loss from others: its classes, options and tensors, of all that it is made of."""
    options = [
        {name: repr(each) for name, each in vars(part).items() if not name.startswith("_") and name != "training"}
        for part in loss.modules()
    ]
    tensors = {name: each.tolist() for name, each in chain(loss.named_parameters(), loss.named_buffers())}
    return [[type(part) for part in loss.modules()], options, tensors]


def _cross_entropy(smoothing: Sequence[float]) -> MemberLosses:
    """Return cross-entropy in which each member smooths its labels by a share of its own, evenly over the classes."""
    same = smoothing[0] if len(set(smoothing)) == 1 else None
    shares = cache(partial(torch.tensor, smoothing))

    def losses(outputs: Tensor, y: Tensor) -> Tensor:
        outputs_KCB, targets = outputs.mT, y.mT if y.ndim == 3 else y  # over few classes in a row torch is slow
        each = cross_entropy(outputs_KCB, targets, reduction="none", label_smoothing=same or 0.0)
        if same is None:
            even = -outputs_KCB.log_softmax(1).mean(1)
            each = each + shares(dtype=each.dtype, device=each.device)[:, None] * (even - each)
        return each.mean(1)

    return losses
