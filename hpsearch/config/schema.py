"""What the well-known keys of a configuration may hold; checked before any worker sees it."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hpsearch.base.errors import ConfigError, check_choice, check_float, check_int
from hpsearch.base.plain import ABSENT, get

Rule = Callable[[str, Any], None]


def check(config: Mapping[str, Any], where: Callable[[str], str]) -> None:
    """Check every well-known key that a configuration has.

    Args:
        config: nested dicts, resolved.
        where: where the value of a dotted key came from.

    Raises:
        ConfigError: one line per value that is not allowed.
    """
    problems = []
    for key in RULES:
        value = get(config, key)
        if value is ABSENT:
            continue
        try:
            check_value(key, value, where)
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))


def check_value(key: str, value: Any, where: Callable[[str], str] | str) -> None:
    """Check one value.

    Args:
        key: its dotted key; a key without a rule may hold anything.
        value: what is configured or searched.
        where: where it came from.

    Raises:
        ConfigError: for a value that is not allowed.
    """
    rule = RULES.get(key)
    if rule is None:
        return
    try:
        rule(key, value)
    except ConfigError as error:
        raise ConfigError(f"{error} (from {where if isinstance(where, str) else where(key)})") from None


def _bool(key: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{key} = {value!r}: must be true or false")


def _text(key: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ConfigError(f"{key} = {value!r}: must be text")


def _table(key: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise ConfigError(f"{key} = {value!r}: must be a table such as {{optimizer.momentum: 0}}")


def _names(key: str, value: Any) -> None:
    names = value if isinstance(value, list) else [None]
    if not all(isinstance(name, str) and all(map(str.isidentifier, name.split("."))) for name in names):
        raise ConfigError(f"{key} = {value!r}: must be a list of package names")


def _optional(rule: Rule) -> Rule:
    def check_unless_none(key: str, value: Any) -> None:
        if value is not None:
            rule(key, value)

    return check_unless_none


def _or_word(rule: Rule, word: str) -> Rule:
    def check_unless_word(key: str, value: Any) -> None:
        if value == word:
            return
        try:
            rule(key, value)
        except ConfigError as error:
            raise ConfigError(f"{error}, or {word}") from None

    return check_unless_word


def _pair(rule: Rule) -> Rule:
    def check_both(key: str, value: Any) -> None:
        if not isinstance(value, list | tuple) or len(value) != 2:
            raise ConfigError(f"{key} = {value!r}: must be two numbers")
        for place, item in enumerate(value):
            rule(f"{key}[{place}]", item)

    return check_both


def _one_or_each(rule: Rule) -> Rule:
    def check_all(key: str, value: Any) -> None:
        for place, item in enumerate(value) if isinstance(value, list | tuple) else [(None, value)]:
            rule(key if place is None else f"{key}[{place}]", item)

    return check_all


def _points(key: str, value: Any) -> None:
    """Check the values per interval of a grid; a list of points is for its sampler to check."""
    if isinstance(value, list):
        return
    for name, number in value.items() if isinstance(value, dict) else [(None, value)]:
        check_int(f"{key}.{name}" if name else key, number, 2)


_COUNT = partial(check_int, low=1)
_COUNT_OR_ZERO = partial(check_int, low=0)
_POSITIVE = partial(check_float, interval="(0, inf)")
_NOT_NEGATIVE = partial(check_float, interval="[0, inf)")
_NUMBER = partial(check_float, interval="(-inf, inf)")
_SHARE = partial(check_float, interval="[0, 1)")

RULES: Mapping[str, Rule] = {
    "seed": _COUNT_OR_ZERO,
    "fold": _COUNT_OR_ZERO,
    "plugins": _names,
    "data.batch_size": _or_word(_COUNT, "full"),
    "data.root": _optional(_text),
    "data.shuffle": _bool,
    "data.folds": _optional(partial(check_int, low=2)),
    "model.dropout": _one_or_each(_SHARE),
    "model.norm_first": _bool,
    "init.bias": _optional(_NUMBER),
    "init.output_bias": _optional(_or_word(_NUMBER, "log_prior")),
    "init.value": _NUMBER,
    "init.std": _POSITIVE,
    "init.truncate": _bool,
    "init.scale": _POSITIVE,
    "init.fan": partial(check_choice, allowed=("in", "avg")),
    "init.distribution": partial(check_choice, allowed=("normal", "uniform")),
    "init.gain": _POSITIVE,
    "optimizer.lr": _POSITIVE,
    "optimizer.momentum": _SHARE,
    "optimizer.alpha": _SHARE,
    "optimizer.betas": _pair(_SHARE),
    "optimizer.eps": _POSITIVE,
    "optimizer.lr_decay": _NOT_NEGATIVE,
    "optimizer.weight_decay": _NOT_NEGATIVE,
    "optimizer.decay_bias_and_norm": _bool,
    "optimizer.nesterov": _bool,
    "optimizer.dampening": partial(check_float, interval="[0, 1]"),
    "optimizer.amsgrad": _bool,
    "optimizer.centered": _bool,
    "optimizer.initial_momentum": _SHARE,
    "optimizer.initial_momentum_steps": _COUNT_OR_ZERO,
    "scheduler.per": partial(check_choice, allowed=("step", "epoch")),
    "scheduler.warmup": partial(check_choice, allowed=("linear", "exponential")),
    "scheduler.warmup_steps": _COUNT_OR_ZERO,
    "regularizer.l1.strength": _NOT_NEGATIVE,
    "regularizer.l2.strength": _NOT_NEGATIVE,
    "regularizer.lp.strength": _NOT_NEGATIVE,
    "regularizer.lp.p": partial(check_float, interval="[1, inf)"),
    "regularizer.elastic_net.strength": _NOT_NEGATIVE,
    "regularizer.elastic_net.l1_ratio": partial(check_float, interval="[0, 1]"),
    "regularizer.max_norm.limit": _POSITIVE,
    "regularizer.mixup.alpha": _POSITIVE,
    "regularizer.cutmix.alpha": _POSITIVE,
    "regularizer.early_stopping.patience": _COUNT,
    "regularizer.early_stopping.min_delta": _NOT_NEGATIVE,
    "loss.reduction": partial(check_choice, allowed=("mean",)),
    "loss.gamma": _NOT_NEGATIVE,
    "loss.delta": _POSITIVE,
    "loss.label_smoothing": partial(check_float, interval="[0, 1]"),
    "finetune.source": _optional(_text),
    "finetune.k": _COUNT,
    "finetune.rate_factor": _POSITIVE,
    "finetune.fresh_head": _bool,
    "trainer.epochs": _COUNT,
    "trainer.steps": _optional(_COUNT),
    "trainer.test": _bool,
    "trainer.compile": _bool,
    "trainer.channels_last": _bool,
    "trainer.deterministic": _bool,
    "trainer.clip_norm": _optional(_POSITIVE),
    "trainer.clip_value": _optional(_POSITIVE),
    "trainer.diverge_factor": partial(check_float, interval="(1, inf)"),
    "trainer.eval_batch_size": _COUNT,
    "trainer.checkpoint_sec": _NOT_NEGATIVE,
    "trainer.log_every": _optional(_COUNT),
    "objective.metric": _text,
    "objective.direction": partial(check_choice, allowed=("maximize", "minimize")),
    "objective.reduce": partial(check_choice, allowed=("last", "best")),
    "sampler.points": _optional(_points),
    "launcher.workers": _optional(_or_word(_COUNT, "auto")),
    "launcher.lockstep": _bool,
    "launcher.retries": _COUNT_OR_ZERO,
    "budget.points": _optional(_COUNT),
    "budget.epochs": _optional(_COUNT),
    "budget.seconds": _optional(_POSITIVE),
    "budget.target": _optional(partial(check_float, interval="(-inf, inf)")),
    "ablation.nuisance": _optional(partial(check_choice, allowed=("held", "retuned"))),
    "ablation.reference": _optional(_table),
    "ablation.target": _optional(_NUMBER),
    "ablation.points": partial(check_int, low=2),
    "ablation.seeds": _COUNT,
    "ablation.epochs": _optional(_COUNT),
    "study.name": _text,
    "study.question": _text,
    "study.seeds": _COUNT,
    "study.restart": _bool,
}
