"""A trial that computes nothing: what it takes beside its sleep is what a launcher takes."""

import time

import hpsearch


def sleeps(x: float, epochs: int = 5, epoch_sec: float = 1.0) -> None:
    """Report once an epoch, after a sleep."""
    for epoch in range(1, epochs + 1):
        time.sleep(epoch_sec)
        hpsearch.report({"valid/loss": (x - 1) ** 2 + 1 / epoch}, epoch=epoch)
