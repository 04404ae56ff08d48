"""Several networks of one architecture as one: their parameters stacked, one forward pass for all of them.

Axes: K member, B sample.
"""

import copy
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

from hpsearch.nn.dropout import Dropout
from hpsearch.nn.stacked_layers import parts_of
from hpsearch.nn.stacked_substitutes import substituted

EVERYONE = slice(None)
OWN = {"training", "active", "grouped"}
"""Attributes of layers in which members may differ."""


class Stacked:
    """K networks of one architecture, the members, whose parameters and buffers are views of stacked tensors.

    A member stays a module of its own: its parameters keep their identity, and what is changed in place in the stack
    is changed in the member, and the other way round. A further stack of the same members takes copies, and the
    members with it; a member that goes on alone is told by `release`. A stack computes for each member what it computes
    alone, whatever the others are. A `Dropout` reads whole batches, no groups of them.

    Outputs are differentiable with respect to `parameters`. The loss to go back from is the sum over members of their
    own losses: with a mean every gradient would be divided by K.

    Args:
        models: the members, on one device, alike in everything but the values of parameters and buffers.
        convolution: how their convolutions are computed, a key of `hpsearch.nn.stacked_rules.CONVOLUTIONS`.

    Attributes:
        models: the members.
        parameters: [K, ...] leaves by name; each requires a gradient where the members' do.
        buffers: [K, ...] by name, those that are not saved too.

    Raises:
        ValueError: members differ in architecture, see `unlike`.
    """

    def __init__(self, models: Sequence[nn.Module], convolution: str = "auto") -> None:
        reason = unlike(models)
        if reason:
            raise ValueError(reason)
        self.models = tuple(models)
        self.parameters = _stack([dict(model.named_parameters()) for model in models])
        self.buffers = _stack([dict(model.named_buffers()) for model in models])
        for name, parameter in models[0].named_parameters():
            self.parameters[name].requires_grad_(parameter.requires_grad)
        self._template = _template(models)
        self._parts = parts_of(self._template, convolution)

    def __len__(self) -> int:
        return len(self.models)

    def __call__(self, x: Tensor, members: slice = EVERYONE, shared: bool = False) -> Tensor:
        """Return outputs [K, B, ...].

        Args:
            x: [K, B, ...], a batch for each of the members that compute; `shared`: [B, ...], one for all of them.
            members: those that compute.
            shared: see `x`.
        """
        tensors: Mapping[str, Tensor] = self.parameters | self.buffers
        if members != EVERYONE:
            tensors = {name: value[members] for name, value in tensors.items()}
        if shared:
            x = x.expand(len(range(len(self))[members]), *x.shape)
        for part in self._parts:
            x = part(x, tensors)
        return x

    def train(self, mode: bool = True) -> None:
        """Put every layer into training mode, or into evaluation; the members' own modules stay as they are."""
        self._template.train(mode)

    def follow(self, model: nn.Module) -> None:
        """Put every layer into the mode that it has in `model`, where some may be frozen."""
        for ours, theirs in zip(self._template.modules(), model.modules(), strict=True):
            ours.training = theirs.training

    def advance(self, steps: Tensor | int) -> None:
        """Tell every `Dropout` which optimizer update comes next.

        Args:
            steps: updates completed so far: [K], on the members' device, or one number for all.
        """
        for name, module in self._template.named_modules():
            if isinstance(module, Dropout):
                step = self.buffers[f"{name}.step" if name else "step"]
                step.copy_(steps) if isinstance(steps, Tensor) else step.fill_(steps)

    def release(self, member: int) -> nn.Module:
        """Give a member storage of its own, and return it; it no longer follows the stack."""
        model = self.models[member]
        for tensor in chain(model.parameters(), model.buffers()):
            tensor.data = tensor.data.clone()
        return model


def unlike(models: Sequence[nn.Module]) -> str:
    """Return in what networks differ so that they cannot be stacked; empty: they are alike."""
    first = architecture(models[0])
    for place, model in enumerate(models[1:], 1):
        other = architecture(model)
        named = next((name for name in [*first, *other] if first.get(name) != other.get(name)), None)
        if named is not None:
            return f"members 0 and {place} differ in {named}: {first.get(named)} against {other.get(named)}"
    return ""


def architecture(model: nn.Module) -> dict[str, Any]:
    """Return what members must have in common, by the name of module, parameter or buffer."""
    tensors = chain(model.named_parameters(), model.named_buffers())
    shapes = {name: (tuple(each.shape), each.dtype, each.device, each.requires_grad) for name, each in tensors}
    layers = {f"layer {name!r}": (type(each).__qualname__, _constants(each)) for name, each in model.named_modules()}
    return layers | shapes


def _constants(module: nn.Module) -> dict[str, Any]:
    """Return what a layer was made with, as far as it can be compared."""
    constants = {name: _comparable(value) for name, value in vars(module).items() if name not in OWN}
    return {name: value for name, value in constants.items() if value is not None}


