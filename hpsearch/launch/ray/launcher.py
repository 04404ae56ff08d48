"""Worker processes on the nodes of a Ray cluster."""

import importlib.util
import itertools
import pickle
import queue
import socket
import sysconfig
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hpsearch.base.errors import ConfigError, MachineError
from hpsearch.base.sent import sent_files
from hpsearch.base.types import Clock, TrialSpec
from hpsearch.launch.devices import visible_gpus, worker_count
from hpsearch.launch.frames import BATCH
from hpsearch.launch.limits import gpu_share
from hpsearch.launch.process import import_path
from hpsearch.launch.ray import early
from hpsearch.launch.ray.files import digest_of
from hpsearch.launch.ray.gateway import Gateway
from hpsearch.launch.ray.terms import Needs, Wanted, place
from hpsearch.launch.ray.worker import RayWorker
from hpsearch.launch.slot import Slot, Worker
from hpsearch.launch.slots import SlotLauncher

_CONNECT_SEC = 5.0
_LOOK_SEC = 0.2
_DEATHS = 3
"""How often a worker of a node may die before it has trained anything."""


class RayLauncher(SlotLauncher):
    """Trains in worker processes on the nodes of a cluster; every slot is an actor, which takes its share of a node.

    Actors that no node has room for stay pending: a cluster that scales itself sees them, and a node that joins gets
    them. A slot that had nothing to do for a while gives its share back, and asks again when the others are busy. A
    node that is lost costs its trials an attempt each.

    Args:
        address: of a cluster that this machine is part of, HOST:PORT, or ``auto``: the one that runs here; None: one is
            started on this machine, for this command alone.
        workers: number of slots; ``auto``: as many as the nodes have room for when the command starts.
        gpus_per_trial: GPUs that a worker takes, or the share of one; where the cluster has none at the start, none.
        threads: CPUs that a worker takes, and threads that it computes with.
        lockstep: a trial waits after every message until `decide` answers it.
        retries: how often a trial is tried again after an error of its own or the death of its worker or node.
        grace_sec: how long a trial that was told to stop or to pause may take before whoever told it kills it.
        paused: how many paused loops of a user's own wait per worker; ``auto``: as many as the memory allows, none
            on a GPU.
        fuse: whether a worker trains trials as one program: ``auto`` where that is faster, ``on``, ``off``, or how many
            at most.
        log_mib: how large a log may be, in MiB; of a longer one the first and the last half are kept.
        start_sec: how long to wait for the first worker.
        idle_sec: seconds after which a slot with nothing to do gives its node back; one always stays.
        plugins: packages of the user's, which the nodes of a cluster that was joined are sent.
        clock: monotonic seconds.

    Raises:
        ConfigError: `workers` or `threads` is not a positive whole number, Ray is not installed, or there is no share
            of GPUs like this.
    """

    always_up = False

    def __init__(
        self,
        address: str | None = None,
        workers: int | str = "auto",
        gpus_per_trial: float = 1,
        threads: int = 1,
        lockstep: bool = False,
        retries: int = 2,
        grace_sec: float = 10.0,
        paused: int | str = "auto",
        fuse: bool | int | str = "auto",
        log_mib: float = 1.0,
        start_sec: float = 120.0,
        idle_sec: float = 60.0,
        plugins: Sequence[str] = (),
        clock: Clock = time.monotonic,
    ) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ConfigError("launcher = ray: needs Ray, which is not installed: pip install 'hpsearch[ray]'")
        self._address, self._plugins = address, tuple(plugins)
        if address is None:
            count = worker_count(workers, threads, visible_gpus(), gpus_per_trial)
        else:
            gpu_share("launcher.gpus_per_trial", gpus_per_trial)
            count = worker_count(workers, threads, (), 1) if workers != "auto" else 0
            _check_address(address)
        super().__init__(count, lockstep, retries, grace_sec, paused, fuse, clock)
        self._threads, self._gpus = threads, gpus_per_trial
        self._log_limit = round(log_mib * 2**20)
        self._start_sec, self._idle_sec = start_sec, idle_sec
        self._numbers = itertools.count()
        self._gateway: Gateway | None = None
        self._idle_since: dict[int, float] = {}
        self._asleep: set[int] = set()
        self._spare_since = clock()
        self._rehearsals: dict[bytes, Callable[[Any], str]] = {}
        self._rehearsing: dict[int, tuple[str, bytes]] = {}
        self._shown: defaultdict[str, set[bytes]] = defaultdict(set)
        self._deaths: Counter[str] = Counter()

    def _begun(self, module: str) -> Sequence[Worker]:
        """Open the cluster, and ask for every worker."""
        if self._address is None:
            self._gateway = early.taken() or Gateway()
        else:
            self._gateway = Gateway(self._address, _shipped(self._plugins))
        try:
            self._gateway.want(self._workers or None, self._wanted(module))
            if not self._gateway.workers:
                raise ConfigError(
                    f"launcher.threads = {self._threads}, launcher.gpus_per_trial = {self._gpus:g}: no node of the "
                    f"cluster has room for a worker ({self._gateway.nodes}); give launcher.workers a number where "
                    "nodes are to come"
                )
        except BaseException:
            self._end()
            raise
        self._workers = self._gateway.workers
        return [self._spawn(index) for index in range(self._workers)]

    def _wanted(self, module: str) -> Wanted:
        cpus = 0 if self._address is None else self._threads
        at_once = module if module.partition(".")[0] == __name__.partition(".")[0] else ""
        path = tuple(map(place, import_path()))
        return Wanted(cpus, self._threads, self._gpus, self._log_limit, place(str(Path.cwd())), path, at_once)

    def _spawn(self, index: int) -> RayWorker:
        gateway, number = self._running(), next(self._numbers)
        worker = RayWorker(number, index, lambda order: gateway.tell((index, order)), self._needs, self._inbox)
        gateway.tell((index, ("spawn", number, self._hello)))
        gateway.attach(number, worker)
        return worker

    def _needs(self, kind: bytes, payload: bytes) -> Needs | None:
        """Return what a frame needs of the driver's files; None where the cluster is on this machine."""
        if self._address is None:
            return None
        specs = pickle.loads(pickle.loads(payload)[1])[0] if kind == BATCH else ()
        folder = specs[0].folder if specs else ""
        named = sent_files([spec.source for spec in specs] if specs else pickle.loads(payload))
        digests = {str(file): digest_of(file) for file in named}
        files = tuple((file, digest) for file, digest in digests.items() if digest)
        return Needs(self._running().token(Path(folder)) if folder else None, files)

    def _end(self) -> None:
        if self._gateway is not None:
            self._gateway.close()
            self._gateway = None

    def _is_up(self, slot: Slot) -> bool:
        """Return whether a slot has a node and its worker has started; in lockstep it is waited for when it is due."""
        return self.lockstep or (slot.ready and slot.index in self._running().up)

    def machine(self, slot: int) -> str:
        """Return the name of the node that a slot has."""
        return self._running().up.get(slot % self._workers, "")

    def call(self, function: Callable[..., Any], *args: Any, within_sec: float | None = None) -> Any:
        """Run `function(*args)` in a free worker, see `SlotLauncher.call`; the first worker is waited for."""
        self._wait_for(lambda: any(slot.ready and not slot.tasks for slot in self._slots))
        return super().call(function, *args, within_sec=within_sec)

    def everywhere(self, function: Callable[..., Any], *args: Any, unlike: Callable[[Any], str]) -> None:
        """Let every node run it before it trains, see `Launcher.everywhere`; one that comes later, too."""
        if self._address is None:
            return
        rehearsal = pickle.dumps((function, args))
        self._rehearsals[rehearsal] = unlike
        self._shown[self._running().nodes_of[self._asked]].add(rehearsal)
        self._touched = set(range(len(self._slots)))

    def free(self) -> tuple[int, ...]:
        """Return the slots that can take a batch: those of nodes that have shown that they can."""
        for index in tuple(self._touched):
            self._rehearse(self._slots[index])
        return super().free()

    def _rehearse(self, slot: Slot) -> None:
        """Let the node of a slot that is free run what every node must have run."""
        if slot.ready and not slot.tasks and slot.index in self._running().up:
            node = self._running().nodes_of[slot.index]
            shown = self._shown[node]
            if rehearsal := next((each for each in self._rehearsals if each not in shown), None):
                self._rehearsing[slot.index] = node, rehearsal
                slot.call(rehearsal)

    def _handle(self, worker: Worker, kind: bytes, payload: bytes) -> None:
        slot = self._slot_of(worker)
        super()._handle(worker, kind, payload)
        if slot is not None and slot.index in self._rehearsing and not slot.is_called:
            self._judge(slot, *self._rehearsing.pop(slot.index))

    def _judge(self, slot: Slot, node: str, rehearsed: bytes) -> None:
        """Refuse a node that cannot run what it must; one that is lost meanwhile is none."""
        assert slot.answer is not None
        answer = slot.answer
        if isinstance(answer.error, MachineError):
            self._deaths[node] += 1
            if self._deaths[node] == _DEATHS:
                raise answer.error
            return
        wrong = str(answer.error or "") or "".join(answer.traceback.splitlines()[-1:])
        if wrong := wrong or self._rehearsals[rehearsed](answer.value):
            raise ConfigError(f"node {self.machine(slot.index) or node}: {wrong}")
        self._shown[node].add(rehearsed)

    def submit(self, slot: int, specs: tuple[TrialSpec, ...]) -> None:
        """Start a batch in a free slot."""
        place = self._slots[slot % self._workers]
        self._wait_for(lambda: self._is_prepared(place))
        super().submit(slot, specs)
        if not self.free():
            self._wake()

    def _is_prepared(self, slot: Slot) -> bool:
        """Return whether a slot that is waited for has a node which has shown that it can train."""
        self._rehearse(slot)
        return slot.ready and not slot.is_called

    def poll(self, timeout_sec: float) -> list[Any]:
        """Return what happened, see `SlotLauncher.poll`, and let nodes go that are not needed."""
        events = super().poll(timeout_sec)
        self._running().check()
        self._let_go()
        return events

    def _running(self) -> Gateway:
        assert self._gateway is not None, "the launcher was not started"
        return self._gateway

    def _start_again(self, slot: Slot, detail: str) -> None:
        try:
            super()._start_again(slot, detail)
        except MachineError:
            if "Traceback (most recent call last)" not in detail:
                raise
            lines = detail.splitlines()  # what it imports before it is told anything is not the user's
            raise ConfigError(f"{lines[0]}: {lines[-1]}; install the same hpsearch, torch and Python there") from None

    def _wait_for(self, condition: Callable[[], bool]) -> None:
        """Take in what happens until a worker is there."""
        deadline = self._clock() + self._start_sec
        while not condition():
            self._running().check()
            if self._clock() > deadline:
                raise MachineError(
                    f"no node had room for a worker within {self._start_sec:g} s (launcher.start_sec): it takes "
                    f"{self._threads} CPUs (launcher.threads) and {self._gpus:g} GPUs where there are any; the cluster "
                    f"had {self._running().nodes}"
                )
            with suppress(queue.Empty):
                self._handle(*self._inbox.get(timeout=_LOOK_SEC))

    def _let_go(self) -> None:
        """Let slots sleep that had nothing to do for a while, as long as another one was free all the while."""
        now = self._clock()
        for slot in () if self.lockstep else self._slots:
            if slot.tasks or slot.held or slot.parked:
                self._idle_since.pop(slot.index, None)
            elif slot.index not in self._asleep:
                self._idle_since.setdefault(slot.index, now)
        spare = {index for index in self._idle_since if self._is_up(self._slots[index])}
        if not spare:
            self._spare_since = now
        if now - self._spare_since > self._idle_sec:
            for index, since in list(self._idle_since.items()):
                if now - since > self._idle_sec and spare - {index}:
                    spare.discard(index)
                    self._sleep(self._slots[index])

    def _sleep(self, slot: Slot) -> None:
        self._asleep.add(slot.index)
        del self._idle_since[slot.index]
        slot.ready = False
        self._running().release(slot.index)

    def _wake(self) -> None:
        for index in sorted(self._asleep):
            self._slots[index].replace_shared()
        self._asleep.clear()


def _check_address(address: str) -> None:
    """Refuse an address that is none, or where nobody listens."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise ConfigError(f"launcher.address = {address}: must be HOST:PORT, as `ray start --head` prints it, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SEC).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(f"launcher.address = {address}: nobody answers there ({error})") from error


def _shipped(plugins: Sequence[str]) -> tuple[str, ...]:
    """Return the files and folders of packages that are not installed, but found where the driver looks."""
    installed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    found = list[str]()
    for plugin in plugins:
        spec = importlib.util.find_spec(plugin.partition(".")[0])
        places = [] if spec is None else [*(spec.submodule_search_locations or [spec.origin or ""])]
        found += [each for each in places if each and str(Path(each).parent) not in installed]
    return tuple(dict.fromkeys(found))
