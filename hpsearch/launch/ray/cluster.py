"""Connecting to a cluster, or starting one on this machine."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.launch.devices import usable_cores
from hpsearch.launch.ray.terms import Opening, Wanted

_STORE_BYTES = 80 * 2**20
_OWN_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # whatever the system: else it listens on every interface
}


class Refused(Exception):
    """There is no cluster to work on; the message says why."""


def open_cluster(opening: Opening) -> None:
    """Connect this process to a cluster; Refused where there is none."""
    if opening.address is None:
        _start(opening)
    else:
        _join(opening)


def _start(opening: Opening) -> None:
    """Start a cluster on the loopback, which only who can read its token may speak to."""
    token = Path(opening.temporary).resolve().with_name("token")
    descriptor = os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN"):
        os.environ.pop(name, None)
    os.environ |= _OWN_ENVIRONMENT | {"RAY_AUTH_TOKEN_PATH": str(token)}
    _leave_out()
    try:
        _init(
            address="local",
            num_cpus=usable_cores(),
            object_store_memory=_STORE_BYTES,
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            _temp_dir=opening.temporary,
        )
    except Exception as error:
        raise Refused(f"Ray does not start on this machine: {_line(error)}") from error


def _leave_out() -> None:
    """Let Ray start what a node needs alone: dashboard, autoscaler and log monitor take time, and nobody asks them."""
    from ray._private.node import Node

    for name in ("start_api_server", "start_monitor", "start_log_monitor"):
        setattr(Node, name, lambda self, **_: None)  # noqa: ARG005


def _join(opening: Opening) -> None:
    address = str(opening.address)
    environment: dict[str, Any] = {"py_modules": list(opening.modules)} if opening.modules else {}
    try:
        _init(address=address, runtime_env=environment)
    except Exception as error:
        raise Refused(f"launcher.address = {address}: {_line(error)}") from error


def _init(**options: Any) -> None:
    import ray

    ray.init(log_to_driver=False, configure_logging=False, namespace="hpsearch", **options)


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines) or type(error).__name__


def room(nodes: list[Mapping[str, Any]], wanted: Wanted) -> int:
    """Return how many workers fit on the nodes of a cluster that was joined."""
    count = 0
    for node in nodes:
        if node["Alive"]:
            fits = int(node["Resources"].get("CPU", 0) / wanted.cpus + 1e-6)
            if wanted.gpus:
                fits = min(fits, _on_gpus(node["Resources"].get("GPU", 0), wanted.gpus))
            count += fits
    return count


def _on_gpus(gpus: float, share: float) -> int:
    """Return how many workers fit on the GPUs of a node, of which each has whole ones or a share of one."""
    return int(gpus) * int(1 / share + 1e-6) if share < 1 else int(gpus / share)


def has_gpus(nodes: list[Mapping[str, Any]]) -> bool:
    """Return whether a node has one."""
    return any(node["Alive"] and node["Resources"].get("GPU", 0) > 0 for node in nodes)
