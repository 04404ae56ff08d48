"""Hinge loss of classes."""

import torch
from torch import Tensor, nn

from hpsearch.base.limits import check_values
from hpsearch.losses.limits import HINGE
from hpsearch.losses.targets import class_shares


class Hinge(nn.Module):
    """Hinge loss of a support vector machine with several classes, the mean over samples.

    With the outputs o, the class y, the margin m and the power q a sample costs

    - ``crammer_singer``: ``max(0, m + max_{j != y} o_j - o_y) ** q`` (Crammer and Singer, On the algorithmic
      implementation of multiclass kernel-based vector machines, JMLR 2, 2001): only the strongest other class counts,
      and with m = q = 1 it is an upper bound of the error;
    - ``weston_watkins``: ``sum_{j != y} max(0, m + o_j - o_y) ** q`` (Weston and Watkins, Support vector machines for
      multi-class pattern recognition, ESANN 1999): every other class counts. `torch.nn.MultiMarginLoss` is this over C.

    Outputs 0 cost m ** q, and (C - 1) m ** q. For two classes both are ``max(0, m - (o_1 - o_0) s) ** q`` with s = 1
    for class 1 and -1 for class 0; a single output z is that difference. The machine's objective
    |W|^2 / 2 + c sum_i l_i over n samples is c n times this loss with ``regularizer.l2.strength`` 1 / (c n). A sample
    that mixing has blended counts in each class by its share.

    Args:
        margin: m, by which the class has to lead.
        power: q, 1 or 2.
        multiclass: ``crammer_singer`` or ``weston_watkins``.
    """

    def __init__(self, margin: float = 1.0, power: int = 1, multiclass: str = "crammer_singer") -> None:
        super().__init__()
        check_values("loss", HINGE, {"margin": margin, "power": power, "multiclass": multiclass})
        self.margin, self.power, self.multiclass = float(margin), power, multiclass

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the 0-d loss of outputs [B, C] for class numbers [B] or shares [B, C]."""
        return (class_shares(outputs, y) * self.class_losses(outputs)).sum(1).mean()

    def class_losses(self, outputs: Tensor) -> Tensor:
        """Return [B, classes] what the loss of each sample is if it is of class c."""
        scores = class_scores(outputs)
        if self.multiclass == "crammer_singer":
            return lacking(scores, self.margin) ** self.power
        # One class at a time: all pairs at once would take C times the memory.
        own = self.margin**self.power
        leads = (self.margin + scores - own_score for own_score in torch.split(scores, 1, 1))
        return torch.stack([(lead.clamp(min=0) ** self.power).sum(1) - own for lead in leads], 1)


def class_scores(outputs: Tensor) -> Tensor:
    """Return [B, classes] scores: a single output is by how much class 1 leads class 0."""
    return outputs if outputs.shape[1] > 1 else torch.cat((torch.zeros_like(outputs), outputs), 1)


def lacking(scores: Tensor, margin: float) -> Tensor:
    """Return [B, C] what each class lacks of leading the strongest other one by a margin; 0 where it does lead.

    Where it leads by exactly the margin, the gradient is that of a class that lacks something, so that without a margin
    a tie is a mistake. Of other classes that are equally strong one takes the gradient.
    """
    strongest, places = scores.topk(2, dim=1)
    classes = torch.arange(scores.shape[1], device=scores.device)
    others = torch.where(classes == places[:, :1], strongest[:, 1:], strongest[:, :1])
    return (margin + others - scores).clamp(min=0)  # not relu, whose gradient at 0 is 0
