"""A program's own settings file, written anew with other values: YAML, JSON or TOML."""

import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from hpsearch.base import intake
from hpsearch.base.errors import ConfigError, check_choice, first_line, nearest
from hpsearch.base.plain import ABSENT, flatten, get, put

_LOADS: dict[str, Callable[[str], Any]] = {
    ".yaml": intake.yaml_text,
    ".yml": intake.yaml_text,
    ".json": intake.json_value,
    ".toml": tomllib.loads,
}
ENDINGS = tuple(_LOADS)


def read(path: Path) -> dict[str, Any]:
    """Return what a settings file holds.

    Raises:
        ConfigError: it is not there, is of another kind, cannot be read or holds no table.
    """
    check_choice("the ending of trainer.file", path.suffix, ENDINGS)
    try:
        text = intake.read(path, ConfigError).decode("utf-8")
        content = _LOADS[path.suffix](text)
    except OSError as error:
        raise ConfigError(f"trainer.file = {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"trainer.file = {path}: {first_line(error)}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"trainer.file = {path}: must hold a table of settings")
    return content


def replaced(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a settings file holds with other values.

    Args:
        path: of the file.
        values: by dotted key; each must be there.

    Returns:
        The content.

    Raises:
        ConfigError: a key is not there.
    """
    content = read(path)
    for key, value in values.items():
        if get(content, key) is ABSENT:
            known = flatten(content)
            raise ConfigError(f"args.{key}: {path} has no such key{nearest(key, known)} (it has: {', '.join(known)})")
        put(content, key, value)
    return content


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write settings in the format that the ending of a file names."""
    if path.suffix == ".json":
        text = json.dumps(content, indent=2)
    elif path.suffix == ".toml":
        text = _toml(content, ())
    else:
        text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")


def _toml(table: Mapping[str, Any], above: tuple[str, ...]) -> str:
    """Return a table as TOML: its values, then the tables in it."""
    values = {name: value for name, value in table.items() if not isinstance(value, Mapping)}
    head = [f"[{'.'.join(map(_toml_key, above))}]"] if above else []
    lines = [
        *head,
        *(f"{_toml_key(name)} = {_toml_value(value)}" for name, value in values.items() if value is not None),
    ]
    inner = [_toml(value, (*above, name)) for name, value in table.items() if isinstance(value, Mapping)]
    return "\n".join(lines) + "\n" + "\n".join(inner)


def _toml_key(name: str) -> str:
    return name if name.replace("-", "_").isidentifier() and name.isascii() else json.dumps(name)


def _toml_value(value: Any) -> str:
    match value:
        case bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case int() | float():
            return repr(value)
        case list():
            return f"[{', '.join(map(_toml_value, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{_toml_key(name)} = {_toml_value(each)}' for name, each in value.items())}}}"
    return str(value.isoformat())
