"""Data sources: one per file, seeded splits, scaling."""
