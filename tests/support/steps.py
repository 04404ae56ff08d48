"""Steps of groups and of the plain loop by themselves, without evaluations: on any device, one without values too."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hpsearch.data.augment import Augment, Range, augment
from hpsearch.data.base import Splits
from hpsearch.data.colour import ColourJitter, Erasing
from hpsearch.data.geometry import Crop, Flip, ResizedCrop, Rotation
from hpsearch.data.part import Split
from hpsearch.losses.class_weights import ClassWeighted
from hpsearch.models.lenet import LeNet
from hpsearch.models.mlp import MLP
from hpsearch.models.resnet import ResNet
from hpsearch.models.small_conv import SmallConv
from hpsearch.nn.stacked import Stacked
from hpsearch.optim import adam, lion, sgd
from hpsearch.regularizers.max_norm import MaxNorm
from hpsearch.regularizers.mixing import CutMix, Mixup
from hpsearch.regularizers.penalties import L1, L2, Lp
from hpsearch.trial.fused.epoch import FusedEpoch
from hpsearch.trial.fused.joint import Joint
from hpsearch.trial.fused.step import Update
from hpsearch.trial.groups import Groups
from hpsearch.trial.job import Job
from hpsearch.trial.layers import LayerWatch
from hpsearch.trial.updates import epoch_steps, prepare_model, trained_parameters, update_weights
from hpsearch.trial.watch import Limit, Step, measured
from tests.support.jobs import CLASSES, FEATURES, make_job, make_splits

NO_LIMIT = Limit(0.0, "", 1.0)
ONE_CYCLE = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=30)
SIDE, IMAGES = 8, 40
KINDS: Mapping[str, Mapping[str, Any]] = {
    "adadelta": {"make_optimizer": torch.optim.Adadelta},
    "adagrad": {"make_optimizer": torch.optim.Adagrad},
    "adam": {"make_optimizer": adam.Adam},
    "adam of torch": {"make_optimizer": partial(torch.optim.Adam, amsgrad=True)},
    "adamw": {"make_optimizer": adam.AdamW},
    "adamw of torch": {"make_optimizer": torch.optim.AdamW},
    "lion": {"make_optimizer": lion.Lion},
    "nadam": {"make_optimizer": torch.optim.NAdam},
    "rmsprop": {"make_optimizer": partial(torch.optim.RMSprop, momentum=0.5, centered=True)},
    "sgd": {"make_optimizer": partial(sgd.SGD, momentum=0.9, weight_decay=0.01)},
    "sgd of torch": {"make_optimizer": partial(torch.optim.SGD, lr=0.1, momentum=0.9, dampening=0.1)},
}
"""An optimizer of each rule, by name."""


def images(channels: int = 1) -> Splits:
    """Random images of three classes, the same at every call."""
    generator = torch.Generator().manual_seed(3)

    def part() -> Split:
        x = torch.randn(IMAGES, channels, SIDE, SIDE, generator=generator)
        return Split(x, torch.randint(3, (IMAGES,), generator=generator))

    return Splits(part(), part(), None, (channels, SIDE, SIDE), 3, "classification", ("a", "b", "c"), "digest")


def augmented(splits: Splits, seed: int) -> Augment | None:
    """Return all kinds of augmentations of a trial."""
    steps = {"flip": Flip(), "crop": Crop(padding=1), "resized": ResizedCrop(), "rotation": Rotation()}
    return augment(seed, {**steps, "colour": ColourJitter(), "erasing": Erasing()}, splits.train)


def make_cases() -> Mapping[str, Mapping[str, Any]]:
    """Return arguments of `tests.support.jobs.make_job` by what is special about a trial."""
    shape, pictures = (1, SIDE, SIDE), images()
    mixed = {"splits": pictures, "make_model": partial(LeNet, shape, 3, kernel_size=3, channels=(2, 3), hidden=(8,))}
    weighted = ClassWeighted(nn.CrossEntropyLoss(label_smoothing=0.1), [1.0, 2.0, 0.5], torch.tensor([0.4, 0.3, 0.3]))
    return {
        "dropout": {"dropout": 0.3},
        "batch norm": {"make_model": partial(MLP, (FEATURES,), CLASSES, hidden=(8,), norm="batch")},
        "lenet": mixed,
        "small_conv": mixed
        | {"make_model": partial(SmallConv, shape, 3, (2, 3), hidden=(8,), norm="batch", dropout=0.2)},
        "resnet18": mixed | {"make_model": partial(ResNet, shape, 3, (1, 1), width=4)},
        "augmentation": mixed | {"more": {"augment": augmented(pictures, 1)}},
        "mixup": mixed | {"more": {"mixing": Mixup()}},
        "cutmix": mixed | {"more": {"mixing": CutMix()}},
        "penalties": {"regularizers": {"l1": L1(strength=0.01), "l2": L2(strength=0.01), "lp": Lp(strength=0.01)}},
        "a constraint": {"more": {"constraints": (MaxNorm(limit=0.5),)}},
        "clipping": {"clip_norm": 0.5, "clip_value": 0.1},
        "momentum of a schedule": {"make_scheduler": ONE_CYCLE},
        "class weights": {"loss": weighted},
        "bf16": {"precision": "bf16"},
        "bf16 and batch norm": mixed | {"precision": "bf16", "make_model": partial(ResNet, shape, 3, (1, 1), width=4)},
    }


def on_device(case: Mapping[str, Any], device: str) -> dict[str, Any]:
    """Return the arguments of trials on a device; on ``meta`` tensors have no values, and whatever reads one raises."""
    make = case.get("make_model") or partial(MLP, (FEATURES,), CLASSES, hidden=(8,), dropout=case.get("dropout", 0.0))
    splits, more = case.get("splits") or make_splits(), dict(case.get("more", {}))
    splits = replace(splits, train=splits.train.to(device), valid=splits.valid.to(device))
    if "augment" in more:
        black, white = (each.to(device) for each in vars(more["augment"].values).values())
        more["augment"] = replace(more["augment"], values=Range(black, white))
    loss = {"loss": copy.deepcopy(case["loss"]).to(device)} if "loss" in case else {}
    return {
        **case,
        "splits": splits,
        "make_model": lambda: make().to(device),
        **({"more": more} if more else {}),
        **loss,
    }


def rates_of(job: Job, number: int) -> list[tuple[float, float | None]]:
    """Return the rates of a pass, from 1."""
    rows = slice((number - 1) * job.steps_per_epoch, number * job.steps_per_epoch)
    lr, momentum = job.table.lr[rows].tolist(), job.table.momentum
    return list(zip(lr, [None] * len(lr) if momentum is None else momentum[rows].tolist(), strict=True))


@dataclass(frozen=True)
class Pass:
    """What a pass of a group gave each member."""

    losses: list[list[float]]
    norms: Tensor
    penalties: Tensor


def train_group(
    jobs: Sequence[Job], passes: int, make: Callable[[Sequence[Job], Stacked], Update] = Update, read: bool = True
) -> list[Pass]:
    """Train trials as one program, layers measured, and return what each pass gave.

    Args:
        jobs: the trials; they take the weights.
        passes: how many.
        make: makes their updates.
        read: whether to read what the passes gave.
    """
    for job in jobs:
        prepare_model(job)
    stack = Stacked([job.model for job in jobs])
    update, layers = make(jobs, stack), [LayerWatch(job.model, job.folder, passes, None, active=True) for job in jobs]
    stack.train()
    found = []
    for number in range(1, passes + 1):
        pairs = zip(jobs, layers, strict=True)
        each = [
            FusedEpoch(job, watch, number, rates_of(job, number), NO_LIMIT, lambda _: iter(())) for job, watch in pairs
        ]
        joint = Joint(jobs, each, layers, update)
        joint.train_to(joint.steps, range(len(jobs)) if read else ())
        if read:
            whole = [epoch._whole for epoch in each]
            norms, penalties = (torch.stack([getattr(e, name) for e in each]) for name in ("_norms", "_penalties"))
            found.append(Pass([log.losses for log in whole], norms, penalties))
    return found


def plain_steps(job: Job, passes: int = 1) -> list[Step]:
    """Take the steps of the plain loop, measured at each of them, layers too."""
    prepare_model(job)
    named, found = trained_parameters(job), []
    weights, layers = [weight for _, weight in named], LayerWatch(job.model, job.folder, 1, None, active=True)

    def update(_: int) -> None:
        with layers.measured():
            measured(lambda: update_weights(job, named, weights), weights)

    for number in range(1, passes + 1):
        done = (number - 1) * job.steps_per_epoch
        found += epoch_steps(job, Groups(job), number, done, rates_of(job, number), update)
    return found


def values(job: Job) -> dict[str, Tensor]:
    """Return copies of the weights and buffers of a trial and of the states of its optimizer."""
    weights = enumerate(job.model.parameters())
    states = [(f"{place} {name}", each) for place, w in weights for name, each in job.optimizer.state[w].items()]
    held = {name: each for name, each in states if isinstance(each, Tensor)}
    return {name: each.detach().clone() for name, each in (job.model.state_dict() | held).items()}


def make_members(folder: Path, case: Mapping[str, Any], count: int = 2) -> list[Job]:
    """Return trials of five or six steps a pass that differ in seed, rate, and with the usual loss in smoothing.

    Args:
        folder: under which each gets one.
        case: arguments of `tests.support.jobs.make_job` that they share.
        count: how many.
    """
    size = {"batch_size": 8 if case.get("splits") else 16}
    usual = not {"loss", "more"} & case.keys()
    losses = [{"loss": nn.CrossEntropyLoss(label_smoothing=0.1 * k)} if usual else {} for k in range(count)]
    return [make_job(folder / str(k), seed=k, lr=0.1 / (k + 1), **size, **own, **case) for k, own in enumerate(losses)]
