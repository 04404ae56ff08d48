"""Fine-tuning: which weights a model starts from, and which of them are trained."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from hpsearch.base.errors import ConfigError
from hpsearch.base.limits import check_fields
from hpsearch.models.pretrained import PretrainedNet
from hpsearch.trial.limits import LIMITS
from hpsearch.trial.weights import read_weights, without_wrappers

DIGEST = "finetune.digest"
"""The fact that says which weights a trial starts from."""
SHOWN = 3
"""Names that a message gives of each kind of difference."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What fine-tuning did to a model.

    Attributes:
        frozen: modules that are not trained; they stay in evaluation mode, so that their statistics do not move.
        rate_factors: factor on the learning rate by name, of the trained parameters that do not have 1.
        facts: scalars about it for the trial's record.
    """

    frozen: tuple[nn.Module, ...] = ()
    rate_factors: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTune:
    """How to use weights that were trained before; the options of ``conf/finetune``.

    The head is the last block of the model (see `blocks`). Where its shape differs from the checkpoint's, because the
    data has another number of classes, it starts from a fresh initialization; where other classes happen to be as many,
    `fresh_head` says so. Without a `source` the weights are those that the model came with (``model.weights``); with
    ``none`` all of these are trained.

    Attributes:
        mode: ``none`` (a fresh initialization, `source` is not read), ``predict`` (evaluate only), ``head`` (train the
            head), ``last_k`` (train the head and the `k` blocks before it) or ``all``.
        source: the checkpoint: a ``.safetensors`` file or a state dict in a ``.pt`` file, an MLflow run id, or
            STUDY/POINT/SEED of an earlier trial.
        k: blocks in front of the head that ``last_k`` trains.
        rate_factor: the learning rate of everything but the head, relative to the head's.
        fresh_head: start the head from a fresh initialization although its shape fits.
    """

    mode: str = "none"
    source: str | None = None
    k: int = 1
    rate_factor: float = 1.0
    fresh_head: bool = False

    def __post_init__(self) -> None:
        check_fields("finetune", LIMITS, self)

    def apply(self, model: nn.Module, path: str | None = None) -> Tuned:
        """Load the checkpoint into a model and freeze what is not trained.

        Args:
            model: freshly initialized, on the host.
            path: of the checkpoint, where `source` was found; None: `source` is the path.

        Returns:
            What the training loop must know of it.

        Raises:
            ConfigError: no checkpoint is named, it cannot be read or belongs to another architecture, or there are
                fewer than `k` blocks in front of the head.
        """
        named = model.digest if isinstance(model, PretrainedNet) else ""
        if self.mode == "none":
            return Tuned(facts={DIGEST: named} if named else {})
        if self.source is None and not named:
            raise ConfigError(
                f"finetune.source = null: finetune={self.mode} starts from a checkpoint: a .safetensors or .pt "
                "file, an MLflow run id, or STUDY/POINT/SEED of an earlier trial; or from model.weights"
            )
        parts = blocks(model)
        if self.mode == "last_k" and self.k >= len(parts):
            raise ConfigError(f"finetune.k = {self.k}: the model has {len(parts) - 1} blocks in front of its head")
        head = state_names(model, parts[-1])
        if self.fresh_head and self.mode == "predict":
            raise ConfigError("finetune.fresh_head = True: finetune=predict trains nothing, so the head is the file's")
        if self.source is None:
            origin, digest, fresh = "model.weights", named, bool(getattr(model, "fresh_head", False))
        else:
            file = Path(str(path or self.source))
            fresh = load(model, file, head, self.fresh_head)
            origin, digest = str(file), _digest(file)
        if fresh and self.mode == "predict":
            raise ConfigError(f"finetune=predict: {origin} has no head for these classes; choose finetune=head")
        frozen = freeze(model, parts, {"predict": 0, "head": 1, "last_k": 1 + self.k}.get(self.mode))
        trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        factors = {} if self.rate_factor == 1 else {name: self.rate_factor for name in trained if name not in head}
        numbers = {name: parameter.numel() for name, parameter in model.named_parameters()}
        count = sum(numbers[name] for name in trained)
        return Tuned(frozen, factors, {DIGEST: digest, "finetune.trained": count})


def blocks(model: nn.Module) -> list[list[nn.Module]]:
    """Return the blocks of a model, from the input to the head.

    They are the modules that the model registers, in that order, with every `nn.Sequential` and `nn.ModuleList` opened.
    A block begins with a module that has weights of two or more axes; what follows without any (activations, pooling,
    dropout, normalization) belongs to it, and what stands in front of the first block to the first. The last one is
    the head. A model that only wraps another one is opened too; one of another library says itself which modules it has
    in which order, and what its head is.

    Args:
        model: registers its modules in the order in which it uses them.

    Returns:
        The modules of each block.

    Raises:
        ConfigError: the model has no weights.
    """
    if isinstance(model, PretrainedNet):
        return _with_head(_grouped(model.layers()), model.heads)
    children = list(model.children())
    while len(children) == 1 and list(children[0].children()):
        children = list(children[0].children())
    found = _grouped(_opened(children or [model]))
    if not any(parameter.ndim > 1 for part in found for module in part for parameter in module.parameters()):
        raise ConfigError(f"{type(model).__name__} has no weights to fine-tune")
    return found


def _grouped(modules: Iterable[nn.Module]) -> list[list[nn.Module]]:
    """Group modules in order into blocks, each of which begins with weights."""
    found: list[list[nn.Module]] = [[]]
    begun = False
    for module in modules:
        weighs = any(parameter.ndim > 1 for parameter in module.parameters())
        if weighs and begun:
            found.append([])
        begun = begun or weighs
        found[-1].append(module)
    return found


def _with_head(parts: list[list[nn.Module]], heads: Sequence[nn.Module]) -> list[list[nn.Module]]:
    """Put all blocks from the first layer of a head on into one, the last: a model may have several such layers."""
    first = next(
        place
        for place, part in enumerate(parts)
        if any(inner is head for module in part for inner in module.modules() for head in heads)
    )
    return [*parts[:first], [module for part in parts[first:] for module in part]]


def _opened(modules: Sequence[nn.Module]) -> Iterator[nn.Module]:
    for module in modules:
        if isinstance(module, nn.Sequential | nn.ModuleList):
            yield from _opened(list(module))
        else:
            yield module


def state_names(model: nn.Module, modules: Sequence[nn.Module]) -> frozenset[str]:
    """Return the names in a model's state of what these modules of it hold."""
    prefixes = tuple(f"{name}." if name else "" for name, module in model.named_modules() if module in modules)
    return frozenset(name for name in model.state_dict() if name.startswith(prefixes))


