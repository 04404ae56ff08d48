"""How much better than it is the best of many noisy scores looks."""

import numpy as np
from scipy.special import ndtr


def expected_maximum(n: int) -> float:
    """Return the expected largest of `n` independent standard normal values.

    ``E[max] = integral over x > 0 of 1 - Phi(x)^n - Phi(-x)^n``; 1.54, 1.87, 2.25 and 2.51 for n = 10, 20, 50 and 100.

    Args:
        n: how many values, at least 1.

    Returns:
        The expectation in standard deviations.
    """
    x = np.linspace(0.0, 10.0, 4001)
    return float(np.trapezoid(1 - ndtr(x) ** n - ndtr(-x) ** n, x))
