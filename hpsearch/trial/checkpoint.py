"""What a trial keeps on disk: its last state, to go on from, and its best weights, to use."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hpsearch.base import platform
from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.files import replacement
from hpsearch.base.formats import FORMAT, TAG, stamped, untagged, upgraded
from hpsearch.base.intake import check_stored, opened
from hpsearch.base.keys import CONTINUED as KEY
from hpsearch.base.types import Evaluation, Report, whole_or_fraction
from hpsearch.trial.optimizer_state import unlike
from hpsearch.trial.reading import END
from hpsearch.trial.watch import Limit

LAST = "last.pt"
BEST = "best.safetensors"
_KEYS = {"key", "data", "model", "optimizer"}
"""What a state has besides its progress."""


@dataclass(frozen=True, slots=True)
class Best:
    """The best weights so far.

    Attributes:
        score: value of the objective's metric with them.
        epoch: the epoch after which they were taken; a fraction between two.
        weights: copies of the model's state, by name.
    """

    score: float
    epoch: float
    weights: Mapping[str, Tensor]


@dataclass(slots=True)
class Averaged:
    """An average of the weights along a training.

    Attributes:
        rule: how it averages.
        count: how often weights were averaged.
        weights: the averaged parameters and the renewed statistics of batch normalization, by name.
        renewed: the `count` at which these were renewed.
        epoch: pass over the training part in which weights were averaged last.
    """

    rule: str
    count: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    renewed: int = 0
    epoch: int = 0


@dataclass(slots=True)
class Progress:
    """How far a trial has come, apart from its model and optimizer.

    Attributes:
        epoch: last epoch that ended, evaluated or not; None before the first report.
        limit: what is a divergence; None before the first step.
        best: the best weights so far, if any.
        reports: every report so far.
        weights: the last ones, where the model holds the best; not kept.
        micro: samples that went through the model at once; None before the first step.
        average: of the weights, where they are averaged.
        steps: thinned losses since the last report.
        end: the evaluations at the end of the trial so far.
        samples: what single samples gave, by the updates before an evaluation that may make the score, and by name.
        widths: how many trials were trained as one program with it in each epoch so far; 0: it alone, by the
            plain loop.
    """

    epoch: int | None = None
    limit: Limit | None = None
    best: Best | None = None
    reports: list[Report] = field(default_factory=list)
    weights: Mapping[str, Tensor] | None = None
    micro: int | None = None
    average: Averaged | None = None
    steps: tuple[tuple[int, float], ...] = ()
    end: tuple[Evaluation, ...] = ()
    samples: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    widths: list[int] = field(default_factory=list)

    @property
    def between(self) -> bool:
        """Whether the trial stands between the ends of two epochs."""
        return bool(self.reports) and self.reports[-1].epoch > (self.epoch or 0)


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of a model's parameters and saved buffers, by name."""
    return {name: value.detach().clone().contiguous() for name, value in model.state_dict().items()}


def save_last(
    folder: Path,
    key: str,
    data: str,
    model: nn.Module,
    optimizer: Optimizer,
    progress: Progress,
    durable: bool = True,
) -> None:
    """Write the last state to ``last.pt``, atomically.

    Args:
        folder: the trial's folder; created when missing.
        key: hash of the trial's configuration, which must match when the state is read.
        data: digest of what it is trained on, which must match too.
        model: the model; its parameters and saved buffers are kept.
        optimizer: its optimizer.
        progress: everything else that the trial goes on from.
        durable: wait until it is on the disk.
    """
    best = progress.best
    state = {
        "key": key,
        "data": data,
        "model": _owned(dict(progress.weights or model.state_dict())),
        "optimizer": _owned(optimizer.state_dict()),
        "epoch": progress.epoch,
        "limit": None if progress.limit is None else asdict(progress.limit),
        "micro": progress.micro,
        "average": None if progress.average is None else _record(progress.average),
        "best": None if best is None else {**_record(best), "weights": dict(best.weights)},
        "reports": [_record(report) for report in progress.reports],
        "steps": progress.steps,
        "end": progress.end,
        "samples": progress.samples,
        "widths": progress.widths,
    }
    with replacement(folder / LAST, durable) as temporary, temporary.open("wb") as file:
        torch.save(stamped(state), file)


