"""Penalties added to the loss of each step."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hpsearch.errors import check_choice, check_float

if TYPE_CHECKING:
    from torch import Tensor


class Regularizer(Protocol):
    """Something that penalizes parameters."""

    def penalty(self, named_parameters: "Iterable[tuple[str, Tensor]]") -> "Tensor":
        """Return the 0-d penalty, to be added to the mean loss of a batch.

        Args:
            named_parameters: the trained parameters, as ``model.named_parameters()`` gives them; under
                `torch.func.vmap`, those of one member.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class L2:
    """Coupled L2 penalty ``strength / 2 * sum(w ** 2)``, whose gradient is ``strength * w``.

    With plain gradient descent this is weight decay; with an adaptive optimizer it is not, because the penalty's
    gradient is rescaled with the loss's (Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019).

    Attributes:
        strength: factor of the penalty.
        bias_and_norm: penalize biases and normalization parameters too; without it, only parameters with at least
            two axes that are not called bias.
    """

    strength: float
    bias_and_norm: bool = False

    def __post_init__(self) -> None:
        """Refuse a strength that is negative or not finite."""
        check_float("regularizer.l2.strength", self.strength, "[0, inf)")
        check_choice("regularizer.l2.bias_and_norm", self.bias_and_norm, (True, False))

    def penalty(self, named_parameters: "Iterable[tuple[str, Tensor]]") -> "Tensor":
        """Return ``strength / 2 * sum(w ** 2)``."""
        import torch

        squares = [p.square().sum() for name, p in named_parameters if self.bias_and_norm or _is_weight(name, p)]
        return self.strength / 2 * torch.stack(squares).sum() if squares else torch.zeros(())


def _is_weight(name: str, parameter: "Tensor") -> bool:
    return parameter.ndim > 1 and not name.endswith("bias")
