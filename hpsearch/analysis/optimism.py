"""How much better than it is the best of many noisy scores looks."""

import numpy as np
from scipy.special import ndtr


def expected_maximum(n: int) -> float:
    """Return the expected largest of `n` independent standard normal values.

    ``E[max] = integral of 1 - Phi(x)^n over x > 0, minus the integral of Phi(x)^n over x < 0``; 1.54, 1.87, 2.25 and
    2.51 for n = 10, 20, 50 and 100.

    Args:
        n: how many values, at least 1.

    Returns:
        The expectation in standard deviations.
    """
    x = np.linspace(-10.0, 10.0, 8001)
    below = ndtr(x) ** n
    return float(np.trapezoid(np.where(x > 0, 1 - below, -below), x))
