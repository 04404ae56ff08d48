"""The only place where a configuration becomes an object.

A configuration is data, not a way to run any function: before anything is called, the target is found and must be a
class of the group's kind from a package that may be named, a function of a plugin that says it returns one, or what an
option of ours names. What is nested in the arguments is held to the same. No text is looked up: interpolations were
resolved where words were composed, and what looks like one here is a value.
"""

import copy
import inspect
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from types import MappingProxyType
from typing import Any, NoReturn, Unpack, get_args, get_origin, get_type_hints

from hpsearch.base import platform
from hpsearch.base.commands import LOCAL_MODULE, OUTSIDE, PROGRAM, shown_path
from hpsearch.base.errors import ConfigError, HpsearchError, nearest
from hpsearch.base.keys import ARGS
from hpsearch.base.limits import check_values
from hpsearch.config.arguments import arguments
from hpsearch.config.limits import limits_of
from hpsearch.config.listed import listed

PACKAGES = ("hpsearch", "torch", "optuna")

KINDS = {
    "data": "hpsearch.data.base.DataSource",
    "augment": "hpsearch.data.augment.Augmentation",
    "model": "torch.nn.Module",
    "init": "hpsearch.nn.init.Initializer",
    "loss": "torch.nn.Module",
    "metric": "hpsearch.metrics.base.Metric",
    "optimizer": "torch.optim.Optimizer",
    "scheduler": "torch.optim.lr_scheduler.LRScheduler",
    "regularizer": "hpsearch.regularizers.Regularizer",
    "finetune": "hpsearch.trial.finetune.FineTune",
    "trainer": "hpsearch.trial.loop.Trainer",
    "objective": "hpsearch.base.types.Objective",
    "sampler": "optuna.samplers.BaseSampler",
    "pruner": "optuna.pruners.BasePruner",
    "launcher": "hpsearch.launch.base.Launcher",
    "tracker": "hpsearch.tracking.base.Tracker",
    "storage": "hpsearch.search.storage.Store",
    "stage": "hpsearch.study.stages.base.Stage",
}
"""What the options of a group build, by dotted path: resolved when it is needed, because some import torch."""

NESTED = (
    *dict.fromkeys(KINDS.values()),
    "optuna.samplers.nsgaii.BaseCrossover",
    "optuna.samplers.nsgaii.BaseMutation",
    "torch.utils.data.Dataset",
)
"""What may be built inside the arguments of another object."""

MAPPINGS = (
    "config",
    "cfg",
    "conf",
    "params",
    "parameters",
    "hparams",
    "hyperparameters",
    "args",
    "options",
    "settings",
)
"""Names of the only argument of a function that takes all of its arguments as a mapping."""

_TARGET, _PARTIAL, _ARGS = "_target_", "_partial_", "_args_"


def build(kind: str, config: Mapping[str, Any], plugins: Sequence[str] = (), /, **extra: Any) -> Any:
    """Build the object that a configuration describes.

    Args:
        kind: one of `KINDS`.
        config: ``_target_`` and its arguments. With ``_partial_: true`` arguments come later: in `extra`, or in the
            call of what is returned when there is no `extra`.
        plugins: packages that ``_target_`` may name besides ours, torch and optuna.
        extra: arguments known at run time only.

    Returns:
        The object, or a partial of its class.

    Raises:
        ConfigError: for a target that may not be built, an argument that it does not take or that is missing, or
            whatever its constructor refuses.
    """
    target = _checked(kind, config, (KINDS[kind],), plugins)
    shadowed = sorted(extra.keys() & config.keys())
    if shadowed:
        raise ConfigError(f"{kind}.{shadowed[0]} = {config[shadowed[0]]!r}: is given at run time, take it out")
    deferred = bool(config.get(_PARTIAL)) and not extra
    _check_arguments(kind, target, config, tuple(extra), deferred)
    try:
        made = _instantiate(target, config)
        return made if deferred else made(**extra)
    except Exception as error:
        _refuse(kind, config[_TARGET], error)


def accepts(kind: str, config: Mapping[str, Any], name: str, plugins: Sequence[str] = ()) -> bool:
    """Return whether what a configuration names takes an argument.

    Args:
        kind: one of `KINDS`.
        config: ``_target_`` and its arguments.
        name: of the argument.
        plugins: packages that ``_target_`` may name besides ours, torch and optuna.
    """
    known = platform.parameters(_checked(kind, config, (KINDS[kind],), plugins))
    return name in known or any(p.kind is p.VAR_KEYWORD and not _typed_names(p) for p in known.values())


