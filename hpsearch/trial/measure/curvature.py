"""Second derivatives of a training loss at one point of the space of weights.

Rectified linear units and max pooling have kinks, where there is no Hessian; what is computed is that of the smooth
piece around the point.
"""

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from hpsearch.base.errors import ConfigError
from hpsearch.base.rng import generator
from hpsearch.regularizers import Penalty
from hpsearch.trial.job import Job

Batch = tuple[Tensor, Tensor]
DTYPES = {"float32": torch.float32, "float64": torch.float64}
ROWS = 128
"""Rows of a dense Hessian that are computed at once."""
CHECK_EVERY = 10
"""Lanczos steps between two looks at what has converged."""
CONVERGED = 1e-4
"""Error of an eigenvalue, relative to itself, at which it is not made better."""
LINE_POINTS = 10
"""Points of the line on each side."""
ROWS_PER_BATCH = 250
"""Samples that are differentiated at once."""
OTHER_BATCHES = 10
"""Batches of other samples, on which the most negative direction is looked at again."""
SMALL = 20_000
"""Parameters up to which ``auto`` computes in float64."""
FLAT_REACH = 0.1
"""How far a direction without curvature is followed, as a share of the norm of the weights."""


class Surface:
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
        self.point = torch.cat([parameter.detach().flatten() for parameter in self._parameters])
        self.products = 0

    @property
    def size(self) -> int:
        """Number of trained parameters P."""
        return len(self.point)

    def random(self, *where: int | str) -> Tensor:
        """Return a direction [P], uniform on the unit sphere, that is a function of its address."""
        drawn = torch.randn(self.size, generator=generator(0, "curvature", *where), dtype=torch.float64)
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
            yield len(y) / self.samples, loss

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


@dataclass(frozen=True, slots=True)
class Krylov:
    """A symmetric matrix seen from a few directions: ``basis @ A @ basis.T`` is tridiagonal.

    Attributes:
        diagonal: [M].
        off_diagonal: [M]; the last one couples the basis to what lies outside it.
        basis: [M, P], orthonormal rows.
    """

    diagonal: Tensor
    off_diagonal: Tensor
    basis: Tensor


def lanczos(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    steps: int,
    fresh: Callable[[int], Tensor],
    enough: Callable[[Krylov], bool] = lambda _: False,
) -> Krylov:
    """Run the Lanczos iteration with full reorthogonalization.

    Where the directions so far are an invariant subspace, it goes on from a fresh one: so eigenvalues are found as
    often as they occur.

    Source: Golub and Van Loan, Matrix Computations, 4th edition, section 10.3.

    Args:
        product: multiplies a vector [P] by the symmetric matrix.
        start: unit vector [P].
        steps: products at most.
        fresh: returns a unit vector [P] for a step.
        enough: asked every few steps whether to end.

    Returns:
        The tridiagonal matrix and its basis.
    """
    steps = min(steps, len(start))
    basis = start.new_empty(steps, len(start))
    diagonal, off_diagonal = start.new_zeros(steps), start.new_zeros(steps)
    tiny = 100 * torch.finfo(start.dtype).eps
    vector, scale = start, 0.0
    for step in range(steps):
        basis[step] = vector
        image = product(vector)
        diagonal[step] = image @ vector
        scale = max(scale, float(image.norm()))
        rest = _orthogonal(image, basis[: step + 1])
        length = float(rest.norm())
        if length > tiny * scale:
            off_diagonal[step] = length
        elif step + 1 < steps:
            rest = _orthogonal(fresh(step), basis[: step + 1])
            length = float(rest.norm())
        vector = rest / length if length else rest
        if (step + 1) % CHECK_EVERY == 0 or step + 1 == steps:
            so_far = Krylov(diagonal[: step + 1], off_diagonal[: step + 1], basis[: step + 1])
            if enough(so_far):
                return so_far
    return Krylov(diagonal, off_diagonal, basis)


def _orthogonal(vector: Tensor, basis: Tensor) -> Tensor:
    """Return what of a vector is orthogonal to rows; the second time removes what rounding left."""
    for _ in range(2):
        vector = vector - basis.T @ (basis @ vector)
    return vector


