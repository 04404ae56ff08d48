"""Runs Hydra once for every choice of options; values are set on a copy of what it composed.

Choosing the options takes a twentieth of a second, most of it to read files, and twice that with Hydra's own
configuration; setting values, by Hydra's own function, takes a fifth of that.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from hpsearch.base.errors import ConfigError
from hpsearch.base.files import is_folder
from hpsearch.base.grammar import value_text
from hpsearch.base.plain import ABSENT
from hpsearch.config.groups import CONF
from hpsearch.config.messages import Choice
from hpsearch.config.words import COMMAND_LINE, parser

_LOCK = threading.Lock()
_SEARCH_PATH = "hydra.searchpath"


@lru_cache(maxsize=256)
def hydra_run(
    folders: tuple[Path, ...], texts: tuple[str, ...], stamp: tuple[tuple[str, int], ...]
) -> tuple[dict[str, Any], dict[str, Choice]]:
    """Compose overrides: a run of Hydra chooses the options, and is kept for other values of theirs.

    Args:
        folders: the user's config folders, absolute.
        texts: the overrides.
        stamp: what changes when somebody edits an option.

    Returns:
        The configuration, unresolved, and the option of every group. Whatever Hydra raises passes.
    """
    values = tuple(text for text in texts if _sets_a_value(folders, text))
    with _LOCK:
        overrides = parser().parse_overrides(list(values))
        if any(override.is_sweep_override() for override in overrides):
            values, overrides = (), []  # Hydra says what is wrong with it
        chosen, choices = _options_run(folders, tuple(text for text in texts if text not in values), stamp)
        config = deepcopy(chosen)
        _apply(overrides, config)
        raw = OmegaConf.to_container(config, resolve=False)
    assert isinstance(raw, dict)
    return {str(name): value for name, value in raw.items()}, choices


def _sets_a_value(folders: tuple[Path, ...], text: str) -> bool:
    """Return whether an override sets a value, and has no part in choosing options."""
    key = re.split("[=@]", text.lstrip("+~"), maxsplit=1)[0]
    return key.partition(".")[0] != "hydra" and not any(is_folder(folder / key) for folder in (CONF, *folders))


def _apply(overrides: list[Override], config: DictConfig) -> None:
    """Set and remove values as Hydra does; to it what is null is not there, and cannot be removed."""
    for override in overrides:
        key, value = override.key_or_group, override.value()
        if override.is_delete() and OmegaConf.select(config, key, default=ABSENT) is None:
            if value is not None:
                raise ConfigError(f"{override.input_line}: {key} is null (from {COMMAND_LINE})")
            OmegaConf.update(config, key, "")
    ConfigLoaderImpl._apply_overrides_to_config(overrides, config)


@lru_cache(maxsize=64)
def _options_run(
    folders: tuple[Path, ...],
    texts: tuple[str, ...],
    stamp: tuple[tuple[str, int], ...],  # noqa: ARG001
) -> tuple[DictConfig, dict[str, Choice]]:
    """Run Hydra once for the same words over the same files."""
    search_path = [f"file://{folder}" for folder in folders]
    overrides = [f"{_SEARCH_PATH}={value_text(search_path)}", *texts] if search_path else list(texts)
    with _hydra():
        try:
            return _ours(overrides)
        except Exception:  # whatever it is, Hydra finds it again and says it
            return _with_its_own(overrides)


def _ours(overrides: list[str]) -> tuple[DictConfig, dict[str, Choice]]:
    """Compose as `hydra.compose` does, without Hydra's own configuration, which is half of the work.

    Returns:
        What `_with_its_own` returns.

    Raises:
        ValueError: words search, or are about that configuration.
    """
    loader = GlobalHydra.instance().config_loader()
    assert isinstance(loader, ConfigLoaderImpl)
    words, files = loader._parse_overrides_and_create_caching_repo("config", overrides)
    words = [word for word in words if word.key_or_group != _SEARCH_PATH]
    if any(word.is_sweep_override() or word.is_hydra_override() for word in words):
        raise ValueError
    chosen = create_defaults_list(files, "config", words, prepend_hydra=False, skip_missing=False)
    config = loader._compose_config_from_defaults_list(chosen.defaults, files)
    if "hydra" in config:
        raise ValueError
    OmegaConf.set_struct(config, True)
    loader._apply_overrides_to_config(chosen.config_overrides, config)
    return config, dict(chosen.overrides.known_choices)


def _with_its_own(overrides: list[str]) -> tuple[DictConfig, dict[str, Choice]]:
    """Compose with Hydra's own configuration, and leave that out then."""
    config = compose("config", overrides=overrides, return_hydra_config=True)
    choices = dict(config.hydra.runtime.choices)
    with open_dict(config):
        del config["hydra"]
    return config, {group: option for group, option in choices.items() if not group.startswith("hydra/")}


@contextmanager
def _hydra() -> Iterator[None]:
    """Enter Hydra with our folder, and leave its global state as it was."""
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(CONF), job_name="hpsearch", version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = before
