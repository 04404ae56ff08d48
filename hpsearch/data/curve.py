"""A generated regression with one input: points around a curve."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hpsearch.base.errors import ConfigError, check_float, check_int
from hpsearch.base.rng import address
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource

SINE = "sine"


@dataclass(frozen=True, kw_only=True)
class Curve(DataSource):
    """Points with one input x, uniform in [-1, 1), and the target f(x) + noise * e, e standard normal.

    f is sin(pi x), one period, or a polynomial. The best possible mean squared error is noise ** 2, in the units of the
    targets (0.04). It shows how a polynomial of a higher degree fits the noise of a few points (Bishop, Pattern
    Recognition and Machine Learning, 2006, section 1.1).

    Attributes:
        samples: how many points.
        function: ``sine``, or the coefficients of a polynomial, c_0 + c_1 x + c_2 x ** 2 + ...
        noise: standard deviation of the noise.
        draw: seed of the points.
    """

    files_say_all: ClassVar[bool] = True

    samples: int = 100
    function: Any = SINE
    noise: float = 0.2
    draw: int = 0
    batch_size: int | str = 32
    scaling: str = "standardize"
    target_scaling: str = "standardize"

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy."""
        super().__post_init__()
        check_int("data.samples", self.samples, 3)
        check_float("data.noise", self.noise, "[0, inf)")
        check_int("data.draw", self.draw, 0)
        if self.function != SINE:
            if not isinstance(self.function, list | tuple) or not self.function:
                raise ConfigError(
                    f"data.function = {self.function!r}: must be sine or a list of coefficients [c0,c1,...]"
                )
            for place, each in enumerate(self.function):
                check_float(f"data.function[{place}]", each, "(-inf, inf)")

    def arrays(self, test: bool) -> Arrays:  # noqa: ARG002 - it has no test part of its own
        """Draw all points."""
        draws = np.random.Generator(np.random.PCG64(address(self.draw, "curve")))
        x = draws.uniform(-1, 1, self.samples)
        curve = np.sin(math.pi * x) if self.function == SINE else np.polynomial.polynomial.polyval(x, self.function)
        return Arrays(x[:, None], curve + self.noise * draws.standard_normal(self.samples))