@dataclass(frozen=True, slots=True)
class Pairs:
    """Eigenvalues with the bounds of their errors, and how their vectors are made of the basis.

    Attributes:
        values: [M], ascending.
        errors: [M]: within so much of each there is an eigenvalue of the matrix.
        mixtures: [M, M]; column i holds the coefficients of vector i.
    """

    values: Tensor
    errors: Tensor
    mixtures: Tensor


def pairs(krylov: Krylov) -> Pairs:
    """Return the Ritz values and vectors of a Lanczos iteration; errors are residuals and rounding."""
    beside = krylov.off_diagonal[:-1].double()
    matrix = torch.diag(krylov.diagonal.double()) + torch.diag(beside, 1) + torch.diag(beside, -1)
    values, mixtures = torch.linalg.eigh(matrix)
    rounding = torch.finfo(krylov.diagonal.dtype).eps * values.abs().max()
    return Pairs(values, krylov.off_diagonal[-1] * mixtures[-1].abs() + rounding, mixtures)


def _extremes_converged(krylov: Krylov, k: int, tolerance: float) -> bool:
    found = pairs(krylov)
    if len(found.values) < 2 * k:
        return False
    limit = (CONVERGED * found.values.abs()).clamp(min=tolerance * float(found.values.abs().max()))
    good = found.errors <= limit
    return bool(good[:k].all() and good[-k:].all())


def measure(
    model: nn.Module,
    loss: nn.Module,
    batches: Sequence[Batch],
    others: Sequence[Batch] = (),
    penalties: Sequence[Penalty] = (),
    *,
    k: int,
    probes: int,
    steps: int,
    longest: int,
    exact: bool,
    precision: str,
    tolerance: float,
) -> dict[str, Any]:
    """Measure the curvature of a training loss at a model's weights.

    Args:
        model: is left as it is.
        loss: maps (outputs, targets) to their mean loss.
        batches: inputs and targets that define the loss.
        others: other samples, on which the most negative direction is looked at again.
        penalties: what the training adds to the loss.
        k: largest and smallest eigenvalues to return.
        probes: random starts of the Lanczos iteration.
        steps: of each start but the first.
        longest: steps of the first, which looks for the extreme eigenvalues; it ends when they have converged.
        exact: compute the dense Hessian and all its eigenvalues.
        precision: ``float32`` or ``float64``.
        tolerance: share of the largest magnitude below which an eigenvalue is no better than rounding.

    Returns:
        Plain numbers: ``parameters samples precision method products loss gradient_norm weight_norm``; ``top`` and
        ``bottom``: (eigenvalue, error), the outermost first; ``eigenvalues`` where exact, else ``matrices``: the
        (`Krylov.diagonal`, `Krylov.off_diagonal`) of every start; ``line``: distances, losses and slope along the
        bottom direction, downhill positive; ``elsewhere``: the second derivative along it on each of the other batches.

    Raises:
        ConfigError: there is nothing trained, the loss is not finite, or a layer has no second derivative.
    """
    surface = Surface(model, loss, batches, penalties, DTYPES[precision])
    height = surface.value()
    if not math.isfinite(height):
        raise ConfigError(f"the training loss at these weights is {height}: it has no curvature")
    with _one_line():
        gradient = surface.gradient()
        spectrum, bottom = _dense(surface, k) if exact else _lanczos(surface, k, probes, steps, longest, tolerance)
        line = _line(surface, bottom, height, spectrum["bottom"][0][0], float(gradient @ bottom))
        elsewhere = Surface(model, loss, others, penalties, DTYPES[precision]).bendings(bottom) if others else []
    return {
        "parameters": surface.size,
        "samples": surface.samples,
        "precision": precision,
        "products": surface.products,
        "loss": height,
        "gradient_norm": float(gradient.norm()),
        "weight_norm": float(surface.point.norm()),
        **spectrum,
        "line": line,
        "elsewhere": elsewhere,
    }


@contextmanager
def _one_line() -> Iterator[None]:
    """Say in one line that a layer lacks a second derivative."""
    try:
        yield
    except (RuntimeError, NotImplementedError) as error:
        if not any(word in str(error) for word in ("derivative", "differentiate", "vmap")):
            raise
        raise ConfigError(f"a layer of the model has no second derivative: {str(error).splitlines()[0]}") from error


