"""Whether trials train faster as one program than one after the other: measured once, and kept.

The steps of the plain loop and of groups of growing width are timed on the real model, data and device. What is found
is written down beside the study, by what its trials have in common, so that whoever goes on with it does the same.
"""

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from torch import nn

from hpsearch.base.errors import StorageError, out_of_memory
from hpsearch.base.formats import stamped, upgraded
from hpsearch.base.intake import json_file
from hpsearch.base.leftovers import temporary_path
from hpsearch.base.memory import keep_freed_memory
from hpsearch.base.plain import stable_hash
from hpsearch.nn.stacked import Stacked
from hpsearch.trial.accelerator import accelerator
from hpsearch.trial.fused import fusing
from hpsearch.trial.fused.epoch import FusedEpoch
from hpsearch.trial.fused.graphed import update_of
from hpsearch.trial.fused.joint import Joint
from hpsearch.trial.fused.step import copied
from hpsearch.trial.groups import Groups, free_memory
from hpsearch.trial.job import Job
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.updates import epoch_steps, prepare_model, torch_state, trained_parameters, update_weights
from hpsearch.trial.watch import Limit

WAYS = ("grouped", "unfolded")
"""How a GPU may convolve for several members."""
FOLDER = "fused"
"""Beside the trials of a study: a file for each batching key."""
GAIN = 1.25
"""How many times as fast a group must be: several at a time on one machine share its caches, one alone does not."""
KNEE = 1.1
"""A wider group is taken while a step of a member takes at most so many times as long as in the best one."""
STEPS, REPEATS, SLICE_SEC = {False: 8, True: 64}, 3, 0.03
"""Steps that are timed at once, more where a device repeats them in less time than it takes to begin a pass; how often;
and what they may take together: of slow ones fewer are timed."""
WIDEST = {"cpu": 32}
"""Widest group by type of the device: on a processor twice as many are no faster, and each waits for all others."""
NARROW = 8
"""The first width that is measured; the next ones are twice as wide each."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How trials with a batching key are trained.

    Attributes:
        width: how many at once; 1: by the plain loop.
        why: it is so.
        step_ms: time of one step of one member, by width; 1 is the plain loop.
        convolution: how a group computes its convolutions, a key of `hpsearch.nn.stacked_rules.CONVOLUTIONS`.
    """

    width: int
    why: str
    step_ms: Mapping[int, float]
    convolution: str = "auto"


def choice_of(job: Job, study: Path, most: int, measures: bool) -> Choice:
    """Return how a trial is trained, as it was chosen for the first one of its kind.

    Args:
        job: the trial.
        study: folder of the study, where the choice is kept.
        most: widest group.
        measures: whether to find out what is faster; else as wide as possible.
    """
    if reason := fusing.fault(job):
        return Choice(1, reason, {})
    if job.device.type == "cpu":
        keep_freed_memory()
    if not measures:
        return Choice(most, "launcher.fuse", {})
    key = stable_hash({"key": [str(part) for part in fusing.key_of(job)]})
    file = study / FOLDER / f"{key}.json"
    return _kept(file) or _keep(file, _measured(job, min(most, WIDEST.get(job.device.type, most))))


def _kept(file: Path) -> Choice | None:
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        fields = upgraded(json_file(file), "choice", file)
        step_ms = {int(k): v for k, v in fields["step_ms"].items()}
        return Choice(fields["width"], fields["why"], step_ms, fields["convolution"])
    return None


def _keep(file: Path, choice: Choice) -> Choice:
    """Write a choice down, unless another worker was faster or this machine does not see the study; return it."""
    if not file.parents[1].is_dir():
        return choice
    file.parent.mkdir(exist_ok=True)
    temporary = temporary_path(file)
    try:
        temporary.write_text(json.dumps(stamped(asdict(choice))), encoding="utf-8")
        with suppress(FileExistsError):
            os.link(temporary, file)
    except OSError as error:
        raise StorageError(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return _kept(file) or choice


def _measured(job: Job, most: int) -> Choice:
    """Time the plain loop and groups of growing width, and take the widest of the fast ones."""
    step_ms = {1: _timed(_plain_steps(job), job)}
    width = min(NARROW, most)
    convolution = _convolution(job, width)
    while width > 1:
        step_ms[width] = _group_ms(job, width, convolution)
        if math.isinf(step_ms[width]):
            del step_ms[width]
            break
        if width == most or step_ms[width] > KNEE * min(step_ms.values()):
            break
        width = min(2 * width, most) if 4 * width <= most else most
    fused = {k: ms for k, ms in step_ms.items() if k > 1}
    best = min(fused.values(), default=float("inf"))
    if best * GAIN > step_ms[1]:
        return Choice(1, "one by one is as fast", step_ms)
    return Choice(max(k for k, ms in fused.items() if ms <= KNEE * best), "measured", step_ms, convolution)


def _group_ms(job: Job, width: int, convolution: str) -> float:
    """Return the time of a step of one member of a group; infinite where memory does not suffice."""
    try:
        return _timed(_fused_steps(job, width, convolution), job) / width
    except Exception as error:
        if not out_of_memory(error):
            raise
    free_memory()
    return math.inf


def _convolution(job: Job, width: int) -> str:
    """Return how a group convolves fastest: on a GPU that depends on the layers, elsewhere their rule knows.

    Where the same bits are promised it is the usual way, which a replay takes too.
    """
    convolves = any(isinstance(layer, nn.Conv2d) for layer in job.model.modules())
    if not (accelerator(job.device).captures and convolves and width > 1) or job.trainer.deterministic:
        return "auto"
    return min(WAYS, key=lambda way: _group_ms(job, width, way))


def _timed(run: Callable[[int], Any], job: Job) -> float:
    """Return the time of a step in ms, the shortest of several times."""
    device = accelerator(job.device)
    most = STEPS[device.captures]
    clock = time.perf_counter if device.captures else time.thread_time
    with torch_state(job, 1):
        run(1)
        if device.captures:
            run(most)  # of which the first are captured
            device.synchronize()
        started, seconds = clock(), []
        run(1)
        steps = max(1, min(most, job.steps_per_epoch, int(SLICE_SEC / max(clock() - started, 1e-9))))
        for _ in range(REPEATS):
            started = clock()
            run(steps)
            device.synchronize()
            seconds.append(clock() - started)
    return min(seconds) / steps * 1000


def _plain_steps(job: Job) -> Callable[[int], None]:
    job = copied(job)
    prepare_model(job)
    named, groups = trained_parameters(job), Groups(job)
    weights = [weight for _, weight in named]
    rates = _rates(job)

    def run(steps: int) -> None:
        each = epoch_steps(job, groups, 1, 0, rates, lambda _: update_weights(job, named, weights))
        for _ in islice(each, steps):
            pass

    return run


def _fused_steps(job: Job, width: int, convolution: str) -> Callable[[int], None]:
    jobs = [copied(job) for _ in range(width)]
    stack = Stacked([each.model for each in jobs], convolution)
    update, layers = update_of(jobs, stack), [LayerWatch(job.model, job.folder, 0, None, active=False)] * width
    rates, limit = _rates(job), Limit(0.0, "", 1.0)

    def run(steps: int) -> None:
        epochs = [FusedEpoch(each, layers[0], 1, rates, limit, lambda _: iter(())) for each in jobs]
        stack.train()
        Joint(jobs, epochs, layers, update).train_to(min(steps, job.steps_per_epoch), ())

    return run


def _rates(job: Job) -> Sequence[tuple[float, float | None]]:
    """Return rates of 0: what is measured stays where it is, and is finite."""
    return [(0.0, None)] * job.steps_per_epoch
