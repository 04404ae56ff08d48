"""Weights that were trained before, as files hold them: ``.safetensors``, or a state dict that `torch.save` wrote."""

import pickle
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from hpsearch.base.errors import ConfigError, first_line
from hpsearch.base.intake import check_stored, opened

_SAVED = (".pt", ".pth", ".ckpt", ".bin")
"""Endings of files that `torch.save` writes."""
_INSIDE = ("state_dict", "model_state_dict", "model")
"""Keys under which a checkpoint of a whole training holds its model's state."""
_WRAPPERS = ("module.", "model.", "_orig_mod.")
"""What `DataParallel`, a module of Lightning and `torch.compile` put before the names of a model that they hold."""


def read_weights(file: Path) -> dict[str, Tensor]:
    """Read a ``.safetensors`` file, or a state dict in a ``.pt``, ``.pth``, ``.ckpt`` or ``.bin`` file.

    The latter is read by `torch.load` with ``weights_only=True``, which builds tensors and plain containers and nothing
    else: code in a pickle is never run. Of a checkpoint that holds more than weights the entry ``state_dict``,
    ``model_state_dict`` or ``model`` is taken.

    Args:
        file: the checkpoint.

    Returns:
        Tensors by name.

    Raises:
        ConfigError: there is no such file, or it is something else.
    """
    try:
        if file.suffix in _SAVED and file.is_file():
            return _state_of(_loaded(file), file)
        if file.exists():
            opened(file, ConfigError).close()
        return safetensors.torch.load_file(file)
    except pickle.UnpicklingError:
        raise ConfigError(
            f"finetune.source: {file} is a pickle of more than weights, which could run code when it is read; save "
            "model.state_dict() instead"
        ) from None
    except ConfigError:
        raise
    except Exception as error:  # a damaged file fails in as many ways as there are places to damage
        raise ConfigError(f"finetune.source: {file} {_what_is_wrong(file, error)}") from None


def _loaded(file: Path) -> Any:
    with opened(file, ConfigError) as stream:
        if zipfile.is_zipfile(stream):
            check_stored(stream)
        stream.seek(0)
        with warnings.catch_warnings(action="ignore"):  # about old formats, which it reads all the same
            return torch.load(stream, map_location="cpu", weights_only=True)


def without_wrappers(weights: Mapping[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """Return weights by the names of a model, where what wrapped it when they were saved can be taken off.

    Args:
        weights: by name.
        names: of the model's state.

    Returns:
        The weights, without ``module.``, ``model.`` or ``_orig_mod.`` before every name where they fit then; else as
        they are.
    """
    stripped = dict(weights)
    while stripped and stripped.keys() != set(names):
        prefix = next((each for each in _WRAPPERS if all(name.startswith(each) for name in stripped)), None)
        if prefix is None:
            return dict(weights)
        stripped = {name.removeprefix(prefix): value for name, value in stripped.items()}
    return stripped


def _state_of(loaded: Any, file: Path) -> dict[str, Tensor]:
    """Return the state dict in what was loaded."""
    held = [loaded[key] for key in _INSIDE if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping)]
    state = held[0] if held else loaded
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()) or not state:
        held_names = (
            f" (it holds {', '.join(map(str, list(state)[:3]))})" if isinstance(state, Mapping) and state else ""
        )
        raise ConfigError(f"finetune.source: {file} holds no state dict, tensors by name{held_names}")
    return dict(state)


def _what_is_wrong(file: Path, error: Exception) -> str:
    if not file.is_file():
        return "is no file"
    with file.open("rb") as opened:
        start = opened.read(2)
    if file.suffix in _SAVED:
        return f"cannot be read as what torch.save writes: {first_line(error) or type(error).__name__}"
    if start in (b"PK", *(bytes((0x80, protocol)) for protocol in range(2, 6))):
        return f"is what torch.save or pickle writes; give it the ending of a state dict ({', '.join(_SAVED)})"
    return f"cannot be read as .safetensors: {error}"
