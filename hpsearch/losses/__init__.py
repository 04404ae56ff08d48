"""Losses that torch has not got, or not for class numbers."""
