"""What the machine gives: a device, cores, memory, room on its disks, limits."""

import importlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from hpsearch.base import platform
from hpsearch.base.devices import sees_cuda
from hpsearch.base.installed import version_of
from hpsearch.base.words import count, listed
from hpsearch.study.doctor.findings import Finding, note, ok, problem

DEVICE_SEC = 3.0
"""How long a driver may take to answer; one that hangs is a finding."""
GIB, MIB = 2**30, 2**20
FULL, TIGHT = 200 * MIB, 2 * GIB
"""A disk with less is as good as full; with less than the second, a long study fills it."""
LITTLE_MEMORY = GIB
FILES = 1024
_NVIDIA = Path("/proc/driver/nvidia/version")
_ASKED = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits")


def ask_for_gpus() -> "subprocess.Popen[str] | None":
    """Start to ask NVIDIA's driver which GPUs there are; None where there is no such program."""
    if shutil.which(_ASKED[0]) is None:
        return None
    return subprocess.Popen(_ASKED, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def device(asked: "subprocess.Popen[str] | None") -> Iterator[Finding]:
    """Yield what trials can be trained on.

    Args:
        asked: what `ask_for_gpus` returned.
    """
    torch = version_of("torch") or ""
    if asked is None and not _NVIDIA.exists():
        yield ok("device", f"{'GPU of Apple (mps)' if platform.MACOS else 'no GPU'}; {platform.processor_name()}")
        return
    answer = "nvidia-smi is missing" if asked is None else _answer(asked)
    gpus = [line.split(", ") for line in answer.splitlines() if line.count(", ") == 2]
    if not gpus:
        said = " ".join(answer.split())[:200] or "nvidia-smi named none"
        yield problem("device", f"the driver of the GPU does not answer: {said}", "nvidia-smi; restart the machine")
        return
    names = listed([f"{name}, {int(mib) / 1024:.0f} GiB" for name, _, mib in gpus])
    yield ok("device", f"{names}; driver {gpus[0][1]}")
    if torch.endswith("+cpu"):
        said = f"torch {torch} is built for the processor alone, and uses no GPU"
        yield problem("device", said, "pip install --force-reinstall torch")
    elif not sees_cuda() and "CUDA_VISIBLE_DEVICES" in os.environ:
        yield note("device", "CUDA_VISIBLE_DEVICES hides every GPU", "unset CUDA_VISIBLE_DEVICES")


def _answer(asked: "subprocess.Popen[str]") -> str:
    try:
        return asked.communicate(timeout=DEVICE_SEC)[0].strip()
    except subprocess.TimeoutExpired:
        asked.kill()
        asked.communicate()
        return f"nvidia-smi said nothing for {DEVICE_SEC:.0f} s"


def processor() -> Iterator[Finding]:
    """Yield cores and memory, as a container limits them."""
    cores, quota, machine = platform.usable_cores(), platform.core_quota(), os.cpu_count() or 1
    usable = min(cores, quota or cores)
    limited = f" of {machine} (this container, or what this process may use)" if usable < machine else ""
    free, total = platform.memory()
    text = f"{count(usable, 'core')}{limited}; {_gib(free)} of {_gib(total)} of memory free"
    if free < LITTLE_MEMORY:
        yield note("processor", f"{text}: a worker takes about 0.5 GiB", "give launcher.workers=1")
    else:
        yield ok("processor", text)


def disks(places: Mapping[str, Path]) -> Iterator[Finding]:
    """Yield the room on the disk of each place.

    Args:
        places: folders by what is written there; one that is not there counts as the one that it will be in.
    """
    by_disk: dict[int, tuple[list[str], Path]] = {}
    for what, place in places.items():
        existing = next(each for each in (place, *place.parents) if each.exists())
        by_disk.setdefault(existing.stat().st_dev, ([], existing))[0].append(what)
        if not os.access(existing, os.W_OK | os.X_OK):
            yield problem("disk", f"{what}: no right to write in {existing}", f"chmod u+rwx {existing}, or its owner's")
    for names, place in by_disk.values():
        yield _room(names, place)


def _room(names: Sequence[str], place: Path) -> Finding:
    usage = shutil.disk_usage(place)
    text = f"{listed(names)}: {_gib(usage.free)} of {_gib(usage.total)} free"
    if usage.free < FULL or _files_left(place) == 0:
        return problem("disk", f"{text} in {place}: as good as full", "remove what nobody needs there")
    return (note if usage.free < TIGHT else ok)("disk", text)


def _files_left(place: Path) -> int | None:
    """Return how many files there is room for; None where the system does not count them."""
    with suppress(OSError, AttributeError):
        found = os.statvfs(place)
        return found.f_favail if found.f_files else None
    return None


def limits() -> Iterator[Finding]:
    """Yield the limits of this process: open files, and who may read what it writes."""
    mask = os.umask(0o077)  # asked for by setting it
    os.umask(mask)
    files = _open_files()
    text = f"{files or 'any number of'} open files, umask {mask:03o}, temporary files in {tempfile.gettempdir()}"
    if files is not None and files < FILES:
        yield note("limits", f"{text}: few files may be open at once", f"ulimit -n {4 * FILES}")
    elif not mask & 0o002 and not platform.WINDOWS:
        yield note("limits", f"{text}: everybody on this machine may change your studies", "umask 022")
    else:
        yield ok("limits", text)


def _open_files() -> int | None:
    """Return how many files may be open; None without a limit, or on Windows."""
    try:
        resource = importlib.import_module("resource")
    except ImportError:
        return None
    soft = int(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    return None if soft == resource.RLIM_INFINITY else soft


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
