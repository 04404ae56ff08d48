"""The records of a trial: how to train, and everything built that is trained."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from hpsearch.base.contents import DataState
from hpsearch.base.devices import choose_device
from hpsearch.base.errors import ConfigError, check_choice
from hpsearch.base.limits import check_fields
from hpsearch.base.types import Objective
from hpsearch.data.augment import Augment
from hpsearch.data.base import Splits
from hpsearch.data.views import VIEWS
from hpsearch.metrics.base import Metric
from hpsearch.regularizers import Averaging, Constraint, EarlyStopping, Extent, Mixing, Penalty
from hpsearch.schedules import Table
from hpsearch.schedules.plateau import Plateau
from hpsearch.trial.batching import Batching
from hpsearch.trial.evaluations import end_steps, epoch_at, evaluation_steps
from hpsearch.trial.limits import AUTO, LIMITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainer:
    """How to train; the options of ``conf/trainer``.

    Attributes:
        epochs: passes over the training split.
        steps: optimizer updates in place of whole passes, the last one cut short; None: what `epochs` give.
        device: ``auto`` (CUDA, then Apple's GPU, then the processor), ``cpu``, ``mps``, ``cuda`` or ``cuda:N``.
        precision: ``float32``, or ``bf16`` for forward and backward passes in autocast; weights stay float32.
        compile: whether to compile the model.
        channels_last: lay the weights of convolutions out with the channels last, and thereby their maps; networks of
            many narrow convolutions train up to twice as fast so on a CPU.
        graph: let a GPU of NVIDIA's repeat steps by itself (CUDA graphs): ``auto``, those of trials that are trained as
            one program, where it can; True, those of a trial by itself too, or an error; False, none.
        deterministic: allow only deterministic torch kernels.
        clip_norm: largest Euclidean norm of the gradient over all parameters, None for no limit.
        clip_value: largest magnitude of one entry of the gradient, None for no limit.
        eval_batch_size: samples per forward pass in evaluations.
        eval_views: average the outputs over views of an input when evaluating, see `hpsearch.data.views.averaged`.
        eval_every: epochs between evaluations, a fraction for several per epoch; the end is always evaluated.
        eval_steps: optimizer updates between evaluations, in place of `eval_every`; None: what that gives.
        eval_initial: report the untrained model as epoch 0.
        eval_train: evaluate the training part too, in evaluation mode, wherever the score is taken from; ``each``:
            at every evaluation, so that there is a curve of it.
        test: evaluate the test split too, wherever the score is taken from.
        diverge_factor: a step's loss above this many times that of a model that knows nothing ends the trial as
            INFEASIBLE, see `hpsearch.trial.reference.divergence_limit`.
        checkpoint_sec: write the last state at most this often.
        log_every: keep the loss of every n-th step, from the first; None for about 100 per epoch.
        keep_end_mib: keep the last state of a trial that has ended, weights and optimizer, where it is no larger, so
            that another one can go on from it; 0 keeps none.
        keep_predictions: what is kept of the evaluations that make the score: ``scores``, what every single sample gave
            (right or wrong, its loss, its error); ``all``, outputs and targets too; ``none``.
        continued: STUDY/POINT/SEED of the trial whose last state is gone on from, None for none.
        watch_layers: write what each layer does to ``layers.json``, see `hpsearch.trial.layers.LayerWatch`.
    """

    epochs: int
    steps: int | None = None
    device: str = "auto"
    precision: str = "float32"
    compile: bool = False
    channels_last: bool = False
    graph: bool | str = AUTO
    deterministic: bool = False
    clip_norm: float | None = None
    clip_value: float | None = None
    eval_batch_size: int = 1000
    eval_views: str = "none"
    eval_every: float = 1
    eval_steps: int | None = None
    eval_initial: bool = True
    eval_train: bool | str = False
    test: bool = False
    diverge_factor: float = 10.0
    checkpoint_sec: float = 30.0
    log_every: int | None = None
    watch_layers: bool = True
    keep_end_mib: float = 4.0
    keep_predictions: str = "scores"
    continued: str | None = None

    def __post_init__(self) -> None:
        check_fields("trainer", LIMITS, self)
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", str(self.device)):
            raise ConfigError(f"trainer.device = {self.device!r}: must be auto, cpu, mps, cuda or cuda:N")
        check_choice("trainer.eval_views", self.eval_views, VIEWS)
        if self.eval_steps is not None and self.eval_every != 1:
            raise ConfigError(
                f"trainer.eval_steps = {self.eval_steps}: trainer.eval_every = {self.eval_every} says it in epochs "
                "already; set one of the two"
            )

    def find_device(self) -> torch.device:
        """Return the device to train on, see `hpsearch.base.devices.choose_device`.

        Raises:
            ConfigError: this machine has no such device, or it cannot do what `graph` says.
        """
        chosen = choose_device(self.device, torch.cuda.device_count(), torch.backends.mps.is_available())
        if self.graph is True and not chosen.startswith("cuda"):
            raise ConfigError(f"trainer.graph = True: the device {chosen} repeats no steps; use auto or false")
        return torch.device("cuda", torch.cuda.current_device()) if chosen == "cuda" else torch.device(chosen)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One trial, built: what the loop trains, and with what.

    Attributes:
        key: hash of the trial's configuration.
        folder: where its checkpoints go.
        seed: the trial's seed, the first word of the address of every draw.
        trainer: how to train.
        objective: which metric says what the best weights are.
        splits: the data, on the device; the test split only when the trainer evaluates it.
        batching: how the samples of an epoch are dealt out to steps.
        model: the model, on the device.
        loss: maps (outputs, targets) to their mean loss.
        optimizer: steps the model's parameters.
        table: learning rate (and momentum) of every step.
        regularizers: penalties on the parameters, by name.
        constraints: what holds after each update.
        mixing: blends the samples of a batch.
        averaging: of the weights, which is evaluated and kept in their place.
        early_stopping: ends the trial before its last epoch.
        shuffle: visit the training split in a new order each epoch, else always in its own.
        sampling: how an epoch draws its samples, see `hpsearch.data.base.DataSource`; None: each one once.
        augment: what changes the inputs of training batches, None for nothing.
        artifacts: files that are in `folder` before the training.
        data: what the samples and the weights were read from.
        facts: scalars measured once, sent with the first message.
        metrics: what is measured besides the loss, by key.
        frozen: modules of the model that stay in evaluation mode, because they are not trained.
        plateau: moves the rates of `table` by what a metric does, None where the table is all.
    """

    key: str
    folder: Path
    seed: int
    trainer: Trainer
    objective: Objective
    splits: Splits
    batching: Batching
    model: nn.Module
    loss: nn.Module
    optimizer: Optimizer
    table: Table
    regularizers: Mapping[str, Penalty]
    facts: Mapping[str, str | int | float]
    metrics: Mapping[str, Metric]
    constraints: tuple[Constraint, ...] = ()
    mixing: Mixing | None = None
    averaging: Averaging | None = None
    early_stopping: EarlyStopping | None = None
    frozen: tuple[nn.Module, ...] = ()
    plateau: Plateau | None = None
    shuffle: bool = True
    sampling: str | None = None
    augment: Augment | None = None
    artifacts: tuple[str, ...] = ()
    data: DataState = field(default_factory=DataState)

    @property
    def read(self) -> str:
        """Digest of what is trained on and started from: a checkpoint of anything else is not gone on with."""
        return f"{self.data.digest}/{self.splits.digest}"

    @cached_property
    def epochs(self) -> int:
        """Passes over the training split, the last one perhaps cut short; none where no parameter is trained."""
        trains = any(p.requires_grad for p in self.model.parameters())
        return math.ceil(self.steps / self.steps_per_epoch) if trains else 0

    @property
    def steps(self) -> int:
        """Optimizer updates in all."""
        return self.trainer.steps or self.trainer.epochs * self.steps_per_epoch

    @property
    def extent(self) -> Extent:
        """How long the training is."""
        return Extent(self.steps_per_epoch, self.steps)

    @cached_property
    def evaluations(self) -> tuple[int, ...]:
        """Optimizer updates after which the trial is evaluated."""
        every, every_steps = self.trainer.eval_every, self.trainer.eval_steps
        return evaluation_steps(self.steps, self.steps_per_epoch, every, every_steps)

    @property
    def restores(self) -> bool:
        """Whether it ends with its best weights because early stopping restores them."""
        return self.early_stopping is not None and self.early_stopping.restore_best

    @property
    def by_end(self) -> bool:
        """Whether an objective is the mean of evaluations at the end."""
        return any(each.reduce == "end" for each in self.objective.each)

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Optimizer updates after which it is evaluated for its score, where these are known beforehand."""
        return end_steps(self.steps) if self.by_end and not self.restores else ()

    def epoch_at(self, step: int) -> float:
        """Return how many passes the trial has made after an update, see `hpsearch.trial.evaluations.epoch_at`."""
        whole = self.trainer.eval_steps is None and self.trainer.eval_every == int(self.trainer.eval_every)
        return epoch_at(step, self.steps, self.steps_per_epoch, whole)

    @property
    def device(self) -> torch.device:
        """Where the data and the model are."""
        return self.splits.train.device

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer updates in one pass over the training split."""
        return self.batching.steps
