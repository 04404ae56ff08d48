"""Where config groups and their options are: ours and the user's folders, read without Hydra."""

import os
import re
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from hpsearch.base import intake
from hpsearch.base.errors import ConfigError
from hpsearch.base.files import is_file, is_folder
from hpsearch.config.functions import is_own

_PACKAGE = Path(__file__).resolve().parents[1]
CONF = next((p for p in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if p.is_dir()), _PACKAGE / "conf")
"""The folder of our own options: inside an installed package, beside it in a checkout."""

PLUGINS_FILE = "plugins.yaml"
GLOBAL = "# @package _global_"


def describe_groups(config_dirs: Sequence[str | Path] = ()) -> dict[str, tuple[str, ...]]:
    """Return every group and its options, ours and the user's."""
    groups: dict[str, set[str]] = {}
    for folder in (CONF, *map(Path, config_dirs)):
        for file in folder.rglob("*.yaml"):
            group = file.parent.relative_to(folder).as_posix()
            if group != ".":
                groups.setdefault(group, set()).add(file.stem)
    return {group: tuple(sorted(options)) for group, options in sorted(groups.items())}


def option_file(group: str, option: str, config_dirs: Sequence[Path]) -> Path | None:
    """Return the file of an option, None when there is none."""
    files = (folder / group / f"{option}.yaml" for folder in (CONF, *config_dirs))
    return next((file for file in files if is_file(file)), None)


def shown(path: Path) -> str:
    """Return a path as messages show it: ours from ``conf/`` on, a user's in full."""
    return path.relative_to(CONF.parent).as_posix() if path.is_relative_to(CONF) else str(path)


def checked_folders(config_dirs: Sequence[str | Path]) -> tuple[Path, ...]:
    """Return a user's config folders as absolute paths.

    Args:
        config_dirs: as given with ``--config-dir``.

    Returns:
        The folders in order.

    Raises:
        ConfigError: for a folder that does not exist, an option that two folders name, a file with a byte-order mark,
            or one that Hydra would put into its group although it sets more.
    """
    folders = tuple(dict.fromkeys(Path(folder).expanduser().resolve() for folder in config_dirs))
    known = {file.relative_to(CONF): file for file in CONF.rglob("*.yaml")}
    for folder in folders:
        if not is_folder(folder):
            raise ConfigError(f"--config-dir {folder}: no such folder")
        for file in sorted(folder.rglob("*.yaml")):
            _check_text(file)
            name = file.relative_to(folder)
            if name.as_posix() == PLUGINS_FILE:
                continue
            if name in known:
                raise ConfigError(f"{file} has the name of {known[name]}: rename it, one would hide the other")
            known[name] = file
            _check_header(file, name.parent.name)
    return folders


def _check_text(file: Path) -> None:
    """Refuse what is no YAML, and a byte-order mark, behind which Hydra sees no ``# @package`` line."""
    with intake.opened(file, ConfigError) as opened:
        raw = opened.read(intake.TEXT_BYTES + 1)
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{file}: begins with a byte-order mark; save it as UTF-8 without one")
    try:
        intake.yaml_text(raw)
    except ValueError as error:
        raise ConfigError(f"{file}: {error}") from None


def _check_header(file: Path, group: str) -> None:
    """Refuse an option that sets more than its group and does not say so in its first line, as Hydra wants it."""
    text = file.read_text(encoding="utf-8", errors="replace")
    keys = re.findall(r"^(\w+):", text, re.MULTILINE)
    is_global = "_target_" not in keys and (group in keys or "space" in keys)
    if not text.lstrip("\n").startswith("# @package") and (is_global or GLOBAL in text):
        raise ConfigError(f"{file}: its first line must be `{GLOBAL}`; without it all of it is options of {group}")


def read_plugins(config_dirs: Sequence[Path]) -> tuple[str, ...]:
    """Return the packages that the ``plugins.yaml`` of these folders name.

    Args:
        config_dirs: absolute folders.

    Returns:
        Names of packages, each once.

    Raises:
        ConfigError: for a file that is not ``plugins: [my_package]``.
    """
    from omegaconf import OmegaConf

    names: list[str] = []
    for file in (folder / PLUGINS_FILE for folder in config_dirs):
        if not file.is_file():
            continue
        try:
            content = OmegaConf.to_container(OmegaConf.load(file))
        except Exception as error:  # a tag fails in as many ways as there are tags
            raise ConfigError(f"{file}: {' '.join(str(error).split())}") from None
        listed = content.get("plugins") if isinstance(content, dict) and set(content) == {"plugins"} else None
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            raise ConfigError(f"{file}: must be one line like `plugins: [my_package]`")
        names.extend(listed)
    return tuple(dict.fromkeys(names))


def import_folders(plugins: Sequence[str]) -> list[Path]:
    """Return the folders that hold a user's packages and that a shell in the working folder does not look in.

    Such are the folder of a script, and what a script added to the import path.
    """
    looked_in = {Path.cwd(), *(Path(folder).resolve() for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep))}
    found: dict[Path, None] = {}
    for name in {plugin.partition(".")[0]: None for plugin in plugins}:
        module = sys.modules.get(name)
        spec = module.__spec__ if module else find_spec(name)
        places = list(spec.submodule_search_locations or ()) if spec else []
        places += [spec.origin] if spec and spec.has_location and spec.origin else []
        if places and is_own(Path(places[0])):
            found[Path(places[0]).resolve().parent] = None
    return [folder for folder in found if folder not in looked_in]
