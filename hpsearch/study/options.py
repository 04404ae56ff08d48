"""What may be written on a command line: groups with their options, studies with their questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.environment import as_recorded
from hpsearch.base.intake import yaml_text
from hpsearch.config.groups import CONF, describe_groups

if TYPE_CHECKING:
    from hpsearch.config.compose import Composition


@dataclass(frozen=True, slots=True)
class AvailableOptions:
    """What ours and a user's folders offer, read without Hydra.

    Attributes:
        groups: the options of every group but the studies.
        defaults: the option of a group that is chosen where none is named.
        studies: the question of every study.
    """

    groups: Mapping[str, Sequence[str]]
    defaults: Mapping[str, str]
    studies: Mapping[str, str]


def available_options(config_dirs: Sequence[str | Path] = ()) -> AvailableOptions:
    """Return the groups with their options and the studies with their questions."""
    groups = describe_groups(config_dirs)
    studies = groups.pop("study", ())
    listed = _load(CONF / "config.yaml").get("defaults", [])
    defaults = {group: option for entry in listed if isinstance(entry, dict) for group, option in entry.items()}
    return AvailableOptions(groups, defaults, {name: _question(name, config_dirs) for name in studies})


def _question(study: str, config_dirs: Sequence[str | Path]) -> str:
    for folder in (CONF, *map(Path, config_dirs)):
        content = _load(folder / "study" / f"{study}.yaml").get("study")
        if isinstance(content, dict):
            return str(content.get("question") or "")
    return ""


def _load(file: Path) -> dict[str, Any]:
    """Read a YAML file; what is wrong with it is told when it is used, not here."""
    try:
        content = yaml_text(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def composed(overrides: Sequence[str], config_dirs: Sequence[str | Path] = ()) -> "Composition":
    """Return what words of a command line compose, see `hpsearch.config.compose.compose`."""
    from hpsearch.config.compose import compose

    return compose(overrides, config_dirs)


def configuration(
    overrides: Sequence[str], *, config_dirs: Sequence[str | Path] = (), space: bool = False
) -> Mapping[str, Any]:
    """Return what words of a command line compose.

    Args:
        overrides: Hydra overrides and words of the search space.
        config_dirs: folders with configuration of your own.
        space: whether the flat search space is asked for, and not the configuration.

    Returns:
        Plain containers, with interpolations for values of the environment and without passwords.
    """
    composition = composed(overrides, config_dirs)
    return composition.space if space else as_recorded(composition.config)
