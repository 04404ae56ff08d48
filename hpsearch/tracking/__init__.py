"""Tracking: the event files that are the record of a study, and the stores that hold a copy of it."""
