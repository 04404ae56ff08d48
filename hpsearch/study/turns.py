"""A search that shells ask and tell, one command at a time: each has the study for a moment, and many take turns."""

import json
import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.base.commands import is_outside
from hpsearch.base.conditions import space_word
from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.intake import json_value
from hpsearch.base.observer import Observer
from hpsearch.config.compose import Composition, compose
from hpsearch.config.record import own_again
from hpsearch.config.words import sort_words
from hpsearch.launch.outside import SHELL
from hpsearch.study.arguments import expression_of, in_args
from hpsearch.study.folder import STUDY_FILE, folder_of, read_yaml, studies_folder, study_folder
from hpsearch.study.outside import OUTSIDE, opened

_SAID = '{"trial": "7/0", "metrics": {"acc": 0.9}}'
_EXAMPLE = "'space.lr=tag(log, interval(1e-4, 1))' objective.metric=acc"


def ask_trial(
    name: str, words: Sequence[str], config_dirs: Sequence[str | Path], observer: Observer
) -> tuple[dict[str, Any] | None, str]:
    """Ask a study for a trial; it stays asked until it is told, given up or silent for too long.

    Args:
        name: of the study.
        words: of a new study its space and whatever else it is; later they may be left out.
        config_dirs: folders with configuration of your own.
        observer: told what happens.

    Returns:
        The trial, None where there is none, and why.
    """
    composition = _composition(name, words, config_dirs)
    if (folder_of(name) / STUDY_FILE).exists():  # whoever tells sends it
        composition = composition.with_values({"tracker": {"_target_": "hpsearch.tracking.base.NoTracker"}})
    with opened(composition, observer, SHELL) as search:
        asked = search.ask()
        if asked is None:
            return None, search.why
    fields = {"study": name, "trial": asked.name, "point": asked.number, "seed": asked.seed, "fold": asked.fold}
    return {**fields, "params": dict(asked.params), "folder": str(asked.folder)}, ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a shell says of a trial.

    Attributes:
        trial: its name.
        measured: numbers by name.
        epoch: of a trial on its way; None for one that has ended.
        failed: why it failed; None where it did not.
    """

    trial: str
    measured: Mapping[str, Any]
    epoch: int | None = None
    failed: str | None = None


def tell_trial(
    name: str, told: Told, observer: Observer, words: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """Tell a study what a trial came to, or what it measured on its way.

    Args:
        name: of the study.
        told: of which trial, and what.
        observer: told what happens.
        words: of the store and the packages, which are taken from no record.
        config_dirs: folders with configuration of your own.

    Returns:
        The trial's state, its score (None without a finite one) and the best point so far; of a trial on its way,
        whether it goes on.
    """
    study_folder(name)
    with opened(_composition(name, words, config_dirs), observer, SHELL) as search:
        if told.epoch is not None:
            decision = search.report(told.trial, told.measured, epoch=told.epoch)
            return {"trial": told.trial, "decision": decision.value}
        record, best = search.tell(told.trial, told.measured, failed=told.failed), search.best
    known = None if best is None else {"point": best.point, "score": best.mean, "params": dict(best.params)}
    score = record.score if record.score is None or math.isfinite(record.score) else None  # JSON has no other numbers
    return {"trial": str(record.id), "state": record.state.value, "score": score, "best": known}


def parted(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words of `tell` that say where a study is kept and whose packages it needs, and the others."""
    place = [word for word in words if re.match(r"(tracker|storage|plugins)[.=]", word)]
    return place, [word for word in words if word not in place]


