"""How something falls with a size: a curve that levels off or a power law, told apart by what each predicts."""

import numpy as np
from numpy.typing import ArrayLike


def levelling_off(sizes: ArrayLike, values: ArrayLike) -> tuple[float, float]:
    """Fit ``S = a + b / B``, a and b not negative, by least squares of relative deviations.

    Args:
        sizes: B, positive.
        values: S, positive.

    Returns:
        a and b.
    """
    b, s = np.asarray(sizes, dtype=np.float64), np.asarray(values, dtype=np.float64)
    design = np.stack([1 / s, 1 / (b * s)], axis=1)
    both = np.linalg.lstsq(design, np.ones(len(b)), rcond=None)[0]
    if (both >= 0).all():
        return float(both[0]), float(both[1])
    alone = design.sum(axis=0) / np.sum(design**2, axis=0)
    level, inverse = (float(np.sum((design[:, i] * alone[i] - 1) ** 2)) for i in (0, 1))
    return (float(alone[0]), 0.0) if level <= inverse else (0.0, float(alone[1]))


def left_out_errors(sizes: ArrayLike, values: ArrayLike) -> tuple[float, float]:
    """Return how well each size is predicted from the others, by a curve that levels off and by a power law.

    Each is fitted without one size at a time, `levelling_off` and a least-squares line of logarithms; the error is the
    root mean square of ``log(predicted / measured)``. Source: Stone, Cross-validatory choice and assessment of
    statistical predictions, Journal of the Royal Statistical Society B 1974.

    Args:
        sizes: B, positive, four or more.
        values: S, positive.

    Returns:
        The error of the curve and that of the power law.
    """
    b, s = np.asarray(sizes, dtype=np.float64), np.asarray(values, dtype=np.float64)
    off = []
    for left in range(len(b)):
        kept = np.arange(len(b)) != left
        level, inverse = levelling_off(b[kept], s[kept])
        line = np.polyfit(np.log(b[kept]), np.log(s[kept]), 1)
        off.append((np.log(level + inverse / b[left]), np.polyval(line, np.log(b[left]))) - np.log(s[left]))
    curve, power = np.sqrt(np.mean(np.square(off), axis=0))
    return float(curve), float(power)
