"""Proposing points: the space, samplers, pruners, and where the search's state lives."""
