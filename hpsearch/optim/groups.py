"""Which parameters decay, and at which rate each is trained."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hpsearch.base.weights import is_weight

if TYPE_CHECKING:
    from torch import nn


def parameter_groups(
    model: "nn.Module",
    weight_decay: float,
    decay_bias_and_norm: bool,
    rate_factors: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Return the parameter groups of an optimizer.

    Weight decay pulls towards zero what multiplies an input; pulling a bias or a normalization's scale only shifts
    the function. So all but what `hpsearch.base.weights.is_weight` names is left alone unless asked.

    Args:
        model: its parameters that require a gradient are taken.
        weight_decay: the optimizer's; given to the groups, it overrides the optimizer's own.
        decay_bias_and_norm: decay everything. A reserved key of an optimizer's options: it is taken out before the
            optimizer is built.
        rate_factors: factor on the learning rate by parameter name, where it is not 1.

    Returns:
        One group that leaves `weight_decay` to the optimizer where all parameters share it, else two groups: those
        that decay, those that do not. Parameters with a factor have groups of their own, with the key `rate_factor`,
        which the training loop reads.
    """
    factors = rate_factors or {}
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    apart = weight_decay != 0 and not decay_bias_and_norm and not all(is_weight(name, p) for name, p in trained)
    members: dict[tuple[bool, float], list[Any]] = {}
    for name, p in trained:
        members.setdefault((apart and not is_weight(name, p), factors.get(name, 1.0)), []).append(p)
    groups = []
    for spared, factor in sorted(members) or [(False, 1.0)]:
        group: dict[str, Any] = {"params": members.get((spared, factor), [])}
        if apart:
            group["weight_decay"] = 0.0 if spared else weight_decay
        if factor != 1:
            group["rate_factor"] = factor
        groups.append(group)
    return groups
