"""A model, built for its data and initialized."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import is_lazy

from hpsearch.base.errors import ConfigError, first_line
from hpsearch.base.rng import address
from hpsearch.base.steps import labels
from hpsearch.config.build import accepts, build
from hpsearch.data.streamed import moved
from hpsearch.models.polynomial import PolynomialRegression
from hpsearch.models.pretrained import PretrainedNet
from hpsearch.nn.init import Default

READ_AT_ONCE = 1000
LOOKED_AT = 64
"""Samples whose values are looked at."""
SLACK = 0.01
"""By which a value may be out of the range of pixels."""

if TYPE_CHECKING:
    from torch import Tensor, nn

    from hpsearch.data.base import Splits
    from hpsearch.nn.init import Initializer


def make_model(config: Mapping[str, Any], plugins: tuple[str, ...], seed: int, splits: "Splits") -> "nn.Module":
    """Return the model that a configuration describes, on the host; what it draws is a function of the seed.

    Args:
        config: a trial's resolved configuration.
        plugins: packages of the user's that may be built from.
        seed: the trial's seed.
        splits: the data, whose shapes it is built for.
    """
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(address(seed, "init"))
        shape: dict[str, Any] = {"in_shape": splits.in_shape, "num_outputs": splits.num_outputs}
        if splits.vocabulary:
            _check_reads_words(config["model"], plugins)
            shape["vocabulary"] = splits.vocabulary
        model: nn.Module = build("model", config["model"], plugins, **shape)
        _materialize(model, splits)
        if isinstance(model, PolynomialRegression):
            model.fit_terms(_inputs(splits))
        if isinstance(model, PretrainedNet) and model.weights and config["finetune"].get("fresh_head"):
            model.renew_head()
    initializer: Initializer = build("init", config["init"], plugins)
    if isinstance(model, PretrainedNet) and model.weights:
        _check_pretrained(config, initializer, splits)
    initializer.initialize(
        model, seed, prior(splits, config["data"].get("sampling")) if initializer.needs_prior else None
    )
    return model


def _inputs(splits: "Splits") -> "Tensor":
    """Return [N, ...] all inputs of the training part, on the host."""
    return torch.cat([x.to("cpu") for x, _ in splits.train.in_order(READ_AT_ONCE)])


def _check_reads_words(config: Mapping[str, Any], plugins: tuple[str, ...]) -> None:
    """Refuse a model that is not told how many words there are: it would take their numbers for quantities."""
    if not accepts("model", config, "vocabulary", plugins):
        raise ConfigError(
            f"model: {config['_target_']} reads no words, which the inputs are: model=lstm, gru, elman, jordan or "
            "encoder, or one of yours that takes `vocabulary`, their number"
        )


def _check_pretrained(config: Mapping[str, Any], initializer: "Initializer", splits: "Splits") -> None:
    """Refuse what would undo weights that were trained before: draws of their own, inputs that they were not made for.

    Raises:
        ConfigError: naming the key.
    """
    weights = f"model.weights = '{config['model']['weights']}'"
    if not isinstance(initializer, Default) or initializer.bias is not None:
        raise ConfigError(f"init: would draw over {weights}; use init=default")
    scaling = config["data"].get("scaling", "none")
    if scaling not in ("minmax", "none"):
        raise ConfigError(
            f"data.scaling = '{scaling}': {weights} normalize by themselves and take pixels from 0 to 1: use minmax"
        )
    rows = torch.arange(min(LOOKED_AT, len(splits.train)), device=splits.train.device)
    ((x, _),) = splits.train.batches(rows, len(rows))
    low, high = float(x.min()), float(x.max())
    if low < -SLACK or high > 1 + SLACK:
        raise ConfigError(
            f"data.scaling = '{scaling}': {weights} normalize by themselves and take pixels from 0 to 1, "
            f"and the inputs go from {low:.3g} to {high:.3g}: use minmax, or leave a normalization of the data out"
        )


def _materialize(model: "nn.Module", splits: "Splits") -> None:
    """Give lazy layers their weights, by the first sample: the optimizer is to find them.

    Raises:
        ConfigError: the model does not take the sample.
    """
    if not any(is_lazy(each) for each in (*model.parameters(), *model.buffers())):
        return
    ((x, _),) = splits.train.batches(torch.arange(1, device=splits.train.device), 1)
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.no_grad():
            model.eval()(moved(x, torch.device("cpu")))
    except Exception as error:
        raise ConfigError(f"model: has lazy layers, and does not take a sample: {first_line(error)}") from error
    for module, mode in modes.items():
        module.training = mode


def prior(splits: "Splits", sampling: str | None) -> "Tensor | None":
    """Return the share of each class in what is trained on.

    Args:
        splits: the data.
        sampling: how an epoch draws its samples, see `hpsearch.data.base.DataSource`.
    """
    if splits.task != "classification":
        return None
    if sampling:
        return torch.full((splits.num_outputs,), 1 / splits.num_outputs)
    y = labels(splits.train.y.cpu())
    return torch.bincount(y, minlength=splits.num_outputs) / len(y)