def freeze(model: nn.Module, parts: Sequence[Sequence[nn.Module]], last: int | None) -> tuple[nn.Module, ...]:
    """Freeze all parameters of a model but those of its last blocks.

    Args:
        model: changed in place.
        parts: its `blocks`.
        last: how many blocks are trained; None: the whole model as it is.

    Returns:
        The modules that are not trained.
    """
    if last is None:
        return ()
    model.requires_grad_(False)
    first = len(parts) - last
    for part in parts[first:]:
        for module in part:
            module.requires_grad_(True)
    return tuple(module for part in parts[:first] for module in part)


def load(model: nn.Module, file: Path, head: frozenset[str], fresh_head: bool = False) -> bool:
    """Load a checkpoint into a model.

    Args:
        model: changed in place.
        file: the checkpoint.
        head: names of the head's weights, which may differ in shape.
        fresh_head: leave the head as it is in any case.

    Returns:
        Whether the head keeps its fresh initialization.

    Raises:
        ConfigError: the file cannot be read, or holds another architecture's weights.
    """
    own = model.state_dict()
    weights = without_wrappers(read_weights(file), own)
    common = own.keys() & weights.keys()
    reshaped = {name for name in common if own[name].shape != weights[name].shape}
    if own.keys() != weights.keys() or reshaped - head:
        differences = [
            *_named("it lacks", [name for name in own if name not in weights]),
            *_named("it has", sorted(weights.keys() - own.keys())),
            *_named("other shapes of", [_shapes(name, weights, own) for name in own if name in reshaped - head]),
        ]
        raise ConfigError(f"finetune.source: {file} holds another architecture's weights: {'; '.join(differences)}")
    kept = head if reshaped or fresh_head else frozenset()
    model.load_state_dict({name: own[name] if name in kept else weights[name] for name in own})
    return bool(kept)


def _named(what: str, names: Sequence[str]) -> list[str]:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"{what} {', '.join(names[:SHOWN])}{more}"] if names else []


def _shapes(name: str, weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    return f"{name} ({'x'.join(map(str, weights[name].shape))}, here {'x'.join(map(str, own[name].shape))})"


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:16]
