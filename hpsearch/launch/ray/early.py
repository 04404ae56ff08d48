"""A cluster of a command's own that starts while the driver still reads what to train."""

from hpsearch.launch.ray.gateway import Gateway

_waiting: list[Gateway] = []


def start() -> None:
    """Start a cluster, for the launcher that comes; it is ended where none takes it."""
    _waiting.append(Gateway())


def taken() -> Gateway | None:
    """Return the gateway of the cluster that was started early, once."""
    return _waiting.pop() if _waiting else None


def dismiss() -> None:
    """End the cluster that nobody took."""
    while _waiting:
        _waiting.pop().close(now=True)
