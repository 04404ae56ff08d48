"""Data of one's own: a subclass that returns arrays; splits, scaling and batches are done for it."""

from dataclasses import dataclass

import numpy as np

from hpsearch.data.base import Arrays, DataSource


def rings(samples: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points on two rings around each other: [samples, 2] places and [samples] which ring."""
    random = np.random.default_rng(seed)
    ring = np.arange(samples) % 2
    angle = random.uniform(0, 2 * np.pi, samples)
    place = np.stack([np.cos(angle), np.sin(angle)], 1) * (1 + ring)[:, None]
    return place + noise * random.normal(size=place.shape), ring


@dataclass(frozen=True, kw_only=True)
class Rings(DataSource):
    """Two rings, drawn anew from a seed."""

    samples: int = 300
    noise: float = 0.1

    def arrays(self, test: bool) -> Arrays:
        x, y = rings(self.samples, self.noise, self.split_seed)
        return Arrays(x, y, class_names=("inner", "outer"))