def restore_last(folder: Path, key: str, data: str, model: nn.Module, optimizer: Optimizer) -> Progress | None:
    """Load the last state into a model and its optimizer, if there is a usable one.

    Args:
        folder: the trial's folder.
        key: hash of the trial's configuration.
        data: digest of what it is trained on.
        model: receives the parameters and buffers.
        optimizer: receives its state.

    Returns:
        The progress to go on from. None when there is no checkpoint, when it cannot be read, and when another
        configuration, other data or another version of the model's code wrote it: the trial then starts from scratch.
        One of a newer format raises a StorageError.
    """
    state = _read(folder / LAST)
    if state is None or (state["key"], state["data"]) != (key, data) or not _fits(state["model"], model):
        return None
    if unlike(state["optimizer"], optimizer):
        return None
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return _progress(state)


def _progress(state: Mapping[str, Any]) -> Progress:
    return Progress(
        epoch=state["epoch"],
        limit=None if state["limit"] is None else Limit(**state["limit"]),
        micro=state["micro"],
        best=None if state["best"] is None else Best(**state["best"]),
        reports=[Report(**record) for record in state["reports"]],
        average=None if state["average"] is None else Averaged(**state["average"]),
        steps=state["steps"],
        end=state["end"],
        samples=state["samples"],
        widths=state["widths"],
    )


def keep_end(folder: Path, key: str, data: str, model: nn.Module, optimizer: Optimizer, progress: Progress) -> None:
    """Write the last state of a trial that has ended, as `save_last` does; what it goes on from itself is removed.

    A power cut may take it: nothing but a further training goes on from it.
    """
    save_last(folder, key, data, model, optimizer, progress, durable=False)
    platform.replace(folder / LAST, folder / END)


def size_mib(model: nn.Module, optimizer: Optimizer, average: Averaged | None = None) -> float:
    """Return about how large the last state is."""
    tensors = [*model.state_dict().values(), *(average.weights.values() if average else ())]
    tensors += [each for state in optimizer.state.values() for each in state.values() if isinstance(each, Tensor)]
    return float(sum(each.numel() * each.element_size() for each in tensors)) / 2**20


def take_over(file: Path, model: nn.Module, optimizer: Optimizer) -> Progress:
    """Load the last state of another trial into a model and its optimizer, whose hyperparameters stay.

    Args:
        file: its ``end.pt``.
        model: receives the parameters and buffers.
        optimizer: receives the state of each parameter.

    Returns:
        The progress to go on from; where that one ended is no end any more.

    Raises:
        ConfigError: the file cannot be read, or it is that of another architecture or optimizer.
    """
    state = _read(file)
    if state is None:
        raise ConfigError(f"{KEY}: {file} is missing or cannot be read")
    if not _fits(state["model"], model):
        raise ConfigError(f"{KEY}: {file} holds another architecture's weights ({_misfit(state['model'], model)})")
    if why := unlike(state["optimizer"], optimizer):
        raise ConfigError(f"{KEY}: {file} holds the state of another optimizer ({why})")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict({**state["optimizer"], "param_groups": optimizer.state_dict()["param_groups"]})
    progress = _progress(state)
    reports = [replace(report, end=()) for report in progress.reports]
    return replace(progress, reports=reports, end=(), samples={})


def _misfit(weights: Mapping[str, Tensor], model: nn.Module) -> str:
    own = model.state_dict()
    differing = (n for n in sorted(own.keys() | weights.keys()) if _shape(own.get(n)) != _shape(weights.get(n)))
    name = next(differing)
    return f"{name}: {_shape(weights.get(name))} there, {_shape(own.get(name))} here"


def _shape(value: Tensor | None) -> str:
    return "none" if value is None else "x".join(map(str, value.shape)) or "one number"


