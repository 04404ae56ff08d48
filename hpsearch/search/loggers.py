"""What Optuna may say while a study is open, known without importing it."""

import logging

SPEAK = {"optuna": logging.ERROR}
"""See `hpsearch.base.borrowed.quiet`."""
