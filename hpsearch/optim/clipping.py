"""Clipping the gradients of the members of a group, each as if it were alone.

Axes: K member.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

_EPS = 1e-6
"""Added to a norm before it divides, as `torch.nn.utils.clip_grad_norm_` has it."""


def member_clipping(
    norms: Sequence[float | None], values: Sequence[float | None], device: torch.device
) -> Callable[[Sequence[Tensor]], None]:
    """Return what clips the gradients of all members in place: first by norm, then by value.

    Args:
        norms: largest Euclidean norm over all parameters of each member; None for no limit.
        values: largest magnitude of an entry; None for no limit.
        device: of the gradients.

    Returns:
        Takes the gradients [K, ...] of every parameter.
    """
    by_norm, by_value = (None if not any(limits) else _limits(limits, device) for limits in (norms, values))

    def clip(gradients: Sequence[Tensor]) -> None:
        if by_norm is not None:
            factor_K = (by_norm / (member_norms(gradients) + _EPS)).clamp(max=1.0)
            factor_K = torch.where(by_norm.isinf(), 1.0, factor_K)  # where gradients are not finite either
            torch._foreach_mul_(list(gradients), [_wide(factor_K, each) for each in gradients])
        if by_value is not None:
            for each in gradients:
                limit = _wide(by_value, each)
                torch.clamp(each, -limit, limit, out=each)

    return clip


def member_norms(tensors: Sequence[Tensor]) -> Tensor:
    """Return [K] the Euclidean norm of each member over all tensors [K, ...]."""
    norms_PK = torch.stack([torch.linalg.vector_norm(each.reshape(len(each), -1), dim=1) for each in tensors])
    norms_K: Tensor = torch.linalg.vector_norm(norms_PK, dim=0)
    return norms_K


def _limits(limits: Sequence[float | None], device: torch.device) -> Tensor:
    return torch.tensor([math.inf if limit is None else limit for limit in limits], device=device, dtype=torch.float64)


def _wide(values_K: Tensor, like: Tensor) -> Tensor:
    return values_K.to(like.dtype).view(-1, *[1] * (like.ndim - 1))
