"""Generated tables for bench_search: learning curves ``final + b exp(-rate t)`` whose first epochs say more or less.

Five keys, log-scaled, uniform over the space. The final score is a bowl in the keys with its centre drawn; b is 1, in
``crossing`` and ``late`` what starts every row at the same score.

- ``smooth``: the rate depends on the keys and not on the quality, so that first epochs say something of the ends.
- ``crossing``: who ends better falls slower: the rank correlation of the first epoch with the end is -.3 to 0.
- ``noisy``: smooth, with noise on every epoch whose sd is the spread (largest less smallest) of the ten best ends.
- ``middle``: 265 rows, 40 epochs: half of the rows end alike, apart by less than the noise of an epoch; the three best
  stand in the middle third after the first epoch. What is looked for are these three.
- ``late``: the best tenth does not move in the first 15 of 50 epochs.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

Array: TypeAlias = NDArray[np.float64]
Rows: TypeAlias = list[dict[str, Any]]
KEYS = 5
START = 2.0
FLAT = 15


def smooth(rng: np.random.Generator) -> Rows:
    """Return a table whose rates do not depend on the quality of a row."""
    x, final = _bowl(rng, 1000)
    return _rows(x, _curves(final, _rates(rng, x), 50))


def crossing(rng: np.random.Generator) -> Rows:
    """Return a table in which the better rows fall slower."""
    x, final = _bowl(rng, 1000)
    mixed, rank, wanted = _rates(rng, x), _ranks(final), rng.uniform(-0.25, -0.05)
    low, high = 0.0, 1.0
    for _ in range(30):  # the more of the rate is the rank of the end, the lower the correlation
        share = (low + high) / 2
        curves = _curves(final, (1 - share) * mixed + share * (0.05 + 0.45 * rank), 50, START - final)
        low, high = (share, high) if spearmanr(curves[:, 1], final)[0] > wanted else (low, share)
    return _rows(x, curves)


def noisy(rng: np.random.Generator) -> Rows:
    """Return a smooth table with noise."""
    x, final = _bowl(rng, 1000)
    curves = _curves(final, _rates(rng, x), 50)
    return _rows(x, curves + np.ptp(np.sort(curves[:, -1])[:10]) * rng.normal(size=curves.shape))


def middle(rng: np.random.Generator) -> Rows:
    """Return a table whose three best rows stand in the middle third after the first epoch."""
    x, final = _bowl(rng, 265)
    plateau, noise = np.median(final), 0.02
    final = np.maximum(final, plateau) + noise / 4 * rng.normal(size=len(x))
    curves = _curves(final, _rates(rng, x), 40) + noise * rng.normal(size=(265, 41))
    third = np.sort(curves[:, 1])[265 // 3 : 2 * 265 // 3]
    for row in np.argsort(curves[:, -1])[:3]:
        shift = rng.choice(third) - curves[row, 1]
        curves[row, 1:-1] += shift * np.exp(-0.3 * np.arange(39))
    return _rows(x, curves)


def late(rng: np.random.Generator) -> Rows:
    """Return a table whose best tenth does not move at first."""
    x, final = _bowl(rng, 1000)
    best = np.argsort(final)[:100]
    curves = _curves(final, _rates(rng, x), 50, START - final)
    curves[best, FLAT:] = _curves(final[best], rng.uniform(0.15, 0.5, 100), 50 - FLAT, START - final[best])
    curves[best, :FLAT] = START
    return _rows(x, curves)


FAMILIES: dict[str, Callable[[np.random.Generator], Rows]] = {
    each.__name__: each for each in (smooth, crossing, noisy, middle, late)
}
WANTED = {"middle": 3}
"""So many of the best rows are looked for, where it is not ten."""


def _bowl(rng: np.random.Generator, rows: int) -> tuple[Array, Array]:
    x = rng.random((rows, KEYS))
    centre, weight = rng.uniform(0.2, 0.8, KEYS), rng.uniform(0.2, 1.0, KEYS)
    return x, 0.2 + ((x - centre) ** 2 @ weight)


def _rates(rng: np.random.Generator, x: Array) -> Array:
    direction = rng.normal(size=KEYS)
    return np.asarray(0.05 + 0.45 * _ranks(x @ direction))


def _ranks(values: Array) -> Array:
    return np.asarray(np.argsort(np.argsort(values)) / (len(values) - 1))


def _curves(final: Array, rate: Array, epochs: int, b: Array | None = None) -> Array:
    height = np.ones_like(final) if b is None else b
    return np.asarray(final[:, None] + height[:, None] * np.exp(-rate[:, None] * np.arange(epochs + 1)))


def _rows(x: Array, curves: Array) -> Rows:
    configs = [{f"k{i}": float(10 ** (4 * v - 4)) for i, v in enumerate(place)} for place in x]
    return [{"config": c, "valid_loss": curve.tolist()} for c, curve in zip(configs, curves, strict=True)]
