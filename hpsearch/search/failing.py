"""Ending a search of which nothing works: its first points fail, and alike."""

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailedPoint:
    """How a point failed.

    Attributes:
        point: its number.
        epoch: to which it came.
        failed_at: what its trial raised where, see `TrialResult`; empty for a worker that died.
        reason: in words.
    """

    point: int
    epoch: float
    failed_at: str
    reason: str


class FirstFailures:
    """The first points of those that count, until one does not fail.

    Args:
        most: so many points that fail alike end the search; None: it goes on.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._failed: list[FailedPoint] = []

    def add(self, failed: FailedPoint) -> None:
        """Note a point that failed."""
        if self._most is not None:
            self._failed.append(failed)

    def forget(self) -> None:
        """Note that a point came to another end: from now on a failure is that of a single point."""
        self._most = None
        self._failed.clear()

    def __len__(self) -> int:
        """Return how many points have failed so far, 0 once one has not."""
        return len(self._failed)

    def why(self, reached: float) -> str:
        """Return the error that ends the search, or the empty string.

        Alike are points whose trials raised the same type of error at the same line, or whose workers died.

        Args:
            reached: the epoch to which a point came that trains or waits; a failure before it is that of a single
                point.
        """
        if self._most is None:
            return ""
        failed = [each for each in self._failed if each.epoch >= reached]
        alike = Counter(each.failed_at for each in failed).most_common(1)
        if not alike or alike[0][1] < self._most:
            return ""
        error = next(each for each in failed if each.failed_at == alike[0][0])
        where = "" if error.failed_at in ("", error.reason) else f" ({error.failed_at})"
        return f"budget.failures = {self._most}: so many points failed alike and none worked: {error.reason}{where}"
