"""Real training runs, each engineered to show one fault, and sound ones that should show none.

Which labels a fault leaves open was written down before the first runs, with two exceptions made after them: the units
of the twelve sigmoid layers may be dead, and Adam at a rate of .1 shows dead units, where "learning rate too high" had
been expected and is now left open.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from hpsearch.base.files import LAYERS
from hpsearch.base.types import Decision, Report, TrialState
from hpsearch.config.compose import compose
from hpsearch.data.part import Split
from hpsearch.reports.diagnosis.history import history
from hpsearch.reports.diagnosis.rules import Label
from hpsearch.trial.build import prepare
from hpsearch.trial.job import Job
from hpsearch.trial.loop import train
from tests.benchmarks.curve_families import Case

OF_LAYERS = (
    *(Label.PLATEAU, Label.UNDERFITTING, Label.TOO_HIGH, Label.TOO_LOW, Label.STILL_IMPROVING, Label.UPDATE_RATIO),
    *(Label.DIVERGED, Label.OPTIMIZATION_FAILURE),
)
OF_HIGH = (
    *(Label.STILL_IMPROVING, Label.UPDATE_RATIO, Label.UNDERFITTING, Label.DEAD, Label.PLATEAU, Label.OVERFITTING),
)
MLP = ("data=digits", "model=mlp", "optimizer=momentum")
CLOTHES = ("data=fashion_mnist", "data.train_size=2000", "trainer.epochs=10", "optimizer=momentum")


@dataclass(frozen=True)
class Run:
    """An engineered run.

    Attributes:
        name: what is wrong with it.
        words: overrides.
        labels: what it shows.
        open: what it may show, by definition.
        change: engineers the fault into the built trial.
        twin: overrides of its shallower twin.
    """

    name: str
    words: tuple[str, ...]
    labels: tuple[Label, ...] = ()
    open: tuple[Label, ...] = ()
    change: Callable[[Job], Job] | None = None
    twin: tuple[str, ...] = ()


def _part(part: Split, x: torch.Tensor | None = None, y: torch.Tensor | None = None) -> Split:
    return Split(part.x if x is None else x, part.y if y is None else y)


def inverted(job: Job) -> Job:
    """Show the validation images as negatives."""
    return replace(job, splits=replace(job.splits, valid=_part(job.splits.valid, 1 - job.splits.valid.x)))


def turned(job: Job) -> Job:
    """Turn the validation images by a quarter."""
    return replace(
        job, splits=replace(job.splits, valid=_part(job.splits.valid, job.splits.valid.x.rot90(1, (-2, -1))))
    )


def relabelled(job: Job) -> Job:
    """Number the classes of the validation split from another one on."""
    y = (job.splits.valid.y + 1) % job.splits.num_outputs
    return replace(job, splits=replace(job.splits, valid=_part(job.splits.valid, y=y)))


def noisy(job: Job) -> Job:
    """Replace four of ten training labels by random ones."""
    draws = torch.Generator().manual_seed(0)
    y = job.splits.train.y.clone()
    wrong = torch.rand(len(y), generator=draws) < 0.4
    y[wrong] = torch.randint(job.splits.num_outputs, (int(wrong.sum()),), generator=draws)
    return replace(job, splits=replace(job.splits, train=_part(job.splits.train, y=y)))


def blind(job: Job) -> Job:
    """Leave only the middle column of every image."""

    def seen(x: torch.Tensor) -> torch.Tensor:
        kept = torch.zeros_like(x)
        kept[..., x.shape[-1] // 2] = x[..., x.shape[-1] // 2]
        return kept

    parts = {name: _part(part, seen(part.x)) for name in ("train", "valid") if (part := getattr(job.splits, name))}
    return replace(job, splits=replace(job.splits, **parts))


def scaled(factor: float) -> Callable[[Job], Job]:
    """Multiply the initial weights."""

    def change(job: Job) -> Job:
        with torch.no_grad():
            for parameter in job.model.parameters():
                if parameter.ndim > 1:
                    parameter *= factor
        return job

    return change


def killed(job: Job) -> Job:
    """Start with biases that keep most hidden units off."""
    with torch.no_grad():
        for module in list(job.model.modules()):
            if isinstance(module, nn.Linear | nn.Conv2d) and module.out_features != job.splits.num_outputs:
                module.bias[: int(0.8 * len(module.bias))] = -20.0
    return job


def deep(width: int, depth: int, activation: str) -> tuple[str, ...]:
    """Return the words of a deep network."""
    return (f"model.hidden={[width] * depth}".replace(" ", ""), f"model.activation={activation}")


RUNS = (
    Run("sound: momentum", (*MLP, "optimizer.lr=0.1", "trainer.epochs=25")),
    Run("sound: Adam", (*MLP[:2], "optimizer=adam", "optimizer.lr=0.005", "trainer.epochs=25")),
    Run(
        "sound: softmax regression",
        ("data=digits", "model=softmax", "optimizer=adam", "optimizer.lr=0.02", "trainer.epochs=30"),
    ),
    Run("sound: two hidden layers, tanh", (*MLP, *deep(64, 2, "tanh"), "optimizer.lr=0.1", "trainer.epochs=25")),
    Run(
        "sound: batch normalization",
        (
            "data=digits",
            "model=mlp",
            "model.norm=batch",
            "optimizer=momentum",
            "optimizer.lr=0.05",
            "trainer.epochs=25",
        ),
    ),
    Run(
        "rate 100",
        (*MLP, "optimizer.lr=100", "trainer.epochs=8"),
        (Label.DIVERGED,),
        (Label.UPDATE_RATIO, Label.EXPLODING, Label.DEAD),
    ),
    Run(
        "rate 20, SGD",
        (*MLP[:2], "optimizer=sgd", "optimizer.lr=20", "trainer.epochs=8"),
        (Label.DIVERGED,),
        (Label.UPDATE_RATIO, Label.EXPLODING, Label.DEAD),
    ),
    Run(
        "rate 10, clothes",
        (*CLOTHES, "model=mlp", "optimizer.lr=10"),
        (Label.DIVERGED,),
        (Label.UPDATE_RATIO, Label.EXPLODING, Label.DEAD),
    ),
    Run("rate 1", (*MLP, "optimizer.lr=1", "trainer.epochs=15"), (Label.TOO_HIGH,), OF_HIGH),
    Run(
        "rate .1, Adam: units die",
        (*MLP[:2], "optimizer=adam", "optimizer.lr=0.1", "trainer.epochs=15"),
        (Label.DEAD,),
        (*OF_HIGH, Label.TOO_HIGH),
    ),
    Run("rate .7, clothes", (*CLOTHES, "model=mlp", "optimizer.lr=0.7"), (Label.TOO_HIGH,), OF_HIGH),
    Run(
        "rate 3e-4",
        (*MLP, "optimizer.lr=0.0003", "trainer.epochs=15"),
        (Label.TOO_LOW, Label.STILL_IMPROVING),
        (Label.UPDATE_RATIO,),
    ),
    Run(
        "rate 1e-4, Adam",
        (*MLP[:2], "optimizer=adam", "optimizer.lr=0.0001", "trainer.epochs=15"),
        (Label.TOO_LOW, Label.STILL_IMPROVING),
        (Label.UPDATE_RATIO,),
    ),
    Run(
        "rate 2e-4, clothes",
        (*CLOTHES, "model=mlp", "optimizer.lr=0.0002"),
        (Label.TOO_LOW, Label.STILL_IMPROVING),
        (Label.UPDATE_RATIO,),
    ),
    Run("rate 1e-8", (*MLP, "optimizer.lr=1e-8", "trainer.epochs=10"), (Label.TOO_LOW, Label.UPDATE_RATIO)),
    Run("rate 1e-7, clothes", (*CLOTHES, "model=mlp", "optimizer.lr=1e-7"), (Label.TOO_LOW, Label.UPDATE_RATIO)),
    Run(
        "slow start: sigmoid",
        (*MLP, *deep(64, 2, "sigmoid"), "optimizer.lr=0.05", "trainer.epochs=25"),
        (Label.PLATEAU,),
        (Label.STILL_IMPROVING, Label.TOO_LOW),
    ),
    Run(
        "slow start: three sigmoid layers",
        (*MLP, *deep(64, 3, "sigmoid"), "optimizer.lr=0.3", "trainer.epochs=40"),
        (Label.PLATEAU,),
        (Label.STILL_IMPROVING, Label.TOO_LOW, Label.VANISHING),
    ),
    Run(
        "zero weights",
        (*MLP, "init=zeros", "optimizer.lr=0.1", "trainer.epochs=15"),
        (Label.PLATEAU,),
        (Label.DEAD, Label.VANISHING, Label.UPDATE_RATIO),
    ),
    Run("six epochs", (*MLP, "optimizer.lr=0.02", "trainer.epochs=6"), (Label.STILL_IMPROVING,), (Label.TOO_LOW,)),
    Run(
        "six epochs, Adam",
        (*MLP[:2], "optimizer=adam", "optimizer.lr=0.0015", "trainer.epochs=8"),
        (Label.STILL_IMPROVING,),
        (Label.TOO_LOW,),
    ),
    Run(
        "decay .3",
        (*MLP, "optimizer.lr=0.05", "optimizer.weight_decay=0.05", "trainer.epochs=20"),
        (Label.UNDERFITTING,),
    ),
    Run(
        "two hidden units",
        (*MLP, "model.hidden=[2]", "optimizer.lr=0.1", "trainer.epochs=60"),
        (Label.UNDERFITTING,),
        (Label.STILL_IMPROVING,),
    ),
    Run(
        "one column of the image",
        (*MLP, *deep(8, 2, "tanh"), "optimizer.lr=0.1", "trainer.epochs=40"),
        (Label.UNDERFITTING, Label.MODEL_BIAS),
        (),
        blind,
        (*MLP, *deep(8, 1, "tanh"), "optimizer.lr=0.1", "trainer.epochs=40"),
    ),
    Run(
        "one column, softmax twin",
        (*MLP, *deep(32, 1, "tanh"), "optimizer.lr=0.1", "trainer.epochs=20"),
        (Label.UNDERFITTING, Label.MODEL_BIAS),
        (),
        blind,
        (*MLP, "model.hidden=[]", "optimizer.lr=0.1", "trainer.epochs=20"),
    ),
    Run(
        "eight sigmoid layers and their twin",
        (*MLP, *deep(64, 8, "sigmoid"), "optimizer.lr=0.3", "trainer.epochs=12"),
        (Label.OPTIMIZATION_FAILURE, Label.PLATEAU, Label.VANISHING),
        (Label.UPDATE_RATIO,),
        None,
        (*MLP, *deep(64, 1, "sigmoid"), "optimizer.lr=0.3", "trainer.epochs=12"),
    ),
    Run(
        "ten relu layers and their twin",
        (*MLP, *deep(8, 10, "relu"), "optimizer.lr=0.05", "trainer.epochs=15"),
        (Label.OPTIMIZATION_FAILURE,),
        (*OF_LAYERS, Label.VANISHING, Label.DEAD),
        None,
        (*MLP, *deep(8, 1, "relu"), "optimizer.lr=0.05", "trainer.epochs=15"),
    ),
    Run(
        "60 images",
        (
            *MLP,
            "data.train_size=60",
            "data.batch_size=16",
            "model.hidden=[256]",
            "optimizer.lr=0.1",
            "trainer.epochs=60",
        ),
        (Label.OVERFITTING,),
    ),
    Run(
        "wrong labels",
        (*MLP, "model.hidden=[512]", "optimizer.lr=0.1", "trainer.epochs=60"),
        (Label.OVERFITTING,),
        (Label.MISMATCH,),
        noisy,
    ),
    Run(
        "100 clothes",
        (*CLOTHES, "data.train_size=100", "model=mlp", "data.batch_size=16", "optimizer.lr=0.01", "trainer.epochs=40"),
        (Label.OVERFITTING,),
    ),
    Run("negatives", (*MLP, "optimizer.lr=0.1", "trainer.epochs=15"), (Label.MISMATCH,), (), inverted),
    Run("quarter turns", (*MLP, "optimizer.lr=0.1", "trainer.epochs=15"), (Label.MISMATCH,), (), turned),
    Run("other class numbers", (*MLP, "optimizer.lr=0.05", "trainer.epochs=15"), (Label.MISMATCH,), (), relabelled),
    Run(
        "twelve sigmoid layers",
        (*MLP, *deep(64, 12, "sigmoid"), "optimizer.lr=0.1", "trainer.epochs=8"),
        (Label.VANISHING,),
        (*OF_LAYERS, Label.DEAD),
    ),
    Run(
        "small weights, six tanh layers",
        (*MLP, *deep(64, 6, "tanh"), "optimizer.lr=0.1", "trainer.epochs=8"),
        (Label.VANISHING,),
        OF_LAYERS,
        scaled(0.05),
    ),
    Run(
        "eight times the weights, six layers",
        (*MLP, *deep(64, 6, "relu"), "optimizer.lr=1e-9", "trainer.epochs=6"),
        (Label.EXPLODING,),
        OF_LAYERS,
        scaled(8.0),
    ),
    Run(
        "six times the weights, eight layers",
        (*MLP, *deep(64, 8, "relu"), "optimizer.lr=0.01", "trainer.epochs=6"),
        (Label.EXPLODING,),
        OF_LAYERS,
        scaled(6.0),
    ),
    Run("negative biases", (*MLP, "optimizer.lr=0.1", "trainer.epochs=12"), (Label.DEAD,), OF_LAYERS, killed),
    Run(
        "negative biases, two layers",
        (*MLP, *deep(64, 2, "relu"), "optimizer.lr=0.05", "trainer.epochs=12"),
        (Label.DEAD,),
        OF_LAYERS,
        killed,
    ),
    Run(
        "rate 4, softmax regression",
        ("data=digits", "model=softmax", "optimizer=sgd", "optimizer.lr=4", "trainer.epochs=10"),
        (Label.TOO_HIGH,),
        OF_HIGH,
    ),
    Run(
        "rate .03, Lion",
        (*MLP[:2], "optimizer=lion", "optimizer.lr=0.03", "trainer.epochs=5"),
        (Label.UPDATE_RATIO,),
        (*OF_HIGH, Label.TOO_HIGH, Label.DIVERGED, Label.EXPLODING),
    ),
)


def real_cases() -> list[Case]:
    """Train all runs and return them as cases."""
    return [_case(run) for run in RUNS]


def _case(run: Run) -> Case:
    fields = _trained(run.words, run.change)
    if run.twin:
        fields["twin"] = _trained(run.twin, run.change)["train"]
    return Case(run.name, history(fields), frozenset(run.labels), frozenset(run.open) - frozenset(run.labels))


def _trained(words: tuple[str, ...], change: Callable[[Job], Job] | None) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        job = prepare(compose(list(words)).trial({}, 0).config, "", Path(folder))
        trial, reports = train(change(job) if change else job), []
        try:
            messages = next(trial)
            while True:
                reports += [message for message in messages if isinstance(message, Report)]
                messages = trial.send((Decision.CONTINUE,))
        except StopIteration as ended:
            (result,) = ended.value
        file = Path(folder) / LAYERS
        rows = json.loads(file.read_text()) if file.exists() else []
    trained = [report.metrics for report in reports if report.epoch > 0]
    return {
        "train": [metrics["train/loss"] for metrics in trained],
        "valid": [metrics["valid/loss"] for metrics in trained],
        "update_ratio": [metrics["update_ratio"] for metrics in trained],
        "untrained": reports[0].metrics["valid/loss"],
        "diverged": result.reason if result.state is TrialState.INFEASIBLE else "",
        "layers": rows,
    }


def runs_table(found: Sequence[tuple[Case, frozenset[Label]]]) -> str:
    """Return one row per run."""
    lines = ["| run | engineered to show | diagnosed |", "|---|---|---|"]
    for case, given in found:
        names = [", ".join(label for label in Label if label in labels) or "nothing" for labels in (case.labels, given)]
        lines.append(f"| {case.kind} | {names[0]} | {names[1]} |")
    return "\n".join(lines)
