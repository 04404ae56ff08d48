"""Normalizations by name."""

import inspect
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from hpsearch.base.errors import ConfigError, check_choice

MAX_GROUPS, GROUP_SIZE = 32, 8
EPS = 1e-5
"""Added to variances, as published and in torch."""


class WeightNorm(nn.Module):
    """Parametrization of a weight by its length and its direction: ``w = g v / |v|``, one length per output.

    Source: Salimans and Kingma, Weight normalization: a simple reparameterization to accelerate training of deep
    neural networks, NeurIPS 2016. Written out because torch's own has no batching rule for `torch.func.vmap`.
    """

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        """Return the weight [out, ...] of lengths `g` [out] and directions `v` [out, ...]."""
        weight: Tensor = v * (g / _lengths(v)).view(-1, *[1] * (v.ndim - 1))
        return weight

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lengths and directions of a weight."""
        return _lengths(weight), weight


def _lengths(weight: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(weight.flatten(1), dim=1)
    return lengths.clamp_min(torch.finfo(weight.dtype).tiny)


_BATCH: dict[int, Callable[..., nn.Module]] = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
_INSTANCE = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d}


def _batch(channels: int, dims: int, eps: float = EPS, momentum: float = 0.1) -> nn.Module:
    return _BATCH[dims](channels, eps=eps, momentum=momentum)


def _layer(channels: int, dims: int, eps: float = EPS) -> nn.Module:
    return nn.GroupNorm(1, channels, eps) if dims else nn.LayerNorm(channels, eps)


def _instance(channels: int, dims: int, eps: float = EPS) -> nn.Module:
    _needs_maps("instance", dims)
    return _INSTANCE[dims](channels, eps=eps, affine=True)


def _group(channels: int, dims: int, eps: float = EPS, groups: int | None = None) -> nn.Module:
    del dims
    if groups is not None and channels % groups:
        raise ConfigError(f"model.norm_groups = {groups}: must divide the {channels} channels of every layer")
    most = max(1, min(MAX_GROUPS, channels // GROUP_SIZE))
    fitting = max(n for n in range(1, most + 1) if channels % n == 0)
    return nn.GroupNorm(groups or fitting, channels, eps)


def _local_response(
    channels: int, dims: int, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0
) -> nn.Module:
    del channels
    _needs_maps("local_response", dims)
    return nn.LocalResponseNorm(size, alpha=alpha * size, beta=beta, k=k)  # torch divides by the size


def _nothing(channels: int, dims: int) -> nn.Module:
    del channels, dims
    return nn.Identity()


NORMS: dict[str, Callable[..., nn.Module]] = {
    "none": _nothing,
    "batch": _batch,
    "layer": _layer,
    "instance": _instance,
    "group": _group,
    "weight": _nothing,
    "local_response": _local_response,
}


def norms_with(constant: str) -> tuple[str, ...]:
    """Return the names of the normalizations that have a constant, one of those that `normalization` takes."""
    return tuple(name for name, make in NORMS.items() if constant in inspect.signature(make).parameters)


def normalization(name: str, channels: int, dims: int, **constants: float | None) -> nn.Module:
    """Return a new normalization of what a layer computes.

    Each (but ``none``, ``weight``, ``local_response``) subtracts a mean, divides by ``sqrt(variance + eps)`` and
    applies a learned scale and shift per channel. Mean and variance are taken over

    - ``batch``: samples and positions, per channel; running averages in evaluation, of which each batch moves
      the share `momentum` (Ioffe and Szegedy, ICML 2015);
    - ``layer``: channels and positions, per sample; channels alone for features (Ba, Kiros and Hinton, 2016);
    - ``instance``: positions, per sample and channel (Ulyanov, Vedaldi and Lempitsky, 2016);
    - ``group``: a group of neighbouring channels and all positions, per sample (Wu and He, ECCV 2018); `groups` equal
      ones, by default as many as there can be, at most 32, of at least 8 channels.

    ``local_response`` divides channel i by ``(k + alpha * sum of squares of n channels around i) ** beta``, with n the
    `size` (Krizhevsky, Sutskever and Hinton, NeurIPS 2012). ``weight`` normalizes the layer's weight instead, see
    `weighted`.

    Args:
        name: a key of `NORMS`.
        channels: number of channels (or features).
        dims: axes of positions: 0 for features [B, C] (``layer`` takes [..., C]), 1 for [B, C, L], 2 for [B, C, H, W].
        **constants: of those that `norms_with` says the normalization has: eps (1e-5), momentum (0.1), groups; size
            (5), alpha (1e-4), beta (0.75), k (2); None for these values.

    Returns:
        The module.
    """
    check_choice("model.norm", name, NORMS)
    return NORMS[name](channels, dims, **{key: value for key, value in constants.items() if value is not None})


Weighted = TypeVar("Weighted", nn.Linear, nn.Conv1d, nn.Conv2d)


def weighted(layer: Weighted, norm: str) -> Weighted:
    """Return a linear or convolutional layer, its weight parametrized by `WeightNorm` when `norm` is ``weight``."""
    check_choice("model.norm", norm, NORMS)
    if norm == "weight":
        parametrize.register_parametrization(layer, "weight", WeightNorm())
    return layer


def centres_channels(norm: str) -> bool:
    """Return whether a normalization subtracts each channel's mean, so that a bias before it would do nothing."""
    return norm in ("batch", "instance")


def _needs_maps(name: str, dims: int) -> None:
    if not dims:
        raise ConfigError(f"model.norm = '{name}': needs feature maps, this layer is fully connected")
