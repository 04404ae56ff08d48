"""The curvature of a training loss at one point of the space of weights: extreme eigenvalues and their directions."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError, first_line
from hpsearch.base.rng import seeded
from hpsearch.regularizers import Penalty
from hpsearch.trial.build import prepare
from hpsearch.trial.checkpoint import load_weights
from hpsearch.trial.job import Job
from hpsearch.trial.measure.lanczos import Krylov, lanczos, pairs
from hpsearch.trial.measure.loss_surface import Batch, LossSurface

DTYPES = {"float32": torch.float32, "float64": torch.float64}
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


def _extremes_converged(krylov: Krylov, k: int, tolerance: float) -> bool:
    found = pairs(krylov)
    if len(found.values) < 2 * k:
        return False
    limit = (CONVERGED * found.values.abs()).clamp(min=tolerance * float(found.values.abs().max()))
    good = found.errors <= limit
    return bool(good[:k].all() and good[-k:].all())


def measure_curvature(
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
    surface = LossSurface(model, loss, batches, penalties, DTYPES[precision])
    height = surface.value()
    if not math.isfinite(height):
        raise ConfigError(f"the training loss at these weights is {height}: it has no curvature")
    with _one_line():
        gradient = surface.gradient()
        spectrum, bottom = _dense(surface, k) if exact else _lanczos(surface, k, probes, steps, longest, tolerance)
        line = _line(surface, bottom, height, spectrum["bottom"][0][0], float(gradient @ bottom))
        elsewhere = LossSurface(model, loss, others, penalties, DTYPES[precision]).bendings(bottom) if others else []
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
        raise ConfigError(f"a layer of the model has no second derivative: {first_line(error)}") from error


def curvature(
    config: Mapping[str, Any],
    key: str,
    weights: str,
    source: str | None,
    samples: int,
    exact: int,
    precision: str,
    tolerance: Mapping[str, float],
    longest: int,
    **options: int,
) -> dict[str, Any]:
    """Measure the curvature of a trial's training loss at weights that it kept, without augmentation and mixing.

    Args:
        config: the trial's resolved configuration.
        key: its hash.
        weights: path of its ``best.safetensors`` or ``last.pt``.
        source: where `finetune.source` was found.
        samples: of the training split, drawn by the trial's seed; as many others look at the bottom direction again.
        exact: parameters up to which the Hessian is dense, in float64.
        precision: ``float32``, ``float64`` or ``auto``.
        tolerance: see `measure_curvature`; by precision.
        longest: see `measure_curvature`.
        **options: ``k``, ``probes`` and ``steps`` of `measure_curvature`.

    Returns:
        What `measure_curvature` returns, ``train_size`` and the ``epoch`` of the weights.

    Raises:
        ConfigError: nothing of the model is trained, or the device has no float64.
    """
    job = prepare(config, key, Path(weights).parent, source)
    size = sum(parameter.numel() for parameter in job.model.parameters() if parameter.requires_grad)
    if not size:
        raise ConfigError(f"{type(job.model).__name__} has no trained parameters: its loss has no Hessian")
    epoch = load_weights(Path(weights), key, job.model)
    dense = size <= exact
    if precision == "auto" or dense:
        precision = "float64" if dense or size <= SMALL else "float32"
    if precision == "float64" and job.device.type == "mps":
        raise ConfigError("Apple's GPU has no float64: give curvature.precision=float32 curvature.exact=0")
    if not dense:
        _check_memory(job.device, size, longest, precision)
    chosen, others = _batches(job, samples)
    found = measure_curvature(
        job.model,
        job.loss,
        chosen,
        others,
        tuple(job.regularizers.values()),
        exact=dense,
        precision=precision,
        tolerance=tolerance[precision],
        longest=longest,
        **options,
    )
    return {**found, "train_size": len(job.splits.train), "epoch": epoch}


def _batches(job: Job, samples: int) -> tuple[list[Batch], list[Batch]]:
    """Return the training samples that the loss is the mean of, and others, both drawn by the trial's seed."""
    train = job.splits.train
    order = torch.randperm(len(train), generator=seeded(torch.Generator(), job.seed, "curvature")).to(job.device)
    chosen, others = order[:samples], order[samples : 2 * samples]
    some = max(1, len(others) // OTHER_BATCHES)
    again = train.batches(others[: some * OTHER_BATCHES], some, job.seed) if len(others) else ()
    return list(train.batches(chosen, ROWS_PER_BATCH, job.seed)), list(again)


def _check_memory(device: torch.device, size: int, longest: int, precision: str) -> None:
    needed = longest * size * DTYPES[precision].itemsize
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else psutil.virtual_memory().available
    if needed > free:
        raise ConfigError(
            f"curvature.longest = {longest}: so many directions of {size} weights take {needed / 2**30:.1f} GiB "
            f"({free / 2**30:.1f} GiB are free); choose fewer"
        )


def _dense(surface: LossSurface, k: int) -> tuple[dict[str, Any], Tensor]:
    surface.product(surface.random(0))  # refuses layers that `hessian` would pass over
    values, vectors = torch.linalg.eigh(surface.hessian())
    ascending = [(value, 0.0) for value in values.tolist()]
    found = {"method": "exact", "eigenvalues": values.tolist(), "bottom": ascending[:k], "top": ascending[::-1][:k]}
    return found, vectors[:, 0]


def _lanczos(
    surface: LossSurface, k: int, probes: int, steps: int, longest: int, tolerance: float
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


def _line(surface: LossSurface, direction: Tensor, height: float, bending: float, slope: float) -> Mapping[str, Any]:
    """Follow a unit vector to both sides, downhill first, as far as its curvature should change the loss by itself."""
    norm = float(surface.point.norm())
    reach = FLAT_REACH * norm or 1.0
    if bending < 0 and height:
        reach = min(math.sqrt(2 * abs(height / bending)), norm or math.inf)
    sense = -1.0 if slope > 0 else 1.0
    distances = [reach * step / LINE_POINTS for step in range(-LINE_POINTS, LINE_POINTS + 1)]
    losses = [surface.value(sense * distance, direction) if distance else height for distance in distances]
    return {"distances": distances, "losses": losses, "slope": -abs(slope)}