def measure_job(
    job: Job,
    samples: int,
    k: int,
    probes: int,
    steps: int,
    longest: int,
    exact: int,
    precision: str,
    tolerance: Mapping[str, float],
) -> dict[str, Any]:
    """Measure the curvature of a trial's training loss, without augmentation and mixing.

    Args:
        job: with the weights to look at in its model.
        samples: of the training split, drawn by the trial's seed; as many others look at the bottom direction again.
        k: see `measure`.
        probes: see `measure`.
        steps: see `measure`.
        longest: see `measure`.
        exact: parameters up to which the Hessian is dense, in float64.
        precision: ``float32``, ``float64`` or ``auto``.
        tolerance: see `measure`; by precision.

    Returns:
        What `measure` returns, and ``train_size``.
    """
    size = sum(parameter.numel() for parameter in job.model.parameters() if parameter.requires_grad)
    dense = size <= exact
    if precision == "auto" or dense:
        precision = "float64" if dense or size <= SMALL else "float32"
    if not dense:
        _check_memory(job.device, size, longest, precision)
    order = torch.randperm(len(job.splits.train), generator=generator(job.seed, "curvature")).to(job.device)
    chosen, others = order[:samples], order[samples : 2 * samples]
    some = max(1, len(others) // OTHER_BATCHES)
    found = measure(
        job.model,
        job.loss,
        list(job.splits.train.batches(chosen, ROWS_PER_BATCH, job.seed)),
        list(job.splits.train.batches(others[: some * OTHER_BATCHES], some, job.seed)) if len(others) else (),
        tuple(job.regularizers.values()),
        k=k,
        probes=probes,
        steps=steps,
        longest=longest,
        exact=dense,
        precision=precision,
        tolerance=tolerance[precision],
    )
    return {**found, "train_size": len(job.splits.train)}


def _check_memory(device: torch.device, size: int, longest: int, precision: str) -> None:
    needed = longest * size * DTYPES[precision].itemsize
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    if needed > free:
        raise ConfigError(
            f"curvature.longest = {longest}: so many directions of {size} weights take {needed / 2**30:.1f} GiB "
            f"({free / 2**30:.1f} GiB are free); choose fewer"
        )


def _dense(surface: Surface, k: int) -> tuple[dict[str, Any], Tensor]:
    surface.product(surface.random(0))  # refuses layers that `hessian` would pass over
    values, vectors = torch.linalg.eigh(surface.hessian())
    ascending = [(value, 0.0) for value in values.tolist()]
    found = {"method": "exact", "eigenvalues": values.tolist(), "bottom": ascending[:k], "top": ascending[::-1][:k]}
    return found, vectors[:, 0]


def _lanczos(
    surface: Surface, k: int, probes: int, steps: int, longest: int, tolerance: float
) -> tuple[dict[str, Any], Tensor]:
    def run(probe: int, most: int, enough: Callable[[Krylov], bool]) -> Krylov:
        start = surface.random(probe)
        return lanczos(surface.product, start, most, lambda step: surface.random(probe, step), enough)

    first = run(0, longest, lambda krylov: _extremes_converged(krylov, k, tolerance))
    found = pairs(first)
    bottom = first.basis.T @ found.mixtures[:, 0].to(first.basis)
    matrices = [_matrix(first)]
    del first
    matrices += [_matrix(run(probe, steps, lambda _: False)) for probe in range(1, probes)]
    ascending = list(zip(found.values.tolist(), found.errors.tolist(), strict=True))
    return {
        "method": "lanczos",
        "matrices": matrices,
        "bottom": ascending[:k],
        "top": ascending[::-1][:k],
    }, bottom / bottom.norm()


def _matrix(krylov: Krylov) -> tuple[list[float], list[float]]:
    return krylov.diagonal.tolist(), krylov.off_diagonal.tolist()


def _line(surface: Surface, direction: Tensor, height: float, bending: float, slope: float) -> Mapping[str, Any]:
    """Follow a unit vector to both sides, downhill first, as far as its curvature should change the loss by itself."""
    norm = float(surface.point.norm())
    reach = FLAT_REACH * norm or 1.0
    if bending < 0 and height:
        reach = min(math.sqrt(2 * abs(height / bending)), norm or math.inf)
    sense = -1.0 if slope > 0 else 1.0
    distances = [reach * step / LINE_POINTS for step in range(-LINE_POINTS, LINE_POINTS + 1)]
    losses = [surface.value(sense * distance, direction) if distance else height for distance in distances]
    return {"distances": distances, "losses": losses, "slope": -abs(slope)}
