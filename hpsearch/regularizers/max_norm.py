"""A limit on the weights of each unit."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpsearch.base.weights import is_weight
from hpsearch.regularizers.base import Constraint

if TYPE_CHECKING:
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
                    norm = weight.reshape(len(weight), -1).norm(dim=1).clamp(min=torch.finfo(weight.dtype).tiny)
                    weight.mul_((self.limit / norm).clamp(max=1).view(-1, *[1] * (weight.ndim - 1)))