def told_by(words: Sequence[str], epoch: int | None, failed: str | None, read: Callable[[], str]) -> Told:
    """Return what the words of a command say of a trial, or standard input where they say nothing.

    Args:
        words: the trial, by its name or as `ask` printed it, and ``NAME=VALUE`` for what was measured.
        epoch: of a trial on its way.
        failed: why it failed.
        read: returns standard input: what `ask` printed, with ``metrics``; of a trial that the words name, metrics
            alone will do.

    Returns:
        What is said.

    Raises:
        ConfigError: it names no trial, or says nothing of it.
    """
    rest = list(words)
    trial = _named(rest.pop(0)) if rest and ("=" not in rest[0] or rest[0].startswith("{")) else None
    measured: dict[str, Any] = {}
    for word in rest:
        metric, is_given, value = word.partition("=")
        if not is_given:
            raise ConfigError(f"'{word}': what was measured is written NAME=VALUE")
        measured[metric] = _number(metric, value)
    if trial is not None and (measured or failed is not None):
        return Told(trial, measured, epoch, failed)
    if measured or failed is not None:
        raise ConfigError("of which trial? Write POINT/SEED, or what `ask` printed, in front of what was measured")
    said = _object(read(), "standard input")
    if trial is not None and not said.keys() & {"metrics", "failed"}:
        said = {"metrics": said}
    known = {"trial": trial, "epoch": epoch, **said}
    if known["trial"] is None:
        raise ConfigError("standard input: names no 'trial': pass on what `ask` printed, with 'metrics'")
    metrics = known.get("metrics") or {}
    if not isinstance(metrics, dict):
        raise ConfigError(
            f'standard input: metrics = {json.dumps(metrics)}: must be a table such as {{"valid/acc": 0.9}}'
        )
    epoch = known["epoch"]
    if epoch is not None and type(epoch) is not int:
        limit = "must be a whole number, or left out at a trial's end"
        raise ConfigError(f"standard input: epoch = {json.dumps(epoch)}: {limit}")
    return Told(str(known["trial"]), metrics, epoch, known.get("failed"))


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{name} = {text!r}: must be a number") from None


def _named(text: str) -> str:
    """Return the name of a trial that a word says, by itself or as `ask` printed it."""
    if not text.startswith("{"):
        return text
    said = _object(text, "the trial")
    if "trial" not in said:
        raise ConfigError(f"{text:.100}: names no 'trial': pass on what `ask` printed")
    return str(said["trial"])


def _object(text: str, source: str) -> dict[str, Any]:
    try:
        said = json_value(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        got = " ".join(f"{text:.100}".split()) or "nothing"
        raise ConfigError(f"{source}: must be one JSON object, such as {_SAID} (got {got})")
    return said


def _composition(name: str, words: Sequence[str], config_dirs: Sequence[str | Path]) -> Composition:
    """Compose the study of this name: what it was started with, and other words."""
    there = read_yaml(folder_of(name) / STUDY_FILE)
    if there and not is_outside(there["config"]):
        raise StorageError(f"study '{name}' trains its trials itself: {there['command']}")
    if not there and not words:
        raise StorageError(
            f"no study '{name}' in {studies_folder()}: start it with its space, as `ask {name} {_EXAMPLE}`"
        )
    began = [word for word in shlex.split(there["command"])[5:] if not word.startswith("study.grow=")] if there else []
    if any(word.lstrip("+").startswith("study.restart=") for word in words):
        raise ConfigError(f"study.restart: every `ask` would start again; move {folder_of(name)} aside instead")
    by_default = ("+study=search", *OUTSIDE, "pruner=none", f"study.name={name}")
    table = {**_by_key(by_default), **_by_key(own_again(began, words, config_dirs)), **_by_key(words)}
    return compose(list(table.values()), config_dirs)


def _by_key(words: Sequence[str]) -> dict[str, str]:
    """Return words by what they set, those of the space on arguments."""
    given = sort_words(words)
    table = {word.key: word.text for word in given.hydra}
    if given.study is not None:
        table["study"] = f"+study={given.study}"
    for name, text in given.blocks["space"].given.items():
        table[f"space.{in_args(name)}"] = space_word(in_args(name), expression_of(name, text))
    return table
