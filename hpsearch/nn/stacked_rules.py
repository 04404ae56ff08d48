"""What layers of all members compute at once: a rule for each layer that has one.

A rule maps inputs [K, B, ...] to outputs [K, B, ...], both with any strides, so that layers that like the members
beside the channels, [B, K, C, ...], hand each other their outputs without a copy.

Axes: K member, B sample, C channel or feature, I and O inputs and outputs of a linear layer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hpsearch.nn import activations
from hpsearch.nn.dropout import Dropout, drop
from hpsearch.nn.pooling import L2Pool

Own: TypeAlias = Mapping[str, Tensor]
"""Parameters and buffers [K, ...] of a layer, by their names in it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What layers of one class compute.

    Attributes:
        apply: maps a layer, inputs and the members' parameters and buffers to outputs; the layer's own have no values.
        fits: whether it holds for a layer as it was made.
    """

    apply: Callable[[Any, Tensor, Own], Tensor]
    fits: Callable[[Any], bool] = lambda _: True


MANY_PLACES = 2**13
"""Positions of a member's batch from which on a CPU convolves member by member faster than in groups.

One thread, 8 members, 1 to 32 channels, kernels of 1 to 5: groups take .4 to .9 of the time at 32 samples of 8x8, about
the same at 16x16, and 1.1 to 2 times as long at 28x28.
"""
Convolution: TypeAlias = nn.Conv1d | nn.Conv2d


def linear(layer: nn.Module, x: Tensor, own: Own) -> Tensor:
    """Return [K, B, ..., O] of [K, B, ..., I]."""
    del layer
    columns = x.flatten(1, -2).mT  # behind the weight: its gradient then lies in memory as it does, and is not copied
    outputs = _product(own["weight"], columns, own.get("bias")).mT
    return outputs if x.ndim == 3 else torch.unflatten(outputs, 1, x.shape[1:-1])


def convolution(layer: Convolution, x: Tensor, own: Own) -> Tensor:
    """Return [K, B, O, ...] of [K, B, C, ...] by the way that suits the device and the size."""
    apart = x.device.type == "cpu" and x[0, :, 0].numel() >= MANY_PLACES
    return (one_by_one if apart else grouped)(layer, x, own)


def one_by_one(layer: Convolution, x: Tensor, own: Own) -> Tensor:
    """Return [K, B, O, ...] of [K, B, C, ...], a convolution for each member."""
    return _one_by_one(layer._conv_forward, x, own["weight"], own.get("bias"))


def _one_by_one(function: Callable[..., Tensor], x: Tensor, *own: Tensor | None) -> Tensor:
    columns = [[None] * len(x) if each is None else each.unbind() for each in (x, *own)]
    return torch.stack([function(*member) for member in zip(*columns, strict=True)])


def _product(weight: Tensor, columns: Tensor, bias: Tensor | None) -> Tensor:
    """Return [K, O, N] of weights [K, O, I], columns [K, I, N] and biases [K, O]."""
    return torch.bmm(weight, columns) if bias is None else torch.baddbmm(bias.unsqueeze(2), weight, columns)


def grouped(layer: Convolution, x: Tensor, own: Own) -> Tensor:
    """Return [K, B, O, ...] of [K, B, C, ...], one convolution with the members as groups."""
    convolve: Callable[..., Tensor] = F.conv1d if isinstance(layer, nn.Conv1d) else F.conv2d
    members, weight = len(x), own["weight"].flatten(0, 1)
    bias = own["bias"].flatten() if "bias" in own else None
    if x.stride(0) == 0 and layer.groups == 1:  # all members read the same
        return _apart(convolve(x[0], weight, bias, layer.stride, layer.padding, layer.dilation), members)
    groups = members * layer.groups
    return _apart(convolve(_beside(x), weight, bias, layer.stride, layer.padding, layer.dilation, groups), members)


def unfolded(layer: Convolution, x: Tensor, own: Own) -> Tensor:
    """Return [K, B, O, ...] of [K, B, C, ...], a product of what the kernel sees at every place and the weights."""
    if not isinstance(layer, nn.Conv2d) or layer.groups > 1 or isinstance(layer.padding, str):
        return grouped(layer, x, own)
    patches = F.unfold(x.flatten(0, 1), layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    columns = torch.unflatten(patches, 0, x.shape[:2]).transpose(1, 2).flatten(2)  # [K, C * kernel, B * places]
    outputs = _product(own["weight"].flatten(2), columns, own.get("bias"))
    sides = zip(x.shape[3:], layer.kernel_size, layer.dilation, layer.padding, layer.stride, strict=True)
    places = [(side + 2 * around - reach * (kernel - 1) - 1) // step + 1 for side, kernel, reach, around, step in sides]
    return torch.unflatten(outputs, 2, (x.shape[1], *places)).transpose(1, 2)


CONVOLUTIONS: dict[str, Callable[[Any, Tensor, Own], Tensor]] = {
    "auto": convolution,
    "one_by_one": one_by_one,
    "grouped": grouped,
    "unfolded": unfolded,
}
"""Ways to compute the members' convolutions, with equal results."""


