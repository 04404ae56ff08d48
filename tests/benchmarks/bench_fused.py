"""How fast trials train as one program, by their number K, beside one at a time and several processes.

    python -m tests.benchmarks.bench_fused [--models softmax mlp lenet small_conv resnet18] [--widths 8 16 32]
        [--seconds 1] [--processes N] [--compile] [--refill TRIALS] [-- WORD ...]

For each model a row by way:

- ``alone``: one trial by the plain loop; ``alone, compiled``, with ``--compile``: its model compiled first; ``alone,
  graphed``: a group of one whose steps a GPU repeats by itself (CUDA graphs), where there is one;
- ``N processes``: the plain loop in so many processes at once, of one thread each; ``N processes, K together``: a group
  of the widest in each;
- ``K together``: a group of K trials; on a GPU by graphs unless ``trainer.graph=false`` is among the words;
- ``auto``: what `hpsearch.trial.fused.choosing` takes, and what it measured, in ms per step of one trial.

Steps of a trial per second count, forward and backward pass, update and batch, and from them trials per hour and
samples per second; no evaluations. On a processor seconds are those of the processor that a process uses, so that
others on the machine count little, and what several processes do adds up; on a GPU they are time.

``--refill TRIALS`` trains so many LeNets under successive halving, of which a quarter goes on after 1 epoch and after
4, in groups of the widest width: once with slots that are filled again as trials end, once group after group. It prints
seconds of each, evaluations included.

Further words change every trial: ``data=fashion_mnist``, ``trainer.precision=bf16``, ``trainer.channels_last=true``.
On an H200-class GPU, wanted of MLP 50 times and of LeNet 20 times one alone, 5 million samples a second of LeNet, and
small_conv in bf16 twice one alone, graphed:

    python -m tests.benchmarks.bench_fused --widths 16 64 256 --processes 16 --compile --refill 256 -- \
        data=fashion_mnist data.batch_size=128
    python -m tests.benchmarks.bench_fused --models small_conv --widths 8 32 64 -- data=fashion_mnist \
        trainer.precision=bf16
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from hpsearch.base.types import Decision, Report, Wait
from hpsearch.config.compose import compose
from hpsearch.trial.accelerator import accelerator
from hpsearch.trial.build import prepare
from hpsearch.trial.fused import choosing, fusing
from hpsearch.trial.fused.group import Group
from hpsearch.trial.fused.member import Member
from hpsearch.trial.job import Job
from hpsearch.trial.loop import train
from hpsearch.trial.updates import torch_state

MODELS = ("softmax", "mlp", "lenet", "small_conv", "resnet18")
WORDS = ("data=digits", "data.batch_size=64", "optimizer=momentum")
SMALL = ("model.kernel_size=3",)
"""Of LeNet on images of eight pixels."""
RUNGS, FACTOR = (1, 4), 4


class Speed(NamedTuple):
    """Steps of one trial per second.

    Attributes:
        way: in which they were taken.
        steps: of all trials.
    """

    way: str
    steps: float


def job_of(model: str, words: Sequence[str], seed: int = 0, folder: str = "") -> Job:
    """Return a trial."""
    said = [*WORDS, f"model={model}", *(SMALL if model == "lenet" and not _large(words) else ()), *words]
    config = compose(said).trial({}, 0, 0).config
    return prepare(config | {"seed": seed}, "bench", Path(folder or tempfile.gettempdir()) / str(seed))


def _large(words: Sequence[str]) -> bool:
    return any(word.startswith("data=") and word != "data=digits" for word in words)


def steps_per_sec(job: Job, run: Callable[[int], object], seconds: float, together: int = 1) -> float:
    """Return the steps of one trial per second.

    Args:
        job: the trial.
        run: takes so many steps, at most a pass.
        seconds: for which it is measured.
        together: trials that take a step at once.
    """
    device, count = accelerator(job.device), job.steps_per_epoch
    clock = time.perf_counter if job.device.type == "cuda" else time.process_time
    with torch_state(job, 1):
        run(count)
        device.synchronize()
        started, taken = clock(), 0
        while clock() - started < seconds:
            run(count)
            device.synchronize()
            taken += count
        return together * taken / (clock() - started)


def processes(model: str, width: int, options: argparse.Namespace) -> float:
    """Return the steps per second of several processes, each with so many trials at a time."""
    count = options.processes
    words = [sys.executable, "-m", "tests.benchmarks.bench_fused", "--child", str(width), "--models", model]
    words += ["--seconds", str(options.seconds), "--", *options.words]
    children = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return sum(float(json.loads(child.communicate()[0])) for child in children)


def speeds(model: str, options: argparse.Namespace) -> Iterator[Speed]:
    """Yield how fast a model's trials are, way by way."""
    job = job_of(model, options.words)
    yield Speed("alone", steps_per_sec(job, choosing._plain_steps(job), options.seconds))
    if options.compile:
        compiled = job_of(model, [*options.words, "trainer.compile=true"])
        yield Speed("alone, compiled", steps_per_sec(compiled, choosing._plain_steps(compiled), options.seconds))
    if options.processes:
        yield Speed(f"{options.processes} processes", processes(model, 1, options))
    if reason := fusing.fault(job):
        print(f"{model}: {reason}")
        return
    if accelerator(job.device).captures:
        run = choosing._fused_steps(job, 1, "auto")
        yield Speed("alone, graphed", steps_per_sec(job, run, options.seconds))
    for width in options.widths:
        run = choosing._fused_steps(job, width, "auto")
        yield Speed(f"{width} together", steps_per_sec(job, run, options.seconds, width))
    if options.processes:
        width = max(options.widths)
        yield Speed(f"{options.processes} processes, {width} together", processes(model, width, options))


