"""A program as it is named on a command line and from Python: the words that search its arguments."""

import re
from collections.abc import Sequence
from pathlib import Path

from hpsearch.base.errors import ConfigError
from hpsearch.base.files import is_file
from hpsearch.base.grammar import value_text
from hpsearch.base.keys import ARGS
from hpsearch.base.labels import folder_name
from hpsearch.base.plain import stable_hash
from hpsearch.config.words import is_sweep, keys_of
from hpsearch.trial.command import as_text

USAGE = "python -m hpsearch run 'lr=tag(log, interval(1e-4, 1))' --points 40 -- python train.py --epochs 5"

_NAME_LENGTH = 87
_EPOCHS = re.compile(r"(?:^| )(?:--)?(?:n_|num_|max_|num-|max-)?epochs[= ](\d+)(?= |$)")


def program_words(command: Sequence[object]) -> tuple[str, str]:
    """Return the words that make a trial of a program.

    Args:
        command: its words; numbers are written as Python writes them.

    Raises:
        ConfigError: it has none.
    """
    if not command:
        raise ConfigError(f"no program: its words come after --, as in `{USAGE}`")
    return "trainer=command", f"trainer.command={value_text([_word(as_text(word)) for word in command])}"


def _word(word: str) -> str | int:
    """Return a word as a configuration holds it: a whole number that is written as Python writes it needs no quotes."""
    return int(word) if word.isascii() and word.isdigit() and str(int(word)) == word else word


def program_name(command: Sequence[object]) -> str:
    """Return what a program is called: the first file that its command names, else its first word."""
    words = [as_text(word) for word in command]
    script = next((word for word in words[1:] if Path(word).suffix and is_file(word)), words[0])
    name = Path(script).stem
    return "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in name) or "program"


def run_words(words: Sequence[str], command: Sequence[str], points: int | None) -> list[str]:
    """Return the words of a study, or of a single trial, that ``run WORDS -- COMMAND`` is short for.

    Args:
        words: one whose value is a search expression is an argument of the program, any other an override.
        command: of the program.
        points: settings to try; None for what the sampler does by default.

    Returns:
        The words. The study is called after the program, what is searched, and a digest of all of it but how much to
        run.
    """
    program: tuple[str, ...] = program_words(command)
    sweeps = [word for word in words if is_sweep(word)]
    ours = [word for word in words if word not in sweeps]
    space = [_space_word(word) for word in sweeps]
    searches = space or any(word.lstrip("+~").startswith(("study=", "space")) for word in ours)
    if not searches:
        return [*program, *ours] if points is None else _refuse_points(points)
    study = [] if any(word.lstrip("+").startswith("study=") for word in ours) else ["+study=search"]
    limit = [] if points is None else [f"budget.points={points}"]
    named = any(word.lstrip("+").startswith(("study.name=", "study.grow=")) for word in ours)
    name = [] if named else [f"study.name={study_name(command, sweeps, ours)}"]
    program = (*program, *_epochs(command, ours))
    return [*study, *program, *space, *ours, *limit, *name]


def _epochs(command: Sequence[str], ours: Sequence[str]) -> list[str]:
    """Return the word that says how many epochs a program trains, where its command does: pruners ask for it."""
    if any(word.lstrip("+").startswith("trainer.epochs=") for word in ours):
        return []
    said = _EPOCHS.search(" ".join(command))
    return [f"trainer.epochs={said[1]}"] if said else []


def _refuse_points(points: int) -> list[str]:
    raise ConfigError(f"--points {points}: nothing is searched; give an argument a search expression, as in `{USAGE}`")


def _space_word(word: str) -> str:
    key, _, expression = word.lstrip("+").partition("=")
    return f"space.{ARGS}.{key}={expression if '(' in expression else f'choice({expression})'}"


def study_name(command: Sequence[str], sweeps: Sequence[str], ours: Sequence[str]) -> str:
    """Return the name of a study: the program, what is searched, what is set, and a digest of all of it.

    How much to run, and where, is no part of it.

    Args:
        command: of the program.
        sweeps: ``KEY=EXPRESSION`` of each argument that is searched.
        ours: overrides.
    """
    keys = [word.lstrip("+").partition("=")[0] for word in sweeps]
    elsewhere = ("budget", "launcher", "tracker", "storage")
    told = [word for word in ours if not all(key.partition(".")[0] in elsewhere for key in keys_of(word))]
    digest = stable_hash({"command": list(command), "words": [*sweeps, *told]})[:6]
    typed = [word.lstrip("+") for word in told if not word.lstrip("+").startswith("study=")]
    return folder_name([program_name(command), *keys, *typed], _NAME_LENGTH, digest)