def own_loop(config: Mapping[str, Any], plugins: Sequence[str]) -> Callable[..., Any] | None:
    """Return the function that a trainer's ``_target_`` names where it is one of a plugin.

    Args:
        config: of the trainer.
        plugins: packages that ``_target_`` may name besides ours, torch and optuna.

    Returns:
        The function, None where the target makes a trainer of ours. A target that may not be used raises a ConfigError.
    """
    if config.get(_TARGET) == KINDS["trainer"]:  # ours, of which the driver need not import torch
        return None
    target: Callable[..., Any] = _checked("trainer", config, (KINDS["trainer"],), plugins)
    return target if _is_own_code(target) else None


def bind_own(
    function: Callable[..., Any],
    config: Mapping[str, Any],
    offered: Mapping[str, Any],
    trial: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[[], Any]:
    """Return a user's own function with its arguments, to be called without any; nothing of it runs yet.

    Args:
        function: what `own_loop` found.
        config: of the whole trial; the function's arguments are its ``args``.
        offered: what the function is given where it has an argument of that name.
        trial: of an objective of Optuna its trial, by the name of its argument; arguments that it does not take are
            what it asks the trial for.

    Returns:
        The call. One that takes a single argument of a name such as ``config`` is given all of them as a mapping, whose
        values are attributes too; one that takes no argument none: `hpsearch.params` has them.

    Raises:
        ConfigError: an argument that the function does not take or that is missing, or a key that no function reads.
    """
    path, given = config["trainer"][_TARGET], config[ARGS]
    for name in config["trainer"].keys() - {_TARGET, _PARTIAL}:
        raise ConfigError(f"trainer.{name}: is not used by {path}; its arguments are {ARGS}.*: write {ARGS}.{name}")
    _check_keys(ARGS, given, ())
    _check_nested(ARGS, given, config["plugins"])
    asked = platform.parameters(function)
    if trial:
        given = {name: value for name, value in given.items() if name in asked}
    extra = {name: value for name, value in {**offered, **trial}.items() if name in asked}
    if takes_all(asked, given):
        values = _instantiate(dict, {_TARGET: "builtins.dict", **given})()
        return partial(function, arguments(values)) if asked else function
    shadowed = sorted(extra.keys() & given.keys())
    if shadowed:
        raise ConfigError(f"{ARGS}.{shadowed[0]} = {given[shadowed[0]]!r}: is given at run time, take it out")
    named = {**given, _TARGET: path}
    _check_arguments(ARGS, function, named, tuple(extra), False)
    return partial(_instantiate(function, named), **extra)


def takes_all(parameters: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Return whether all arguments that are given by name go to a function as one mapping, or to none of its own.

    Args:
        parameters: of the function.
        given: the arguments.
    """
    if not given or len(parameters) != 1:
        return bool(given) and not parameters
    ((name, only),) = parameters.items()
    is_mapping = name in MAPPINGS or "dict" in str(only.annotation) or "Mapping" in str(only.annotation)
    return only.kind in (only.POSITIONAL_ONLY, only.POSITIONAL_OR_KEYWORD) and is_mapping and name not in given


def _instantiate(target: Any, config: Mapping[str, Any]) -> Any:
    """Return a partial of the target with what is nested in its arguments built; what is given later is not copied."""
    arguments = {key: _argument(value) for key, value in config.items() if key not in (_TARGET, _PARTIAL)}
    return partial(target, *arguments.pop(_ARGS, ()), **arguments)


def _argument(value: Any) -> Any:
    """Return an argument of its own; a text is one, also where it looks like an interpolation."""
    if isinstance(value, Mapping):
        if _TARGET not in value:
            return {key: _argument(item) for key, item in value.items()}
        made = _instantiate(_located(value[_TARGET], value[_TARGET]), value)
        return made if value.get(_PARTIAL) else made()
    return [_argument(item) for item in value] if isinstance(value, list | tuple) else copy.deepcopy(value)


def _refuse(kind: str, path: str, error: Exception) -> NoReturn:
    """Raise the constructor's own error when it is one of ours or lack of memory, else one that names the target."""
    if isinstance(error, HpsearchError | MemoryError) or type(error).__name__ == "OutOfMemoryError":
        raise error
    lines = str(error).strip().splitlines()
    raise ConfigError(f"{kind} {path}: {lines[0] if lines else type(error).__name__}") from error


def _checked(where: str, config: Mapping[str, Any], kinds: Sequence[str], plugins: Sequence[str]) -> Any:
    """Return the target of a configuration, with everything below it checked."""
    path = config.get(_TARGET)
    if not isinstance(path, str) or "." not in path:
        raise ConfigError(f"{where}._target_ = {path!r}: must be the dotted path of a class")
    _check_keys(where, config, (_TARGET, _PARTIAL, _ARGS))
    target = _permitted(f"{where}._target_ = {path}", path, kinds, (*PACKAGES, *plugins), plugins)
    check_values(where, limits_of(path), config)
    inner = kinds if kinds == (KINDS["objective"],) else NESTED
    _check_nested(where, {key: value for key, value in config.items() if key != _TARGET}, plugins, inner)
    return target


def _check_keys(where: str, config: Mapping[str, Any], known: Sequence[str]) -> None:
    """Refuse what Hydra would take as its own, but for some."""
    for key in config:
        if key.startswith("_") and key.endswith("_") and key not in known:
            raise ConfigError(f"{where}.{key}: is not used here")


def _check_nested(
    where: str, arguments: Mapping[str, Any], plugins: Sequence[str], kinds: Sequence[str] = NESTED
) -> None:
    for name, nested in _targets(where, arguments):
        _check_arguments(name, _checked(name, nested, kinds, plugins), nested, (), bool(nested.get(_PARTIAL)))


def _targets(where: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the outermost configurations with a target inside a value."""
    if isinstance(value, Mapping):
        if _TARGET in value:
            yield where, value
            return
        for key, item in value.items():
            yield from _targets(f"{where}.{key}", item)
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _targets(f"{where}[{place}]", item)


def _permitted(shown: str, path: str, kinds: Sequence[str], packages: Sequence[str], plugins: Sequence[str]) -> Any:
    """Resolve a target, and refuse it unless what it resolves to may be built."""
    if _within(path, (LOCAL_MODULE,)) and not (LOCAL_MODULE in sys.modules and _within(path, packages)):
        own = shown_path(path)
        call = f"hpsearch.run_search({own}, ...) or hpsearch.replay(RUN, {own})"
        raise ConfigError(f"{shown}: is a function of a script or a notebook; go on there, from Python: {call}")
    _check_package(shown, path, packages)
    target = _located(shown, path)
    if kinds == (KINDS["trainer"],) and _within(path, (LOCAL_MODULE,)):  # from Python, by whoever runs the program
        return target
    home = _home(target)
    module, name = getattr(home, "__module__", None), getattr(home, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise ConfigError(f"{shown}: is no class")
    _check_package(shown, module, packages)
    known = path in listed() or _within(module, plugins)
    if isinstance(target, type):
        fits = any(_fits(target, kind, known) for kind in kinds)
    else:
        function = known and inspect.isfunction(target) and "." not in name
        returned = returned_by(target) if function else None
        fits = isinstance(returned, type) and any(_fits(returned, kind, True) for kind in kinds)
        theirs = path in (OUTSIDE, PROGRAM) or _within(module, plugins)
        fits = fits or (kinds == (KINDS["trainer"],) and theirs and callable(target))
    if not fits:
        wanted = kinds[0] if len(kinds) == 1 else "something a configuration may build"
        raise ConfigError(f"{shown}: is not {wanted}, nor a function of yours that is annotated to return it")
    return target


def _check_package(shown: str, path: str, packages: Sequence[str]) -> None:
    if path.startswith("torch._"):
        raise ConfigError(f"{shown}: is private to torch")
    if not _within(path, packages):
        allowed = f"allowed: {', '.join(packages)}; yours go into `plugins`"
        raise ConfigError(f"{shown}: package {path.partition('.')[0]} may not be used ({allowed})")


def _within(path: str, packages: Sequence[str]) -> bool:
    return any(path == package or path.startswith(f"{package}.") for package in packages)


def returned_by(function: Any) -> Any:
    """Return what a function is annotated to return, None where that is not known."""
    try:
        return get_type_hints(function).get("return")
    except (NameError, TypeError):
        return None


def _home(target: Any) -> Any:
    """Return what says of which module a target is: of a partial its function, of a callable object its class."""
    while isinstance(target, partial):
        target = target.func
    return type(target) if callable(target) and not hasattr(target, "__qualname__") else target


def yields(target: Any) -> bool:
    """Return whether a function is a generator function, or annotated to return a generator."""
    target = inspect.unwrap(target)
    while isinstance(target, partial):
        target = target.func
    if not (inspect.isroutine(target) or isinstance(target, type)):
        target = type(target).__call__
    return inspect.isgeneratorfunction(target) or get_origin(returned_by(target)) in (Generator, Iterator, Iterable)


def _is_own_code(target: Any) -> bool:
    """Return whether a trainer's target trains by itself: a function that is not annotated to return a trainer."""
    returned = None if isinstance(target, type) else returned_by(target)
    return not isinstance(target, type) and not (isinstance(returned, type) and _fits(returned, KINDS["trainer"], True))


def _located(shown: str, path: str) -> Any:
    """Import the object at a dotted path."""
    parts = path.split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:end])
        try:
            found: Any = import_module(module)
        except ModuleNotFoundError as error:
            if error.name and (module == error.name or module.startswith(f"{error.name}.")):
                continue
            raise ConfigError(f"{shown}: importing {module} failed: {error}") from error
        except Exception as error:
            raise ConfigError(f"{shown}: importing {module} failed: {type(error).__name__}: {error}") from error
        return _attribute(shown, found, module, parts[end:])
    raise ConfigError(f"{shown}: no module named {parts[0]} (looked in the working folder and the installed packages)")


def _attribute(shown: str, found: Any, owner: str, names: Sequence[str]) -> Any:
    for name in names:
        if not hasattr(found, name):
            raise ConfigError(f"{shown}: {owner} has no {name}{nearest(name, dir(found))}")
        found, owner = getattr(found, name), f"{owner}.{name}"
    return found


@cache
def _kind(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _fits(target: type, kind: str, known: bool) -> bool:
    """Return whether a class is of a kind; by its methods alone only one that an option of ours or a plugin has."""
    base = _kind(kind)
    if not getattr(base, "_is_protocol", False):
        return issubclass(target, base)
    methods = [name for name, member in vars(base).items() if callable(member) and not name.startswith("_")]
    return known and all(callable(getattr(target, name, None)) for name in methods)


def _typed_names(rest: inspect.Parameter) -> tuple[str, ...]:
    """Return the names that ``**rest`` takes where a `typing.TypedDict` says them."""
    return tuple(get_args(rest.annotation)[0].__annotations__) if get_origin(rest.annotation) is Unpack else ()


def _check_arguments(where: str, target: Any, config: Mapping[str, Any], extra: Sequence[str], deferred: bool) -> None:
    """Compare the arguments with the target's signature."""
    try:
        parameters = platform.parameters(target)
    except (TypeError, ValueError):
        return
    path = shown_path(config[_TARGET])
    given = [name for name in config if name not in (_TARGET, _PARTIAL, _ARGS)]
    named = {name: p for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for name in given:
        if name in parameters and parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY:
            raise ConfigError(f"{where}.{name}: {path} takes it by its place alone: take `/` out of its arguments")
    any_other = next((p for p in parameters.values() if p.kind is p.VAR_KEYWORD), None)
    if any_other is None or _typed_names(any_other):
        named |= dict.fromkeys(_typed_names(any_other), any_other) if any_other else {}
        for name in given:
            if name not in named:
                known = f" (it takes: {', '.join(named) or 'none'})" if where == ARGS else ""
                raise ConfigError(f"{where}.{name}: {path} takes no such argument{nearest(name, named)}{known}")
        for name in extra:
            if name not in named:
                raise ConfigError(f"{where}: {path} must take an argument '{name}', which it is given at run time")
    filled = {*given, *extra, *list(parameters)[: len(config.get(_ARGS, ()))]}
    missing = [name for name, p in named.items() if p.default is p.empty and p is not any_other and name not in filled]
    if missing and not deferred:
        raise ConfigError(f"{where}.{missing[0]}: {path} needs it")
