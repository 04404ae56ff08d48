"""How a stack of networks computes: parts in a row, each a layer of all members at once.

A layer that `hpsearch.nn.stacked_rules` has a rule for follows it. A class that says ``leading_axes = True`` itself,
whatever it is derived from, combines what its layers return in `forward` without a look at their number of axes, which
it counts from the end, or at its mode: it is given layers of all members, and parameters of its own as [K, 1, ...]. Any
other layer is run by `torch.func.vmap`.

Axes: K member, B sample.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from hpsearch.nn.autocast import as_autocast
from hpsearch.nn.layers import Chain
from hpsearch.nn.normalization import WeightNorm
from hpsearch.nn.stacked_rules import Own, Rule, rules

Run: TypeAlias = Callable[..., Tensor]
"""Maps inputs [K, B, ...], the layer's own tensors [K, ...] and what else it reads to outputs [K, B, ...]."""


@dataclass(frozen=True, slots=True)
class Part:
    """A layer of every member.

    Attributes:
        run: what it does.
        names: of its parameters and buffers in the network, by their names in the layer.
    """

    run: Run
    names: Mapping[str, str]

    def __call__(self, x: Tensor, tensors: Own, *further: Tensor | None) -> Tensor:
        """Return what the layer makes of inputs [K, B, ...].

        Args:
            x: the inputs.
            tensors: [K, ...] parameters and buffers of the network, by name.
            *further: what else the layer reads.
        """
        return self.run(x, {name: tensors[full] for name, full in self.names.items()}, *further)


def parts_of(model: nn.Module, convolution: str = "auto") -> list[Part]:
    """Return the parts of a network, in the order in which they compute.

    Args:
        model: the network.
        convolution: a key of `hpsearch.nn.stacked_rules.CONVOLUTIONS`.
    """
    return _parts(model, _names(model), rules(convolution))


def _names(model: nn.Module) -> dict[int, str]:
    return {id(each): name for name, each in (*model.named_parameters(), *model.named_buffers())}


def _parts(model: nn.Module, names: Mapping[int, str], ruled: Mapping[type, Rule]) -> list[Part]:
    return [_part(layer, names, ruled) for layer in _layers(model)]


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the layers of a chain, or the one layer that a module is."""
    forward = type(module).forward
    if _hooked(module) or forward not in (Chain.forward, nn.Sequential.forward):
        yield module
        return
    for layer in module.chain() if isinstance(module, Chain) else module.children():
        yield from _layers(layer)


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _part(layer: nn.Module, names: Mapping[int, str], ruled: Mapping[type, Rule]) -> Part:
    own = {local: names[place] for place, local in _names(layer).items()}
    if "leading_axes" in vars(type(layer)) and not _hooked(layer):
        return Part(_combined(layer, ruled), own)
    return Part(_run(layer, ruled.get(type_before_parametrizations(layer))), own)


class _Together(nn.Module):
    """A layer of all members, in the place of that of one."""

    def __init__(self, parts: list[Part]) -> None:
        super().__init__()
        self.parts = parts
        self.tensors: Own = {}

    def forward(self, x: Tensor, *further: Tensor | None) -> Tensor:
        for part in self.parts:
            x = part(x, self.tensors, *further)
        return x


def _combined(layer: nn.Module, ruled: Mapping[type, Rule]) -> Run:
    names = _names(layer)

    def together(module: nn.Module) -> nn.Module:
        if isinstance(module, nn.ModuleList):
            return nn.ModuleList(together(each) for each in module)
        return _Together(_parts(module, names, ruled))

    shell, own_names = copy.copy(layer), [*layer._parameters, *layer._buffers]
    shell.__dict__ |= {"_parameters": {}, "_buffers": {}}
    shell._modules = {name: each and together(each) for name, each in layer._modules.items()}
    layers = [each for each in shell.modules() if isinstance(each, _Together)]

    def run(x: Tensor, own: Own, *further: Tensor | None) -> Tensor:
        shell.__dict__ |= {name: own[name].unsqueeze(1) for name in own_names if name in own}
        for each in layers:
            each.tensors = own
        outputs: Tensor = shell(x, *further)
        return outputs

    return run


def _run(layer: nn.Module, rule: Rule | None) -> Run:
    if rule is None or _hooked(layer) or not rule.fits(layer):
        return _mapped(layer)
    if not is_parametrized(layer):
        return partial(rule.apply, layer)
    return _normed(layer, partial(rule.apply, layer)) if _has_normed_weight(layer) else _mapped(layer)


def _mapped(layer: nn.Module) -> Run:
    def alone(x: Tensor, own: Own, *further: Tensor) -> Tensor:
        outputs: Tensor = functional_call(layer, dict(own), (x, *further))
        return outputs

    together = vmap(alone, randomness="error")

    def run(x: Tensor, own: Own, *further: Tensor) -> Tensor:
        with sdpa_kernel(SDPBackend.MATH), as_autocast(x.device):  # its other kernels have no rule for members
            outputs: Tensor = together(x, own, *further)
        return outputs

    return run


def _parametrizations(layer: nn.Module) -> dict[str, list[nn.Module]]:
    of_layer: Any = layer.parametrizations
    return {name: [*each] for name, each in of_layer.items()}


def _has_normed_weight(layer: nn.Module) -> bool:
    kinds = {name: [type(each) for each in those] for name, those in _parametrizations(layer).items()}
    return kinds == {"weight": [WeightNorm]}


def _normed(layer: nn.Module, run: Run) -> Run:
    """Give a layer the weight that its lengths and directions say."""
    weights = vmap(_parametrizations(layer)["weight"][0])

    def normed(x: Tensor, own: Own) -> Tensor:
        lengths, directions = (own[f"parametrizations.weight.original{place}"] for place in range(2))
        return run(x, {**own, "weight": weights(lengths, directions)})

    return normed