def _comparable(value: object) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return tuple(_comparable(each) for each in value)
    if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
        return tuple(value.shape) if value.is_meta else (*value.shape, *value.flatten().tolist())
    return value.__qualname__ if isinstance(value, FunctionType | BuiltinFunctionType | MethodType) else None


def _stack(members: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the members' tensors stacked, and make each of them a view of the stack."""
    stacked = {name: torch.stack([each[name].detach() for each in members]) for name in members[0]}
    for place, tensors in enumerate(members):
        for name, tensor in tensors.items():
            tensor.data = stacked[name][place]
    return stacked


def _template(models: Sequence[nn.Module]) -> nn.Module:
    """Return a module that computes as a member does when it is lent parameters and buffers; its own have no values."""
    first, memo = models[0], dict[int, Any]()
    for parameter in first.parameters():
        memo[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device="meta"), parameter.requires_grad)
    for buffer in first.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    template = substituted(copy.deepcopy(first, memo))
    for name, module in template.named_modules():
        if isinstance(module, Dropout):
            module.active, module.grouped = any(each.get_submodule(name).active for each in models), False
    return template


_SAMPLES = 4
_TOLERANCE = {torch.float32: 1e-2, torch.bfloat16: 0.1}
"""By precision, relative to the largest entry; coarse, because of TF32: what is wrong is wrong by more."""


def fault(model: nn.Module, x: Tensor, precision: torch.dtype = torch.float32) -> str:
    """Return why K networks such as `model` cannot be trained as one; empty: they can.

    Two copies of it compute outputs, gradients and buffers together, and each alone. A layer for which torch has no
    rule for members, so that it would be run for one after the other, is a fault too.

    Args:
        model: one of them, in the mode in which it is trained; it stays as it is.
        x: [B, ...] a batch of its inputs, of which a few samples are used.
        precision: of autocast; float32: without.
    """
    lowered = precision != torch.float32
    try:
        with _fallbacks_noted() as notes, torch.autocast(x.device.type, precision if lowered else None, lowered):
            reason = _random_layer(model) or _difference(model, x[:_SAMPLES], _TOLERANCE[precision])
        return reason or next((str(note.message).splitlines()[0] for note in notes if _slow(note)), "")
    except Exception as error:  # whatever a user's layers raise
        return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


@contextmanager
def _fallbacks_noted() -> Iterator[list[warnings.WarningMessage]]:
    switch: Any = torch._C
    before = switch._debug_only_are_vmap_fallback_warnings_enabled()
    switch._debug_only_display_vmap_fallback_warnings(True)
    try:
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            yield notes
    finally:
        switch._debug_only_display_vmap_fallback_warnings(before)


def _slow(note: warnings.WarningMessage) -> bool:
    return "performance drop" in str(note.message)


_RATES = {
    nn.modules.dropout._DropoutNd: "p",
    nn.RNNBase: "dropout",
    nn.MultiheadAttention: "dropout",
    nn.RReLU: "upper",
}
"""Layers that draw at random unless an attribute is 0."""


def _random_layer(model: nn.Module) -> str:
    """Name a layer whose draws depend on what was drawn before."""
    for name, module in model.named_modules():
        rates = [getattr(module, rate) for kind, rate in _RATES.items() if isinstance(module, kind)]
        if module.training and any(rates):
            return f"layer {name!r}, {type(module).__name__}, draws at random; hpsearch.nn.Dropout does not"
    return ""


def _difference(model: nn.Module, x: Tensor, tolerance: float) -> str:
    """Return in what two copies of a network differ when they compute together and alone."""
    alone, together = [copy.deepcopy(model) for _ in range(2)], [copy.deepcopy(model) for _ in range(2)]
    inputs = torch.stack([x, x.flip(0)])
    stacked = Stacked(together)
    outputs = stacked(inputs)
    torch.autograd.backward(outputs.square().sum())
    for place, member in enumerate(alone):
        expected = member(inputs[place])
        torch.autograd.backward(expected.square().sum())
        gradients = _gradients(member.named_parameters())
        found = {name: each[place] for name, each in _gradients(stacked.parameters.items()).items()}
        largest = max((float(each.abs().amax()) for each in gradients.values()), default=0.0)
        buffers = dict(member.named_buffers())
        pairs = [("outputs", outputs[place], expected, 0.0)]
        pairs += [(f"gradients of {name}", found[name], each, largest) for name, each in gradients.items()]
        pairs += [(f"values of {name}", stacked.buffers[name][place], each, 0.0) for name, each in buffers.items()]
        for what, one, other, scale in pairs:
            if not _close(one, other, scale, tolerance):
                return f"{what} of a member among others are not those of a member alone"
    return ""


def _gradients(named: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
    return {name: each.grad for name, each in named if each.grad is not None}


def _close(found: Tensor, expected: Tensor, scale: float, tolerance: float) -> bool:
    if not expected.numel():
        return True
    scale = max(scale, float(expected.detach().abs().amax()))
    return torch.allclose(found.double(), expected.double(), rtol=0, atol=tolerance * scale, equal_nan=True)
