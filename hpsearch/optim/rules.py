"""Update rules: the steps of K members' optimizers taken at once, each member with hyperparameters of its own.

A rule changes the parameters as K optimizers of its class would, each alone: its tensors have the members in front,
its hyperparameters are [K]. `torch.optim` is the oracle, and holds the states by the same names.
"""

from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from hpsearch.optim import adam, lion, sgd
from hpsearch.optim.stacked.adam import Adam, NAdam
from hpsearch.optim.stacked.averages import Adadelta, Adagrad, RMSprop
from hpsearch.optim.stacked.lion import Lion
from hpsearch.optim.stacked.members import Members
from hpsearch.optim.stacked.sgd import Inside, Outside
from hpsearch.optim.stacked.update import Update
from hpsearch.optim.stepping import hooked

_UPDATES: dict[type[Optimizer], Callable[[Members], Update]] = {
    torch.optim.SGD: Outside,
    sgd.SGD: lambda members: (Inside if _form(members.optimizers[0]) == "inside" else Outside)(members),
    torch.optim.Adam: Adam,
    torch.optim.AdamW: Adam,
    adam.Adam: Adam,
    adam.AdamW: Adam,
    torch.optim.NAdam: NAdam,
    torch.optim.RMSprop: RMSprop,
    torch.optim.Adagrad: Adagrad,
    torch.optim.Adadelta: Adadelta,
    lion.Lion: Lion,
}
_STRUCTURE = ("amsgrad", "centered")
"""Options that decide which tensors a step has; they are the same within a group."""


class Rule:
    """The step of K optimizers.

    Attributes:
        width: K.
    """

    def __init__(
        self, optimizers: Sequence[Optimizer], parameters: Sequence[Sequence[Tensor]], stacked: Sequence[Tensor]
    ) -> None:
        self.width = len(optimizers)
        self._optimizers, self._parameters, self._stacked = list(optimizers), list(parameters), list(stacked)
        self._present = list(range(len(stacked)))
        self._shown: bool | None = None
        self._members, self._update = self._chosen()

    @torch.no_grad()
    def step(self, lr_K: Tensor, momentum_K: Tensor | None = None) -> None:
        """Change the stacked parameters, and the states, in place; nothing is read back to the host.

        A parameter without a gradient is left alone, its state too. From the first step on the optimizers hold views
        of the states, so that one member's `state_dict` is right at any time.

        Args:
            lr_K: [K] learning rates in float64, before a parameter group's `rate_factor`.
            momentum_K: [K] momenta, or first betas, in float64, where a schedule moves them; None: the optimizers' own.
        """
        gradients = [weight.grad for weight in self._stacked]
        present = [j for j, gradient in enumerate(gradients) if gradient is not None]
        if not present:
            return
        if present != self._present:
            self._present, self._shown = present, None
            self._members, self._update = self._chosen()
        self._update.apply([each for each in gradients if each is not None], lr_K, momentum_K)
        self._show(momentum_K is not None)

    def state(self) -> list[Tensor]:
        """Return what a step changes besides the parameters; put back with them, a step has not been.

        A CUDA graph is captured after steps that are only tried out.
        """
        return list(self._members.changing)

    def _show(self, scheduled: bool) -> None:
        """Let the optimizers see their states, unless they do."""
        if self._shown is not scheduled:
            self._members.show(lambda name, j, k: self._update.keeps(name, j, k, scheduled))
            self._shown = scheduled

    def _chosen(self) -> tuple[Members, Update]:
        """Take the parameters that have a gradient; the states go on from what the optimizers hold."""
        parameters = [[row[j] for j in self._present] for row in self._parameters]
        members = Members(self._optimizers, parameters, [self._stacked[j] for j in self._present])
        return members, _UPDATES[type(self._optimizers[0])](members)


def has_rule(kind: type[Optimizer]) -> bool:
    """Return whether optimizers of a class, not those of its subclasses, can step together."""
    return kind in _UPDATES


def fault(optimizer: Optimizer, momenta: Sequence[float] = ()) -> str:
    """Return why an optimizer cannot step together with others; empty: it can.

    Args:
        optimizer: with its parameters.
        momenta: of the steps, where a schedule moves them; the first one decides.
    """
    kind, groups = type(optimizer), optimizer.param_groups
    dtypes = {parameter.dtype for group in groups for parameter in group["params"]}
    if not has_rule(kind):
        return f"{kind.__module__}.{kind.__qualname__} has no rule"
    if hooked(optimizer):
        return "the optimizer's steps are hooked into"
    if len(dtypes) > 1 or not dtypes <= {torch.float32, torch.float64}:
        return f"parameters of {', '.join(sorted(map(str, dtypes)))}"
    for name in ("maximize", "differentiable"):
        if any(group.get(name) for group in groups):
            return f"optimizer.{name}"
    for name in _STRUCTURE:
        if len({group.get(name) for group in groups}) > 1:
            return f"optimizer.{name} differs between parameter groups"
    if len(momenta) and momenta[0] == 0 and any(group.get("dampening") for group in groups):
        return "optimizer.dampening with a momentum that begins at 0"
    return ""


def structure_of(optimizer: Optimizer) -> tuple[Hashable, ...]:
    """Return what optimizers must have in common to step together; every other hyperparameter may differ."""
    kind = type(optimizer)
    options = [bool(optimizer.param_groups[0].get(name)) for name in _STRUCTURE]
    return (f"{kind.__module__}.{kind.__qualname__}", _form(optimizer), *options)


def rule_of(optimizers: Sequence[Optimizer], parameters: Sequence[Sequence[Tensor]], stacked: Sequence[Tensor]) -> Rule:
    """Return the rule of K members' optimizers.

    Args:
        optimizers: one of each member, alike in `structure_of`; their hyperparameters and their states, begun or not,
            are read here.
        parameters: of each member its J parameters, views of the stacked ones.
        stacked: J tensors [K, ...], which have the gradients.

    Raises:
        ValueError: the optimizers are not alike.
    """
    structures = {structure_of(optimizer) for optimizer in optimizers}
    if len(structures) != 1:
        raise ValueError(f"optimizers that cannot step together: {sorted(map(str, structures))}")
    return Rule(optimizers, parameters, stacked)


def _form(optimizer: Optimizer) -> str:
    form: str = getattr(optimizer, "form", "outside")
    return form
