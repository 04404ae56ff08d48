"""Hydra overrides in, one plain configuration out; and the same again, cheaply, for every point of a search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class TrialConfig:
    """The configuration of one trial.

    Attributes:
        config: resolved plain containers; what only concerns the search or where it runs is left out.
        overrides: the shortest list of Hydra overrides that composes `config`.
        key: hash of `config` without its paths.
    """

    config: dict[str, Any]
    overrides: tuple[str, ...]
    key: str


@dataclass(frozen=True)
class Composition:
    """What the words of a command line compose.

    Attributes:
        config: the resolved configuration, `study` included and `space` not.
        space: the flat search space: name to expression, conditional names like ``model=lenet/model.kernel_size``.
        choices: the chosen option (or options) of every group.
        study_option: what ``+study=`` named.
        study_name: name of the study and its folder; ``single`` without a study.
        fixed: searched keys that an ordinary override fixed, now out of the space.
        words: the overrides as given.
    """

    config: dict[str, Any]
    space: dict[str, str]
    choices: dict[str, Any]
    study_option: str | None
    study_name: str
    fixed: tuple[str, ...]
    words: tuple[str, ...]

    def where(self, key: str) -> str:
        """Return where the value of a dotted key came from, for messages."""
        raise NotImplementedError

    def trial(self, params: Mapping[str, Any], seed: int, fold: int = 0) -> TrialConfig:
        """Fill in one point of the space, given by dotted key as `Space.active` returns it."""
        raise NotImplementedError


def compose(overrides: Sequence[str], config_dirs: Sequence[str | Path] = ()) -> Composition:
    """Compose the configuration that these overrides mean."""
    raise NotImplementedError
