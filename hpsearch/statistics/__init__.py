"""Intervals, paired comparisons and survival: one formula, one pure function."""
