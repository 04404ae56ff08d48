"""A training loss as a function of the weights, with its first and second derivatives.

Rectified linear units and max pooling have kinks, where there is no Hessian; what is computed is that of the smooth
piece around the point.
"""

import copy
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from hpsearch.base.errors import ConfigError
from hpsearch.base.rng import seeded
from hpsearch.base.steps import label_count
from hpsearch.regularizers import Penalty

Batch = tuple[Tensor, Tensor]
ROWS = 128
"""Rows of a dense Hessian that are computed at once."""


class LossSurface:
    """The training loss as a function of one flat vector of weights [P].

    The loss is the mean over the samples, in evaluation mode (no dropout, batch normalization by its running
    statistics), plus the penalties; only parameters that are trained count. The weight decay of an optimizer is not
    part of it.

    Args:
        model: is copied and left as it is.
        loss: maps (outputs, targets) to their mean loss.
        batches: inputs and targets.
        penalties: what the training adds to the loss.
        dtype: of all computations.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: nn.Module,
        batches: Sequence[Batch],
        penalties: Sequence[Penalty] = (),
        dtype: torch.dtype = torch.float64,
    ) -> None:
        self._model, self._loss = (copy.deepcopy(module).to(dtype).eval() for module in (model, loss))
        self._batches = [(_cast(x, dtype), _cast(y, dtype)) for x, y in batches]
        self._named = [(name, p) for name, p in self._model.named_parameters() if p.requires_grad]
        self._parameters = [parameter for _, parameter in self._named]
        if not self._parameters:
            raise ConfigError(f"{type(model).__name__} has no trained parameters: its loss has no Hessian")
        self._penalties = penalties
        self.samples = sum(len(y) for _, y in batches)
        self._labels = sum(label_count(y) for _, y in batches)
        self.point = torch.cat([parameter.detach().flatten() for parameter in self._parameters])
        self.products = 0

    @property
    def size(self) -> int:
        """Number of trained parameters P."""
        return len(self.point)

    def random(self, *where: int | str) -> Tensor:
        """Return a direction [P], uniform on the unit sphere, that is a function of its address."""
        drawn = torch.randn(self.size, generator=seeded(torch.Generator(), 0, "curvature", *where), dtype=torch.float64)
        unit: Tensor = drawn / drawn.norm()
        return unit.to(self.point)

    def value(self, distance: float = 0.0, direction: Tensor | None = None) -> float:
        """Return the loss at the point, or at a distance from it along a direction [P]."""
        with torch.no_grad(), self._at(distance, direction):
            return float(sum(share * loss for share, loss in self._losses()))

    def gradient(self) -> Tensor:
        """Return the gradient [P]."""
        total = torch.zeros_like(self.point)
        for share, loss in self._losses():
            total += share * self._flat(torch.autograd.grad(loss, self._parameters, materialize_grads=True))
        return total

    def product(self, direction: Tensor) -> Tensor:
        """Return the Hessian times a direction [P], by differentiating the slope along it (Pearlmutter 1994)."""
        self.products += 1
        total = torch.zeros_like(self.point)
        with _twice_differentiable(self._model):
            for share, loss in self._losses():
                total += share * self._slope_of(self._graph_of_gradient(loss) @ direction)
        return total

    def hessian(self) -> Tensor:
        """Return the Hessian [P, P]."""
        total = self.point.new_zeros(self.size, self.size)
        identity = torch.eye(self.size, dtype=self.point.dtype, device=self.point.device)
        with _twice_differentiable(self._model):
            for share, loss in self._losses():
                gradient = self._graph_of_gradient(loss)
                if gradient.requires_grad:
                    for first in range(0, self.size, ROWS):
                        rows = slice(first, first + ROWS)
                        total[rows] += share * self._rows(gradient, identity[rows])
        return (total + total.T) / 2

    def bendings(self, direction: Tensor) -> list[float]:
        """Return the second derivative along a unit vector [P], separately for each batch."""
        found = []
        with _twice_differentiable(self._model):
            for _, loss in self._losses():
                found.append(float(self._slope_of(self._graph_of_gradient(loss) @ direction) @ direction))
        return found

    def _losses(self) -> Iterator[tuple[float, Tensor]]:
        for x, y in self._batches:
            loss = self._loss(self._model(x), y)
            for penalty in self._penalties:
                loss = loss + penalty.penalty(self._named)
            yield label_count(y) / self._labels, loss

    def _graph_of_gradient(self, loss: Tensor) -> Tensor:
        rows = torch.autograd.grad(loss, self._parameters, create_graph=True, materialize_grads=True)
        return self._flat(rows)

    def _slope_of(self, slope: Tensor) -> Tensor:
        """Return the gradient [P] of a slope.

        `torch.autograd.grad` would pass over a layer that cannot be differentiated twice and return zeros;
        ``backward`` raises an error.
        """
        if slope.requires_grad:
            slope.backward()  # type: ignore[no-untyped-call]
        rows = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        for parameter in self._parameters:
            parameter.grad = None
        return self._flat(rows)

    def _rows(self, gradient: Tensor, directions: Tensor) -> Tensor:
        """Return some rows of the Hessian [R, P], from the gradient with its graph."""
        found = torch.autograd.grad(
            gradient, self._parameters, directions, retain_graph=True, is_grads_batched=True, allow_unused=True
        )
        wide = [
            directions.new_zeros(len(directions), parameter.numel())
            if row is None
            else row.reshape(len(directions), -1)
            for row, parameter in zip(found, self._parameters, strict=True)
        ]
        return torch.cat(wide, dim=1)

    @staticmethod
    def _flat(tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat([tensor.flatten() for tensor in tensors])

    @contextmanager
    def _at(self, distance: float, direction: Tensor | None) -> Iterator[None]:
        if direction is None:
            yield
            return
        nn.utils.vector_to_parameters(self.point + distance * direction, self._parameters)
        try:
            yield
        finally:
            nn.utils.vector_to_parameters(self.point, self._parameters)


def _cast(values: Tensor, dtype: torch.dtype) -> Tensor:
    return values.to(dtype) if values.is_floating_point() else values


@contextmanager
def _twice_differentiable(model: nn.Module) -> Iterator[None]:
    """Choose kernels that have second derivatives, which fused attention and fused recurrence have not."""
    with ExitStack() as stack:
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        if any(isinstance(module, nn.RNNBase) for module in model.modules()):
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", message="TF32 acceleration")  # setting mkldnn's flags says so
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        yield
