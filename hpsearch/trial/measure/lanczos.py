"""Extreme eigenvalues of a symmetric matrix that is known by its products with vectors."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

CHECK_EVERY = 10
"""Steps between two looks at what has converged."""


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
