"""A limit on the weights of each unit."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

from hpsearch.base.weights import is_weight
from hpsearch.regularizers.base import Constraint

if TYPE_CHECKING:
    from torch import Tensor

    from hpsearch.regularizers.base import Named


@dataclass(frozen=True, kw_only=True)
class MaxNorm(Constraint):
    """After each update, scale the incoming weights of every unit back to at most this Euclidean norm.

    A unit is an entry of a weight's first axis (a row of a linear layer, a filter of a convolution), or a length of
    weight normalization; biases and normalization parameters are left alone.

    Source: Srebro and Shraibman, COLT 2005; with dropout: Srivastava et al., JMLR 2014, section 5.1.

    Attributes:
        limit: the largest norm.
    """

    option = "max_norm"
    limit: float = 3.0

    def apply_(self, named_parameters: "Named") -> None:
        """Scale the weights of units that are over the limit."""
        import torch

        with torch.no_grad():
            for name, weight in named_parameters:
                if is_weight(name, weight):
                    _scale_back(weight, self.limit, 1)


def member_constraints(constraints: "Sequence[Sequence[Constraint]]") -> "Callable[[Named], None] | None":
    """Return what applies the constraints of all members of a group at once; None where each has to apply its own.

    Args:
        constraints: of each member.

    Returns:
        Changes the parameters of all members, [K, ...] each, given by name.
    """
    import torch

    if not all(type(one) is MaxNorm for each in constraints for one in each) or max(map(len, constraints)) > 1:
        return None
    limits = [next((one.limit for one in each if isinstance(one, MaxNorm)), math.inf) for each in constraints]
    limits_K = cache(partial(torch.tensor, limits))

    def apply(named: "Named") -> None:
        for name, weight in named:
            if is_weight(name, weight[0]):
                _scale_back(weight, limits_K(dtype=weight.dtype, device=weight.device)[:, None], 2)

    return apply if any(constraints) else lambda _: None


def _scale_back(weight: "Tensor", limit: "float | Tensor", axes: int) -> None:
    """Scale the units that are over the limit; the first axes of the weight say which unit it is."""
    import torch

    norm = weight.reshape(*weight.shape[:axes], -1).norm(dim=-1).clamp(min=torch.finfo(weight.dtype).tiny)
    weight.mul_((limit / norm).clamp(max=1).view(*norm.shape, *[1] * (weight.ndim - axes)))
