"""Intervals, comparisons, survival and optimism: one formula, one pure function, its source."""