def table(model: str, options: argparse.Namespace) -> None:
    """Print the rows of a model."""
    job, found = job_of(model, options.words), list(speeds(model, options))
    for way, steps in found:
        trials, samples = 3600 * steps / job.steps, steps * job.batching.size
        print(f"| {model} | {way} | {steps:,.0f} | {steps / found[0].steps:.2f} | {trials:,.0f} | {samples:,.0f} |")
    with tempfile.TemporaryDirectory() as folder:
        choice = choosing.choice_of(job, Path(folder), max(options.widths), measures=True)
    measured = ", ".join(f"{width}: {ms:.3f}" for width, ms in choice.step_ms.items())
    print(f"| {model} | auto: {choice.width} ({choice.why}) | | | | {measured} |", flush=True)


class Trial:
    """A trial of successive halving.

    Args:
        job: the trial.
        group: that it is trained in.
        rank: the smaller, the longer it goes on.
    """

    def __init__(self, job: Job, group: Group, rank: int) -> None:
        self._run, self._rank = train(job, partial(Member, group)), rank
        self.wait: Wait | None = None
        self.over = False
        self._answer: Decision | None = None

    def go_on(self) -> None:
        """Go on to its next message."""
        try:
            (said,) = next(self._run) if self._answer is None else self._run.send((self._answer,))
        except StopIteration:
            self.over = True
            return
        self.wait = said if isinstance(said, Wait) else None
        self._answer = self._decide(said.epoch) if isinstance(said, Report) else Decision.CONTINUE

    def _decide(self, epoch: float) -> Decision:
        ended = any(epoch == rung and self._rank % FACTOR ** (place + 1) for place, rung in enumerate(RUNGS))
        return Decision.STOP if ended else Decision.CONTINUE


def halving(jobs: Sequence[Job], width: int, refill: bool) -> float:
    """Return the seconds of successive halving, groups of at most `width` trials at once."""
    clock = time.perf_counter if jobs[0].device.type == "cuda" else time.process_time
    waiting, running, group, started = deque(enumerate(jobs)), list[Trial](), Group(width), clock()
    while waiting or running:
        while waiting and len(running) < width and (refill or not _begun(running)):
            rank, job = waiting.popleft()
            running.append(Trial(job, group, rank))
        ready = [trial for trial in running if trial.wait is None or trial.wait.ready()]
        for trial in ready:
            trial.go_on()
        if not ready and running[0].wait is not None:
            running[0].wait.on.advance()
        running = [trial for trial in running if not trial.over]
    accelerator(jobs[0].device).synchronize()
    return clock() - started


def _begun(running: Sequence[Trial]) -> bool:
    return any(trial.wait is not None for trial in running)


def refilled(trials: int, options: argparse.Namespace) -> None:
    """Print how long successive halving takes with and without refill."""
    words = [*options.words, f"trainer.epochs={FACTOR ** len(RUNGS)}", "trainer.checkpoint_sec=1e9"]
    for refill in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            jobs = [job_of("lenet", words, seed, folder) for seed in range(trials)]
            seconds = halving(jobs, max(options.widths), refill)
        way = "slots filled again" if refill else "group after group"
        print(f"{trials} LeNets, {way}: {seconds:.1f} s", flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--widths", nargs="+", type=int, default=[8, 16, 32])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--refill", type=int, metavar="TRIALS")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    if options.child:
        job, width = job_of(options.models[0], options.words), options.child
        run = choosing._plain_steps(job) if width == 1 else choosing._fused_steps(job, width, "auto")
        print(json.dumps(steps_per_sec(job, run, options.seconds, width)))
        return 0
    print("| model | way | steps/s | of one alone | trials/h | samples/s |\n|---|---|---|---|---|---|")
    for model in options.models:
        table(model, options)
    if options.refill:
        refilled(options.refill, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
