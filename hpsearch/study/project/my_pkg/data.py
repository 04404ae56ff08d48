"""Data of my own: a class that returns arrays; splits, scaling and batches are made of them."""

from dataclasses import dataclass

import numpy as np

from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource


@dataclass(frozen=True, kw_only=True)
class Rings(DataSource):
    """Two rings around each other: [samples, 2] places, and which ring each belongs to.

    Attributes:
        samples: how many are drawn.
        noise: standard deviation of each coordinate.
        drawn: seed that they are drawn from.
    """

    samples: int = 600
    noise: float = 0.3
    drawn: int = 0

    def arrays(self, test: bool) -> Arrays:  # noqa: ARG002 - without a test part of their own
        """Return all samples; whole numbers or texts as labels make a classification, floats a regression."""
        random, ring = np.random.default_rng(self.drawn), np.arange(self.samples) % 2
        angle = random.uniform(0, 2 * np.pi, self.samples)
        places = np.stack([np.cos(angle), np.sin(angle)], axis=1) * (1 + ring)[:, None]
        return Arrays(places + self.noise * random.normal(size=places.shape), ring, class_names=("inner", "outer"))