def load_weights(file: Path, key: str, model: nn.Module) -> float:
    """Load the weights that a trial kept into a model: of a last state the averaged ones, where it has any.

    Args:
        file: its ``best.safetensors`` or ``last.pt``.
        key: hash of the trial's configuration, which must be the one in the file.
        model: receives the parameters and saved buffers.

    Returns:
        The epoch after which the weights were taken, an int where it is whole.

    Raises:
        StorageError: the file cannot be read, or was written by another configuration or another model.
    """
    found = _read_best(file) if file.name == BEST else _read_last(file)
    if found is None:
        raise StorageError(f"{file} cannot be read: it is damaged or of another version")
    weights, average, epoch, written = found
    if written != key or not _fits(weights, model):
        raise StorageError(f"{file} does not fit the trial: another configuration or another model wrote it")
    model.load_state_dict(weights)
    model.load_state_dict(average, strict=False)
    return epoch


_Found: TypeAlias = tuple[Mapping[str, Tensor], Mapping[str, Tensor], float, str]
"""Weights, averaged ones that take the place of some of them, epoch and key."""


def _read_best(file: Path) -> _Found | None:
    try:
        with safetensors.safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no mapping
    except (safetensors.SafetensorError, OSError):
        return None
    metadata = untagged(metadata, "weights", file)
    try:
        return weights, {}, whole_or_fraction(float(metadata["epoch"])), metadata["key"]
    except (KeyError, TypeError, ValueError):
        return None


def _read_last(file: Path) -> _Found | None:
    state = _read(file)
    if state is None:
        return None
    average = state["average"]
    return state["model"], {} if average is None else average["weights"], state["epoch"] or 0, state["key"]


def remove_last(folder: Path) -> None:
    """Remove the last state of a trial that has ended."""
    (folder / LAST).unlink(missing_ok=True)


def save_best(folder: Path, best: Best, key: str) -> str:
    """Write the best weights to ``best.safetensors``, atomically, with their epoch, score and `key` as metadata.

    Args:
        folder: the trial's folder; created when missing.
        best: the weights.
        key: hash of the trial's configuration.

    Returns:
        The file's name.
    """
    metadata = {"epoch": str(best.epoch), "score": repr(best.score), "key": key, TAG: str(FORMAT)}
    with replacement(folder / BEST) as temporary:
        temporary.write_bytes(safetensors.torch.save(dict(best.weights), metadata))
    return BEST


def _read(path: Path) -> dict[str, Any] | None:
    try:
        with opened(path, StorageError) as file:
            with check_stored(file) as archive:
                if archive.testzip() is not None:  # torch does not check the checksums that it writes
                    return None
            file.seek(0)
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception:  # a damaged file fails in as many ways as there are places to damage
        return None
    if not isinstance(state, dict):
        return None
    state = upgraded(state, "checkpoint", path)
    return state if _is_whole(state) else None


def _is_whole(state: Mapping[str, Any]) -> bool:
    try:
        _progress(state)
        tensors = all(isinstance(each, Tensor) for each in state["model"].values())
        return state.keys() >= _KEYS and tensors and _is_dense(state)
    except Exception:  # anybody may have written it
        return False


def _is_dense(state: Any) -> bool:
    """Return whether all tensors of a state hold their numbers: others, such as sparse ones, are none of ours."""
    if isinstance(state, Tensor):
        return state.layout == torch.strided and state.device.type == "cpu" and not state.is_complex()
    inner = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else ()
    return all(map(_is_dense, inner))


def _owned(state: Any) -> Any:
    """Return a state whose tensors are no views of those of other trials, which a file would hold too."""
    if isinstance(state, dict):
        return {name: _owned(each) for name, each in state.items()}
    if isinstance(state, list):
        return [_owned(each) for each in state]
    shared = isinstance(state, Tensor) and state.untyped_storage().nbytes() > state.numel() * state.element_size()
    return state.clone() if shared else state


def _fits(weights: Mapping[str, Tensor], model: nn.Module) -> bool:
    own = model.state_dict()
    return own.keys() == weights.keys() and all(own[name].shape == weights[name].shape for name in own)


def _record(made: Report | Best | Averaged) -> dict[str, Any]:
    return {field.name: getattr(made, field.name) for field in fields(made)}