def _beside(x: Tensor) -> Tensor:
    """Return the members' channels beside each other, [B, K * C, ...]."""
    return x.transpose(0, 1).flatten(1, 2)


def _apart(x: Tensor, members: int) -> Tensor:
    """Undo `_beside`."""
    return torch.unflatten(x, 1, (members, -1)).transpose(0, 1)


LARGE = 2**16
"""Entries of a member's maps from which on a CPU normalizes member by member faster than it lays them beside others."""


def batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d, x: Tensor, own: Own) -> Tensor:
    """Return [K, B, C, ...] of the same shape, normalized over samples and positions of each member."""
    if layer.training and "num_batches_tracked" in own:
        own["num_batches_tracked"].add_(1)
    by_batch = layer.training or "running_mean" not in own
    tensors = [own.get(name) for name in ("running_mean", "running_var", "weight", "bias")]

    normalize: Callable[..., Tensor] = F.batch_norm

    def norm(*x_and_own: Tensor | None) -> Tensor:
        return normalize(*x_and_own, by_batch, layer.momentum or 0.0, layer.eps)

    if x.device.type == "cpu" and x[0].numel() >= LARGE:
        return _one_by_one(norm, x, *tensors)
    flat = [None if each is None else each.flatten() for each in tensors]
    if x.ndim == 3:  # as `linear` lays them out: samples in place of positions
        return norm(x.mT.reshape(1, -1, x.shape[1]), *flat).view(x.mT.shape).mT
    return _apart(norm(_beside(x), *flat), len(x))


def layer_norm(layer: nn.LayerNorm, x: Tensor, own: Own) -> Tensor:
    """Return the same shape [K, B, ..., C], normalized over the last axes."""
    outputs = F.layer_norm(x, layer.normalized_shape, None, None, layer.eps)
    return _scaled(outputs, own, [1] * (x.ndim - 1 - len(layer.normalized_shape)), [])


def group_norm(layer: nn.GroupNorm, x: Tensor, own: Own) -> Tensor:
    """Return the same shape [K, B, C, ...], normalized per sample and group of channels."""
    outputs = _by_sample(lambda each: F.group_norm(each, layer.num_groups, None, None, layer.eps), x)
    return _scaled(outputs, own, [1], [1] * (x.ndim - 3))


def instance_norm(layer: nn.InstanceNorm1d | nn.InstanceNorm2d, x: Tensor, own: Own) -> Tensor:
    """Return the same shape [K, B, C, ...], normalized per sample and channel."""
    outputs = _by_sample(lambda each: F.instance_norm(each, eps=layer.eps), x)
    return _scaled(outputs, own, [1], [1] * (x.ndim - 3))


def _scaled(x: Tensor, own: Own, before: list[int], behind: list[int]) -> Tensor:
    """Apply the members' scales and shifts [K, ...], with axes of length 1 before and behind what they are of."""
    if "weight" not in own:
        return x
    scale, *shift = (
        own[name].view(len(x), *before, *own[name].shape[1:], *behind) for name in ("weight", "bias") if name in own
    )
    return torch.addcmul(shift[0], x, scale) if shift else x * scale


