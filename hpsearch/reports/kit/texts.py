"""Sentences' parts that several pages write alike."""

from hpsearch.base import words
from hpsearch.statistics.intervals import Interval


def signed_interval(mean: float, interval: Interval) -> tuple[str, str, str]:
    """Write a difference and the ends of its interval with their signs, and the decimals that the interval deserves."""
    precision = words.interval_precision(interval.low, interval.high)
    size, low, high = (precision.write(value, "+") for value in (mean, interval.low, interval.high))
    return size, low, high
