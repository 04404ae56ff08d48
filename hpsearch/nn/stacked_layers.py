"""How a stack of networks computes: parts in a row, each a layer with a rule for all members, or run by `vmap`.

Axes: K member, B sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel


@dataclass(frozen=True, slots=True)
class Part:
    """A layer of every member.

    Attributes:
        layer: its module; parameters and buffers are lent to it.
        names: of its parameters and buffers in the network, by their names in the layer.
    """

    layer: nn.Module
    names: Mapping[str, str]
    mapped: Any = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mapped", vmap(self._alone, randomness="error"))

    def __call__(self, x: Tensor, tensors: Mapping[str, Tensor]) -> Tensor:
        """Return what the layer makes of inputs [K, B, ...].

        Args:
            x: the inputs.
            tensors: [K, ...] parameters and buffers of the network, by name.
        """
        own = {name: tensors[full] for name, full in self.names.items()}
        with sdpa_kernel(SDPBackend.MATH):  # the other kernels have no rule for members
            outputs: Tensor = self.mapped(own, x)
        return outputs

    def _alone(self, own: dict[str, Tensor], x: Tensor) -> Any:
        return functional_call(self.layer, own, (x,))


def parts_of(model: nn.Module) -> list[Part]:
    """Return the parts of a network, in the order in which they compute."""
    names = [name for name, _ in model.named_parameters()] + [name for name, _ in model.named_buffers()]
    return [Part(model, {name: name for name in names})]
