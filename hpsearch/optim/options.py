"""Ranges of the options that optimizers share, checked without torch and before anything is built."""

from collections.abc import Mapping
from typing import Any

from hpsearch.errors import ConfigError, check_choice, check_float

RANGES = {"lr": "(0, inf)", "momentum": "[0, 1)", "weight_decay": "[0, inf)"}
"""Range by option; torch itself accepts a learning rate of 0 and a momentum of 2."""


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse an optimizer's options that are out of range; the ones it has not got are not asked for.

    Args:
        options: the optimizer's part of the configuration.

    Raises:
        ConfigError: naming the key, its value and what is allowed.
    """
    for name in RANGES.keys() & options.keys():
        check_float(f"optimizer.{name}", options[name], RANGES[name])
    for place, beta in enumerate(options.get("betas", ())):
        check_float(f"optimizer.betas[{place}]", beta, "[0, 1)")
    if "decay_bias_and_norm" in options:
        check_choice("optimizer.decay_bias_and_norm", options["decay_bias_and_norm"], (True, False))
    if options.get("nesterov") and not options.get("momentum"):
        raise ConfigError("optimizer.momentum = 0: Nesterov momentum (optimizer.nesterov) needs more than 0")