def _by_sample(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply what treats each of [N, ...] samples by itself, in the order in which they lie in memory."""
    swapped = not x.is_contiguous() and x.transpose(0, 1).is_contiguous()
    x = x.transpose(0, 1) if swapped else x
    outputs = torch.unflatten(function(x.flatten(0, 1)), 0, x.shape[:2])
    return outputs.transpose(0, 1) if swapped else outputs


def sample_by_sample(layer: nn.Module, x: Tensor, own: Own) -> Tensor:
    """Return what a layer without parameters makes of every sample."""
    del own
    return _by_sample(layer, x)


def entry_by_entry(layer: nn.Module, x: Tensor, own: Own) -> Tensor:
    """Return what an activation without parameters makes of every entry."""
    del own
    outputs: Tensor = layer(x)
    return outputs


def prelu(layer: nn.PReLU, x: Tensor, own: Own) -> Tensor:
    """Return the same shape [K, B, C, ...]; slopes are per channel or one for all."""
    slope = own["weight"].view(len(x), 1, layer.num_parameters, *[1] * (x.ndim - 3))
    return torch.where(x > 0, x, slope * x)


def crelu(layer: activations.CReLU, x: Tensor, own: Own) -> Tensor:
    """Return twice the channels."""
    del own
    return torch.cat([x, -x], _axis(layer.axis)).relu()


def maxout(layer: activations.Maxout, x: Tensor, own: Own) -> Tensor:
    """Return a `pieces`-th of the channels."""
    del own
    axis = _axis(layer.axis) % x.ndim
    return torch.unflatten(x, axis, (-1, layer.pieces)).amax(axis + 1)


def _axis(axis: int) -> int:
    """Return where an axis of [B, ...] is in [K, B, ...]."""
    return axis + 1 if axis >= 0 else axis


def flatten(layer: nn.Flatten, x: Tensor, own: Own) -> Tensor:
    """Return [K, B, C] of [K, B, ...]."""
    del own
    return x.flatten(_axis(layer.start_dim), _axis(layer.end_dim))


def dropout(layer: Dropout, x: Tensor, own: Own) -> Tensor:
    """Return the same shape; each member has the mask that it has alone."""
    if not (layer.training and layer.active):
        return x
    count = torch.arange(x[0].numel(), dtype=torch.int32, device=x.device).view(x.shape[1:])
    index = torch.empty_like(x[0], dtype=torch.int32).copy_(count)  # masks are drawn as the inputs lie in memory
    rate, seed, step = (own[name].view(-1, *[1] * (x.ndim - 1)) for name in ("rate", "seed", "step"))
    return drop(x, index, rate, seed ^ step)


_BATCH_NORM = Rule(batch_norm, lambda layer: layer.momentum is not None)
_INSTANCE_NORM = Rule(instance_norm, lambda layer: not layer.track_running_stats)
_ACTIVATIONS = (nn.Identity, activations.Identity, nn.Sigmoid, nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.ReLU6, nn.ELU)
_FURTHER_ACTIVATIONS = (nn.SELU, nn.SiLU, nn.GELU, nn.Mish, nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid)
_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, L2Pool)

_RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: Rule(linear),
    nn.BatchNorm1d: _BATCH_NORM,
    nn.BatchNorm2d: _BATCH_NORM,
    nn.LayerNorm: Rule(layer_norm),
    nn.GroupNorm: Rule(group_norm),
    nn.InstanceNorm1d: _INSTANCE_NORM,
    nn.InstanceNorm2d: _INSTANCE_NORM,
    nn.PReLU: Rule(prelu),
    activations.CReLU: Rule(crelu),
    activations.Maxout: Rule(maxout),
    nn.Flatten: Rule(flatten, lambda layer: layer.start_dim > 0),
    Dropout: Rule(dropout),
    **dict.fromkeys((*_POOLS, nn.LocalResponseNorm), Rule(sample_by_sample)),
    **dict.fromkeys((*_ACTIVATIONS, *_FURTHER_ACTIVATIONS), Rule(entry_by_entry)),
}


def rules(convolution: str = "auto") -> dict[type[nn.Module], Rule]:
    """Return rules by the class of a layer itself: one that is derived from it may compute something else.

    Args:
        convolution: a key of `CONVOLUTIONS`.
    """
    convolutions = Rule(CONVOLUTIONS[convolution], lambda layer: layer.padding_mode == "zeros")
    return {**_RULES, nn.Conv1d: convolutions, nn.Conv2d: convolutions}
