"""A Ray cluster of several nodes on this machine, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

STORE_BYTES = 80 * 2**20
_ATTEMPTS = 4
"""How often a node is started that Ray did not see within its 30 s: the machine may be busy."""


@contextmanager
def ray_cluster(*cpus: int) -> Iterator[Any]:
    """Start a cluster whose nodes, the first one its head, have so many CPUs each; it is gone at the end."""
    pytest.importorskip("ray")
    cluster = _with_head(cpus[0])
    try:
        for each in cpus[1:]:
            add_node(cluster, each)
        yield cluster
    finally:
        cluster.shutdown()


def _with_head(cpus: int) -> Any:
    from ray.cluster_utils import Cluster

    for attempt in range(_ATTEMPTS):
        cluster = Cluster()
        try:
            _add(cluster, cpus)
        except Exception:
            cluster.shutdown()
            _end_what_is_left()
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return cluster
    raise AssertionError


def _end_what_is_left() -> None:
    """End what a head that failed left of itself; the cluster does not know of it."""
    for child in psutil.Process().children():
        if child.name() in ("gcs_server", "raylet"):
            child.kill()


def add_node(cluster: Any, cpus: int, gpus: int = 0) -> Any:
    """Add a node with so many CPUs, and GPUs that are only named, and return it."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return _add(cluster, cpus, gpus)
        except Exception as error:
            print(f"another try, after {error}")
    return _add(cluster, cpus, gpus)


def _add(cluster: Any, cpus: int, gpus: int = 0) -> Any:
    return cluster.add_node(num_cpus=cpus, num_gpus=gpus, object_store_memory=STORE_BYTES, include_dashboard=False)
