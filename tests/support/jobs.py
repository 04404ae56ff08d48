"""Small trials, built by hand, for the tests of training loops."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn

from hpsearch.base import rng
from hpsearch.base.types import Decision, Message, Objective, Report, Started, TrialId, TrialResult, TrialRun, TrialSpec
from hpsearch.data.base import Splits
from hpsearch.data.part import Split
from hpsearch.metrics.base import Metric
from hpsearch.metrics.reported import with_usual
from hpsearch.models.mlp import MLP
from hpsearch.schedules import table
from hpsearch.trial.batching import Batching
from hpsearch.trial.loop import Job, Trainer

FEATURES, CLASSES, TRAIN, VALID = 6, 3, 90, 40
MEASURED = ("_sec", "_per_sec", "_mib")


def make_splits(train: int = TRAIN, test: bool = False) -> Splits:
    """Noisy linear classification, the same at every call."""
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(FEATURES, CLASSES, generator=generator)

    def part(size: int) -> Split:
        x = torch.randn(size, FEATURES, generator=generator)
        return Split(x, (x @ weight + torch.randn(size, CLASSES, generator=generator)).argmax(1))

    parts = part(train), part(VALID), part(VALID) if test else None
    return Splits(*parts, (FEATURES,), CLASSES, "classification", ("a", "b", "c"), "digest")


def make_job(
    folder: Path,
    *,
    seed: int = 1,
    batch_size: int = 16,
    lr: float = 0.1,
    momentum: float = 0.9,
    dropout: float = 0.0,
    make_model: Callable[[], nn.Module] | None = None,
    make_optimizer: Callable[..., torch.optim.Optimizer] | None = None,
    make_scheduler: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
    splits: Splits | None = None,
    loss: nn.Module | None = None,
    regularizers: dict | None = None,
    objective: Objective | None = None,
    metrics: dict[str, Metric] | None = None,
    key: str = "key",
    more: dict | None = None,
    **trainer: object,
) -> Job:
    """Build a trial; `trainer` are fields of Trainer, `more` are further ones of Job."""
    settings = Trainer(**{"epochs": 3, "eval_batch_size": 16, **trainer})
    splits = splits or make_splits(test=settings.test)
    make_model = make_model or partial(MLP, splits.in_shape, splits.num_outputs, hidden=(8,), dropout=dropout)
    make_optimizer = make_optimizer or partial(torch.optim.SGD, lr=lr, momentum=momentum)
    with torch.random.fork_rng([]):
        torch.manual_seed(rng.address(seed, "init"))
        model = make_model()
    batching = Batching(len(splits.train), batch_size)
    return Job(
        key=key,
        folder=folder,
        seed=seed,
        trainer=settings,
        objective=objective or Objective("valid/acc"),
        splits=splits,
        batching=batching,
        model=model,
        loss=loss or nn.CrossEntropyLoss(),
        optimizer=make_optimizer(model.parameters()),
        table=table(make_scheduler, lr, momentum, batching.steps, settings.epochs),
        regularizers=regularizers or {},
        metrics=with_usual(splits.task, metrics or {}),
        facts={"parameters": sum(p.numel() for p in model.parameters())},
        **(more or {}),
    )


def drive(
    run: TrialRun, decide: Callable[[Message], Decision] = lambda message: Decision.CONTINUE
) -> tuple[list[Message], TrialResult]:
    """Run a batch of one to its end."""
    messages: list[Message] = []
    try:
        (message,) = next(run)
        while True:
            messages.append(message)
            (message,) = run.send((decide(message),))
    except StopIteration as stop:
        (result,) = stop.value
    return messages, result


def at(epoch: int, decision: Decision) -> Callable[[Message], Decision]:
    """Decide after the report of an epoch, and before it CONTINUE."""
    return lambda message: decision if isinstance(message, Report) and message.epoch == epoch else Decision.CONTINUE


def curve(messages: Sequence[Message]) -> list[tuple[int, int, dict[str, float], tuple[tuple[int, float], ...]]]:
    """Return the reports without what measures the machine; a nan as text, so that it equals itself."""
    reports = [message for message in messages if not isinstance(message, Started)]
    plain = [
        (r.epoch, r.step, {k: v for k, v in r.metrics.items() if not k.endswith(MEASURED)}, r.steps) for r in reports
    ]
    return json.loads(json.dumps(plain).replace("NaN", '"nan"'))


def weights(job: Job) -> dict[str, torch.Tensor]:
    """Return copies of a trial's weights."""
    return {name: value.clone() for name, value in job.model.state_dict().items()}


def same_weights(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of weights are equal bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def make_own_spec(folder: str = "folder", metric: str = "valid/acc", attempt: int = 1) -> TrialSpec:
    """What is asked of a trial of a user's own code."""
    config = {"objective": {"metric": metric}}
    return TrialSpec("study", TrialId(0, 0), config, {}, (), "key", folder, attempt)
