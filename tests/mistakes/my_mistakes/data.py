"""Data with one mistake each, made from scikit-learn's digits."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource
from hpsearch.data.digits import Digits


@dataclass(frozen=True, kw_only=True)
class Broken(DataSource):
    """Digits after an accident."""

    mistake: str = "none"

    def arrays(self, test: bool) -> Arrays:
        digits = Digits().arrays(test)
        return getattr(self, f"_{self.mistake}")(digits, np.random.default_rng(0))

    def _none(self, digits: Arrays, random: Any) -> Arrays:
        return digits

    def _shuffled_labels(self, digits: Arrays, random: Any) -> Arrays:
        return replace(digits, y=random.permutation(digits.y))

    def _labels_from_one(self, digits: Arrays, random: Any) -> Arrays:
        return replace(digits, y=digits.y + 1)

    def _labels_from_one_and_a_class_more(self, digits: Arrays, random: Any) -> Arrays:
        return replace(digits, y=digits.y + 1, class_names=(*digits.class_names, "10"))

    def _bytes(self, digits: Arrays, random: Any) -> Arrays:
        return replace(digits, x=digits.x * (255 / 16))

    def _constant_inputs(self, digits: Arrays, random: Any) -> Arrays:
        return replace(digits, x=np.broadcast_to(digits.x[:1], digits.x.shape).copy())

    def _repeated(self, digits: Arrays, random: Any) -> Arrays:
        rows = np.concatenate([np.arange(len(digits)), random.choice(len(digits), len(digits) // 4)])
        return digits.rows(rows)

    def _contradicting(self, digits: Arrays, random: Any) -> Arrays:
        return replace(digits, x=np.round(digits.x.mean((2, 3), keepdims=True)) + 0 * digits.x)

    def _imbalanced(self, digits: Arrays, random: Any) -> Arrays:
        return self._rare(digits, 99)

    def _three_to_one(self, digits: Arrays, random: Any) -> Arrays:
        return self._rare(digits, 3)

    def _one_class(self, digits: Arrays, random: Any) -> Arrays:
        return digits.rows(np.flatnonzero(digits.y == 3))

    def _infinite(self, digits: Arrays, random: Any) -> Arrays:
        x = digits.x.copy()
        x[7, 0, 0, 0] = np.nan
        return replace(digits, x=x)

    def _rare(self, digits: Arrays, times: int) -> Arrays:
        """Keep one in so many of all but class 0, and call what is left one class."""
        zeros, others = np.flatnonzero(digits.y == 0), np.flatnonzero(digits.y > 0)
        others = others[: len(zeros) * times]
        zeros = zeros[: len(others) // times]
        rows = np.sort(np.concatenate([zeros, others]))
        kept = digits.rows(rows)
        return replace(kept, y=(kept.y == 0).astype(np.int64), class_names=("another", "zero"))
