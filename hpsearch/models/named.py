"""Weights that a library knows by name: which ones a model's configuration asks for, and where they lie. No torch."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from hpsearch.base.contents import Place
from hpsearch.base.errors import ConfigError, first_line, nearest

DEFAULT = "default"
"""The weights that the library itself takes for a model."""
FETCH = ", or let it be fetched, model.download=true"
_LIBRARIES = {f"hpsearch.models.{name}": name for name in ("torchvision", "timm", "transformers")}


def named_weights(config: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return library, name and weights that a model's configuration names; None where it starts from random ones.

    Args:
        config: of the model.
    """
    library = _LIBRARIES.get(str(config.get("_target_")).rpartition(".")[0])
    return (library, config["name"], config["weights"]) if library and config.get("weights") else None


def place_of_weights(config: Mapping[str, Any]) -> Place | None:
    """Return where the weights lie that a model's configuration names; None where it names none.

    They are looked for in the library's own cache, and fetched into it only where ``download`` is true.

    Args:
        config: of the model.

    Returns:
        The file, or the folder. A ConfigError says in one line which file is missing and where it goes.
    """
    named = named_weights(config)
    if named is None:
        return None
    library, name, weights = named
    place: Place = import_module(f"hpsearch.models.{library}").place(name, weights, config.get("download", False))
    return place


def imported(library: str) -> ModuleType:
    """Import a library that models come from.

    Args:
        library: its name, which is that of its package.

    Returns:
        Its module.

    Raises:
        ConfigError: it is not installed, or does not fit the installed torch.
    """
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"model = {library}: needs {error.name}, which is not installed: pip install {library}"
        ) from None
    except Exception as error:
        raise ConfigError(
            f"model = {library}: importing {library} fails ({first_line(error)}): install the release of it that "
            f"belongs to the installed torch, pip install --upgrade {library}"
        ) from error


def check_known(key: str, value: str, known: list[str], what: str) -> None:
    """Refuse a name that a library does not know.

    Args:
        key: dotted key of the configuration.
        value: what was given.
        known: the names there are.
        what: these are, for the message.

    Raises:
        ConfigError: with the nearest name, or all of them where they are few.
    """
    if value not in known:
        shown = f" ({', '.join(known)})" if len(known) <= 6 else ""
        raise ConfigError(f"{key} = '{value}': is not among {what}{shown}{nearest(value, known)}")


def missing(what: str, where: object, otherwise: str = FETCH) -> str:
    """Return the words that say which file is missing and where it goes.

    Args:
        what: the file, and where it is to be had.
        where: the path under which it is looked for.
        otherwise: what else helps.
    """
    return f"model.weights: {what} is missing: put it at {where}{otherwise}"


@contextmanager
def reading(weights: str, file: str) -> Iterator[None]:
    """Say in one line that the weights of a library cannot be read, whatever the library raises.

    Args:
        weights: as `model.weights` names them.
        file: where they lie.

    Yields:
        Nothing.

    Raises:
        ConfigError: what is done inside fails.
    """
    try:
        yield
    except Exception as error:
        raise ConfigError(f"model.weights = '{weights}': {file} cannot be read ({first_line(error)})") from error
