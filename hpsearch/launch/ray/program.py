"""The gateway: a process beside the driver that speaks with Ray, so that the driver's own need not.

What Ray prints goes where this process prints: into a file. When the driver is gone, however it went, it closes.
"""

import queue
import re
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hpsearch.base.threads import start_thread
from hpsearch.launch.frames import GONE
from hpsearch.launch.ray.agent import Agent
from hpsearch.launch.ray.cluster import Refused, has_gpus, open_cluster, room
from hpsearch.launch.ray.news import DOWN, OPENED, REFUSED, RELEASE, SAID, UP
from hpsearch.launch.ray.terms import Opening, Order, Wanted
from hpsearch.launch.versions import facts

_CLOSE_SEC = 3.0


def main(fd: int) -> None:
    """Serve the driver until it closes the connection.

    Args:
        fd: of the connection.
    """
    connection = Connection(fd)
    opening: Opening = connection.recv()
    try:
        open_cluster(opening)
    except Refused as error:
        connection.send((REFUSED, str(error)))
        return
    is_closed = False
    with suppress(EOFError, OSError):
        if needs := connection.recv():
            is_closed = _serve(_Gateway(connection, *needs))
    if not is_closed:
        _remove(Path(opening.temporary))


def _serve(gateway: "_Gateway") -> bool:
    try:
        return gateway.run()
    finally:
        gateway.close()


def _remove(link: Path) -> None:
    """Remove what the driver would have, had it not died."""
    folder = link.resolve().parent
    link.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


class _Gateway:
    """Gives what the driver says to the actors of its slots, and what they say to the driver."""

    def __init__(self, connection: Connection, workers: int | None, wanted: Wanted) -> None:
        self._connection = connection
        self._writes = threading.Lock()
        self._places: dict[int, _Place] = {}
        import ray

        nodes = ray.nodes()
        self._wanted = wanted if has_gpus(nodes) else replace(wanted, gpus=0)
        self._agent = _agent(self._wanted)
        self.tell(OPENED, workers or room(nodes, self._wanted), _described(nodes))

    def tell(self, *news: Any) -> None:
        with self._writes, suppress(OSError):
            self._connection.send(news)

    def run(self) -> bool:
        """Do what the driver says; return whether it said that it is done."""
        with suppress(EOFError, OSError):
            while message := self._connection.recv():
                slot, order = message
                if order[0] == RELEASE:
                    if place := self._places.pop(slot, None):
                        start_thread(place.close, name="release")
                    continue
                if order[0] == "spawn" and (slot not in self._places or self._places[slot].lost):
                    self._places[slot] = _Place(slot, self._agent.remote(self._wanted), self.tell)
                if slot in self._places:
                    self._places[slot].give(order)
                elif order[0] == "kill":
                    self.tell(SAID, slot, order[1], GONE, b"its node was given back")
            return True
        return False

    def close(self) -> None:
        import ray

        closing = [start_thread(place.close, name="close") for place in self._places.values()]
        for each in closing:
            each.join(_CLOSE_SEC + 1)
        ray.shutdown()


class _Place:
    """The actor of a slot, which is pending until a node has room for it.

    Attributes:
        lost: whether it is gone.
    """

    def __init__(self, slot: int, actor: Any, tell: Callable[..., None]) -> None:
        self.lost = False
        self._slot, self._tell = slot, tell
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._workers: set[int] = set()
        self._lock = threading.Lock()
        self._actor = actor
        self._up, self._node = threading.Event(), ""
        start_thread(self._give, name=f"orders of {slot}")
        start_thread(self._listen, name=f"news of {slot}")

    def give(self, order: Order) -> None:
        """Let the actor do something; of one that is lost every worker is gone."""
        with self._lock:
            if order[0] == "spawn":
                self._workers.add(order[1])
            if self.lost:
                self._all_gone("its node is lost")
                return
            self._orders.put(order)
            if order[0] == "kill" and not self._up.is_set():  # nobody waits for an actor that may come never
                self._workers.discard(order[1])
                self._tell(SAID, self._slot, order[1], GONE, b"it has no node")

    def close(self) -> None:
        """End the actor."""
        import ray

        with self._lock:
            self.lost = True
        if self._up.is_set():
            with suppress(Exception):
                ray.get(self._actor.close.options(concurrency_group="close").remote(), timeout=_CLOSE_SEC)
        with suppress(Exception):
            ray.kill(self._actor)

    def _give(self) -> None:
        import ray

        try:
            there, node = ray.get(self._actor.facts.remote())
            if unlike := facts("").unlike(there):
                self._tell(REFUSED, f"node {there.node} has {unlike}: results would differ; install the same there")
                return
            self._node = there.node
            self._up.set()
            self._tell(UP, self._slot, there, node)
            while True:
                orders = [self._orders.get()]
                with suppress(queue.Empty):
                    while True:
                        orders.append(self._orders.get_nowait())
                ray.get(self._actor.take.options(concurrency_group="orders").remote(orders))
        except ray.exceptions.RayActorError as error:
            if error.actor_init_failed:
                self._tell(REFUSED, _cannot_begin(str(error)))
            self._lose(error)
        except Exception as error:
            self._lose(error)

    def _listen(self) -> None:
        import ray

        try:
            while True:
                for number, kind, payload in ray.get(self._actor.said.options(concurrency_group="news").remote()):
                    if kind == GONE:
                        with self._lock:
                            self._workers.discard(number)
                    self._tell(SAID, self._slot, number, kind, payload)
        except Exception as error:
            self._lose(error)

    def _lose(self, error: Exception) -> None:
        """Say once that the actor is gone, and its workers with it."""
        with self._lock:
            if self.lost:
                return
            self.lost = True
            print(f"slot {self._slot}: {error}", file=sys.stderr, flush=True)
            why = self._why(str(error)) or type(error).__name__
            self._tell(DOWN, self._slot)
            self._all_gone(why)

    def _why(self, text: str) -> str:
        """Return in a line why the actor is gone."""
        if "node has died" in text:
            return f"node {self._node} is lost"
        if self._up.is_set():
            return f"Ray's process for it on node {self._node} ended or was killed"
        *_, last = ["", *filter(None, map(str.strip, text.splitlines()))]
        return last

    def _all_gone(self, why: str) -> None:
        for number in self._workers:
            self._tell(SAID, self._slot, number, GONE, f"the worker of slot {self._slot} is lost: {why}".encode())
        self._workers = set()


def _cannot_begin(text: str) -> str:
    """Return in a line why an actor could not be made, of what Ray says about it."""
    address = re.search(r"ip=([^,)\s]+)", text)
    *_, last = ["", *filter(None, map(str.strip, text.splitlines()))]
    where = f"node {address[1]}" if address else "a node"
    return f"{where} cannot run workers: {last}; install the same hpsearch, torch and Python there"


def _agent(wanted: Wanted) -> Any:
    """Return what makes an actor; Ray sends its class to the nodes once for each of these."""
    import ray

    options = {"num_cpus": wanted.cpus, "max_restarts": 0, "max_task_retries": 0}
    groups = {"orders": 1, "news": 1, "close": 1}
    return ray.remote(num_gpus=wanted.gpus or 0, concurrency_groups=groups, **options)(Agent)


def _described(nodes: list[Any]) -> str:
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    return "; ".join(f"{each.get('CPU', 0):g} CPUs, {each.get('GPU', 0):g} GPUs" for each in alive)
