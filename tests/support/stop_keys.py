"""Ctrl-C, as a terminal sends it."""

import signal


def ctrl_c(times: int = 2) -> None:
    """Interrupt this process; the second time a search stops at once."""
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)
