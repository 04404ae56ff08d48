"""Which parameters decay."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def parameter_groups(model: "nn.Module", weight_decay: float, decay_bias_and_norm: bool) -> list[dict[str, Any]]:
    """Return the parameter groups of an optimizer.

    Weight decay pulls towards zero what multiplies an input; pulling a bias or a normalization's scale only shifts
    the function. So what has fewer than two axes, or is called bias, is left alone unless asked.

    Args:
        model: its parameters that require a gradient are taken.
        weight_decay: the optimizer's; given to the groups, it overrides the optimizer's own.
        decay_bias_and_norm: decay everything. A reserved key of an optimizer's options: it is taken out before the
            optimizer is built.

    Returns:
        One group that leaves `weight_decay` to the optimizer where all parameters share it, else two groups: those
        that decay, those that do not.
    """
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    decayed = [p for name, p in trained if p.ndim > 1 and not name.endswith("bias")]
    spared = [p for name, p in trained if p.ndim < 2 or name.endswith("bias")]
    if decay_bias_and_norm or weight_decay == 0 or not spared:
        return [{"params": [p for _, p in trained]}]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
