"""K optimizers of one class with J parameters each: their numbers and their states, stacked.

Axes: J parameter, K member. Numbers are [J, K] tables in float64, on the host where what follows from them is decided
once, on the parameters' device where they are computed at every step.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.optim import Optimizer

Factor: TypeAlias = float | list[Tensor]
"""What multiplies J tensors: one number for all, or for each a tensor [K, 1, ...] that fits it."""


class Coefficient:
    """Numbers [J, K] that change from step to step, seen as one factor [K, 1, ...] for each parameter.

    Attributes:
        views: the factors, in the parameters' dtype; always the same tensors.
    """

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self._values = weights[0].new_empty(len(weights), len(weights[0]), requires_grad=False)
        self.views = [row.view(-1, *[1] * (weight.ndim - 1)) for row, weight in zip(self._values, weights, strict=True)]

    def put(self, values: Tensor) -> list[Tensor]:
        """Take numbers that broadcast to [J, K], and return the views."""
        self._values.copy_(values)
        return self.views


class Products:
    """Running products [J, K], each rounded as its optimizer does, which holds it in single or double precision.

    Torch begins one in single precision and takes it up from a file in that of the parameter.
    """

    def __init__(self, single: Tensor, double: Tensor, precise: Tensor | None) -> None:
        self._single, self._double, self._precise = single, double, precise

    def multiply(self, factors: Tensor) -> Tensor:
        """Multiply by factors [J, K], and return the products in double precision."""
        self._single.mul_(factors.to(self._single.dtype))
        if self._precise is None:
            return self._single.to(factors.dtype)
        self._double.mul_(factors)
        return torch.where(self._precise, self._double, self._single)


class Members:
    """The optimizers of K members, and the tensors that their parameters are views of.

    Args:
        optimizers: one of each member, of one class.
        parameters: of each member its J parameters.
        stacked: J tensors [K, ...], which hold them.

    Attributes:
        weights: the latter.
        optimizers: the former.
        held: what the optimizers hold, by name, stacked: J tensors [K, ...], or one [J, K].
        changing: every tensor that a step changes besides the weights.
    """

    def __init__(
        self, optimizers: Sequence[Optimizer], parameters: Sequence[Sequence[Tensor]], stacked: Sequence[Tensor]
    ) -> None:
        self.optimizers, self.weights = list(optimizers), list(stacked)
        self._parameters = [list(row) for row in parameters]
        self._groups = [self._groups_of(*pair) for pair in zip(self.optimizers, self._parameters, strict=True)]
        self.held: dict[str, Sequence[Sequence[Tensor] | Tensor] | Tensor] = {}
        self.changing: list[Tensor] = []

    @staticmethod
    def _groups_of(optimizer: Optimizer, parameters: list[Tensor]) -> list[dict[str, object]]:
        groups = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
        return [groups[id(parameter)] for parameter in parameters]

    def numbers(self, name: str, index: int | None = None, default: float | None = None) -> Tensor:
        """Return a hyperparameter as a table on the host.

        Args:
            name: its key in the parameter groups.
            index: of a pair, which one.
            default: where a group has not got it.
        """
        rows = [[group.get(name, default) for group in groups] for groups in self._groups]
        numbers = [[each if index is None else each[index] for each in row] for row in rows]  # type: ignore[index]
        return torch.tensor(numbers, dtype=torch.float64, device="cpu").T.contiguous()

    def per_member(self, values: Sequence[float]) -> Tensor:
        """Return a number of each member as a table on the host."""
        return torch.tensor(values, dtype=torch.float64, device="cpu").expand(len(self.weights), -1).contiguous()

    def at_device(self, table: Tensor) -> Tensor:
        """Return a table of the host where the parameters are."""
        return table.to(self.weights[0].device)

    def factor(self, table: Tensor, rows: Sequence[int] | None = None) -> Factor:
        """Return a table of the host, which no step changes, as what multiplies the parameters, or some of them."""
        rows = self._rows if rows is None else rows
        found = table[list(rows)]
        if (found == found[0, 0]).all():
            return float(found[0, 0])
        views = self.coefficient().put(self.at_device(table))
        return [views[j] for j in rows]

    def coefficient(self) -> Coefficient:
        """Return room for numbers that change."""
        return Coefficient(self.weights)

    def begun(self, name: str) -> Tensor:
        """Return a table on the host: 1 where an optimizer holds a tensor by this name, else 0."""
        found = [[float(self._state(j, k).get(name) is not None) for k in self._slots] for j in self._rows]
        return torch.tensor(found, dtype=torch.float64, device="cpu")

    def kept(self, table: Tensor) -> Tensor:
        """Return a table of the host where the parameters are, for steps to change."""
        self.changing.append(self.at_device(table).clone())
        return self.changing[-1]

    def state(self, name: str) -> list[Tensor]:
        """Return J tensors [K, ...] of what the optimizers hold by this name, 0 where they hold nothing yet."""
        tensors = [torch.zeros_like(weight, requires_grad=False) for weight in self.weights]
        self._hold(name, tensors)
        self.changing += tensors
        return tensors

    def scalars(self, name: str, start: float = 0.0, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the numbers [J, K] that they hold by this name, `start` where they hold none yet."""
        shape, device = (len(self._rows), len(self._slots)), self.weights[0].device
        table = torch.full(shape, start, dtype=dtype, device=device)
        self._hold(name, table)
        self.changing.append(table)
        return table

    def products(self, name: str) -> "Products":
        """Return the running products that they hold by this name."""
        single, double = (self.scalars(name, 1.0, dtype) for dtype in (torch.float32, torch.float64))
        held = [[self._state(j, k).get(name) for k in self._slots] for j in self._rows]
        precise = [[each is not None and each.dtype == torch.float64 for each in row] for row in held]
        self.held[name] = [
            [(double if each else single)[j, k] for k, each in enumerate(row)] for j, row in enumerate(precise)
        ]
        where = torch.tensor(precise, device=single.device) if any(map(any, precise)) else None
        return Products(single, double, where)

    def show(self, keeps: Callable[[str, int, int], bool]) -> None:
        """Put views of the stacked states into the optimizers.

        Args:
            keeps: of a name, parameter j and member k: whether that optimizer, alone, would hold something by it.
        """
        for name, tensors in self.held.items():
            for j in self._rows:
                for k in self._slots:
                    if keeps(name, j, k):
                        self.optimizers[k].state[self._parameters[k][j]][name] = tensors[j][k]

    @property
    def _rows(self) -> range:
        return range(len(self.weights))

    @property
    def _slots(self) -> range:
        return range(len(self.optimizers))

    def _state(self, j: int, k: int) -> dict[str, Tensor | None]:
        state: dict[str, Tensor | None] = self.optimizers[k].state.get(self._parameters[k][j], {})
        return state

    def _hold(self, name: str, tensors: Sequence[Tensor] | Tensor) -> None:
        for j in self._rows:
            for k in self._slots:
                before = self._state(j, k).get(name)
                if before is not None:
                    tensors[j][k].copy_(before)
        self.held[name] = tensors
