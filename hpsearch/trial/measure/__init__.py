"""What can be measured of a trial beside its training: one function for each thing that a gate asks.

Importing this module loads no torch: the driver names `measure` to its workers, and only they import the functions.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from hpsearch.base.errors import ConfigError, nearest
from hpsearch.trial.build import fitting, prepare

MEASUREMENTS = {
    "data_check": "hpsearch.trial.measure.data:data_check",
    "initial_loss": "hpsearch.trial.measure.checks:initial_loss",
    "determinism": "hpsearch.trial.measure.checks:determinism",
    "gradient_isolation": "hpsearch.trial.measure.checks:gradient_isolation",
    "input_baseline": "hpsearch.trial.measure.short_runs:input_baseline",
    "contained": "hpsearch.trial.measure.contained:contained",
    "overfit_small": "hpsearch.trial.measure.short_runs:overfit_small",
    "fixed_rate_probe": "hpsearch.trial.measure.probe:fixed_rate_probe",
    "range_test": "hpsearch.trial.measure.probe:range_test",
    "training_losses": "hpsearch.trial.measure.short_runs:training_losses",
    "curvature": "hpsearch.trial.measure.curvature:curvature",
}
"""Every measurement of ours by its name, as ``module:function``; a plugin's is named like that by its gate."""


def measure(name: str, config: Mapping[str, Any], **options: Any) -> Any:
    """Measure something of a trial; called in a worker.

    The function asks by the name of its first argument for ``job``, the trial that the configuration describes, built
    on its device, or for ``config``, the configuration, to build the trial by itself.

    Args:
        name: a key of `MEASUREMENTS`, or ``module:function`` of a package in ``plugins``.
        config: a trial's resolved configuration.
        **options: what else the function takes.

    Returns:
        What it returns; the fields of a dataclass, by name. So everything is plain and reaches the driver.
    """
    function = _function(name, tuple(config["plugins"]))
    if "config" in inspect.signature(function).parameters:
        found = function(config, **options)
    else:
        with fitting():
            found = function(prepare(config), **options)
    return asdict(found) if is_dataclass(found) and not isinstance(found, type) else found


def _function(name: str, plugins: tuple[str, ...]) -> Callable[..., Any]:
    path = MEASUREMENTS.get(name, name)
    module, separator, attribute = path.partition(":")
    if not separator:
        raise ConfigError(f"no measurement '{name}'{nearest(name, list(MEASUREMENTS))} (of your own: module:function)")
    if module.partition(".")[0] not in ("hpsearch", *plugins):
        raise ConfigError(f"measurement '{name}': its package is not hpsearch and not among plugins = {list(plugins)}")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function
