"""Sentences' parts that several pages write alike."""

from hpsearch.base import words
from hpsearch.statistics.intervals import Interval


def of_several_codes(versions: int) -> str:
    """Say that a study's trials were trained by several versions of the user's own code; empty for one."""
    if versions < 2:
        return ""
    return (
        f"COMPLETE trials were trained by {versions} versions of the code (`code` in trials.csv): a difference between "
        "points may be one between versions."
    )


def signed_interval(mean: float, interval: Interval) -> tuple[str, str, str]:
    """Write a difference and the ends of its interval with their signs, and the decimals that the interval deserves."""
    precision = words.interval_precision(interval.low, interval.high)
    size, low, high = (precision.write(value, "+") for value in (mean, interval.low, interval.high))
    return size, low, high
