"""A program in any language as a trial: its command with everything filled in, and what it says while it runs.

The options are those of ``conf/trainer/command.yaml``; nothing here imports torch.
"""

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.base import platform
from hpsearch.base.errors import ConfigError, nearest
from hpsearch.base.grammar import value_text
from hpsearch.base.keys import ARGS
from hpsearch.base.plain import flatten
from hpsearch.base.programs import ENVIRONMENT, REPORTS
from hpsearch.trial import settings_file

DASHES, WORDS, VARIABLES, FILE = "dashes", "words", "environment", "file"
_PLACE = re.compile(r"\{\{([A-Za-z_][\w.-]*)\}\}|\{([A-Za-z_][\w.-]*)\}")
_KNOWN = ("seed", "fold", "point", "epochs", "folder", "checkpoint", "file")


def run(**options: Any) -> Iterator[Mapping[str, float]]:
    """Stand in a configuration for a program; `hpsearch.trial.generator.execute` runs it.

    Args:
        options: of the program, see `Command`.

    Raises:
        ConfigError: always: it is no function to call.
    """
    raise ConfigError(f"trainer.command: a program is run by a trial, not called ({', '.join(options)})")


@dataclass(frozen=True, slots=True)
class Filled:
    """A command with everything filled in.

    Attributes:
        words: of it.
        variables: of its environment.
    """

    words: tuple[str, ...]
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Command:
    """A program and how it is told its arguments.

    Attributes:
        command: its words; ``{NAME}`` in them is filled in: seed, fold, point, epochs, folder, checkpoint, file, or an
            argument by its name, which is told in no other way then. ``{{NAME}}`` stays as it is with single braces.
        arguments: how it is told the others: ``dashes`` (``--key=value``), ``words`` (``key=value``, as Hydra takes
            them), ``environment`` (a variable of that name) or ``file`` (a copy of its settings file with these keys).
        pattern: see `hpsearch.trial.printed.Printed`.
        metrics: a file to which it appends lines of JSON with its metrics, ``{folder}`` filled in; None for none.
        file: its settings file, for ``arguments=file``.
        epochs: how many it trains, where that is known: what ``{epochs}`` is.
    """

    command: tuple[str, ...]
    arguments: str = DASHES
    pattern: Any = "auto"
    metrics: str | None = None
    file: str | None = None
    epochs: int | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Command":
        """Return the command that a configuration names.

        Raises:
            ConfigError: there is none, or a key that is not used.
        """
        given = {name: value for name, value in config["trainer"].items() if name != "_target_"}
        for name in given.keys() - cls.__dataclass_fields__.keys():
            hint = nearest(name, cls.__dataclass_fields__)
            raise ConfigError(f"trainer.{name}: is not used by a program{hint}; its arguments are {ARGS}.*")
        words = tuple(as_text(word) for word in given.pop("command", None) or ())
        if not words:
            raise ConfigError("trainer.command = []: must be the words of a program, as [python, train.py]")
        return cls(words, **given)

    @property
    def placeholders(self) -> frozenset[str]:
        """The names that stand in braces in it."""
        texts = (*self.command, self.metrics or "")
        return frozenset(found[2] for text in texts for found in _PLACE.finditer(text) if found[2])

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse what cannot run.

        Args:
            arguments: of the program, by dotted name.

        Raises:
            ConfigError: for a placeholder that is not known, an argument that is given twice, a program that is not
                there, a settings file that lacks a key.
        """
        for name in sorted(self.placeholders - {*_KNOWN, *arguments}):
            known = (*_KNOWN, *arguments)
            raise ConfigError(
                f"trainer.command: {{{name}}}: nothing is filled in there{nearest(name, known)} (known: "
                f"{', '.join(known)}; {{{{{name}}}}} stays as {{{name}}})"
            )
        if "epochs" in self.placeholders - arguments.keys() and self.epochs is None:
            raise ConfigError("trainer.command: {epochs} is filled in with trainer.epochs, which is null")
        self._check_clashes(arguments)
        self._check_file(arguments)
        if platform.WINDOWS:
            raise ConfigError("trainer.command: programs are trials on Linux and macOS alone")
        program = self.command[0]
        if not _PLACE.search(program) and shutil.which(program) is None:
            raise ConfigError(f"trainer.command: {program}: no such program (looked in PATH and the working folder)")

    def check_source(self, code: Iterable[str]) -> None:
        """Refuse a program of which nothing would say what it measured.

        Args:
            code: the files and modules that it is known to be.

        Raises:
            ConfigError: neither what it prints nor a file is read, and none of its files names hpsearch.
        """
        files = [path for path in map(Path, code) if path.is_file()]
        if (
            self.pattern is None
            and self.metrics is None
            and not any(b"hpsearch" in file.read_bytes().lower() for file in files)
        ):
            of = f"none of its files ({', '.join(map(str, files))})" if files else "no file of it that is known"
            raise ConfigError(
                f"trainer.pattern = null and trainer.metrics = null: nothing is read of what it says, and {of} calls "
                "hpsearch.report"
            )

    def _check_clashes(self, arguments: Mapping[str, Any]) -> None:
        for name in self._told(arguments):
            said = f"--{name}" if self.arguments == DASHES else name
            if self.arguments in (DASHES, WORDS):
                for word in self.command[1:]:
                    if word.partition("=")[0].lstrip("+") == said and (self.arguments == DASHES or "=" in word):
                        raise ConfigError(f"{ARGS}.{name}: the command says {word} already: take it out of one of both")

    def _check_file(self, arguments: Mapping[str, Any]) -> None:
        if self.arguments != FILE:
            if self.file is not None or "file" in self.placeholders - arguments.keys():
                given = "{file} in the command" if self.file is None else f"trainer.file = {self.file}"
                raise ConfigError(f"{given}: belongs to trainer.arguments=file (it is {self.arguments})")
            return
        if self.file is None:
            raise ConfigError("trainer.file = null: trainer.arguments=file needs the program's own settings file")
        if "file" not in self.placeholders:
            raise ConfigError(f"trainer.command: must have {{file}} where the program is told its copy of {self.file}")
        settings_file.replaced(Path(self.file), self._told(arguments))

    def _told(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments that no placeholder names; one that is not active is left out."""
        named = self.placeholders
        return {name: value for name, value in arguments.items() if name not in named and value is not None}

    def filled(self, config: Mapping[str, Any], folder: Path, checkpoint: Path | None, point: int = 0) -> Filled:
        """Return the command with everything filled in.

        Args:
            config: of the trial.
            folder: of the trial.
            checkpoint: to go on from; None: words that name it are left out, with an option before them.
            point: number of the trial's point.
        """
        arguments = flatten(config[ARGS])
        file = folder / f"settings{Path(self.file).suffix}" if self.file else None
        told = self._told(arguments)
        values = {"seed": config["seed"], "fold": config["fold"], "epochs": self.epochs, "folder": folder, "file": file}
        values |= {"point": point, "checkpoint": checkpoint, **arguments}
        words = [self._fill(word, values) for word in self._present(values)]
        if self.arguments == DASHES:
            words += [f"--{name}={as_text(value)}" for name, value in told.items()]
        elif self.arguments == WORDS:
            words += [f"{name}={value_text(value)}" for name, value in told.items()]
        variables = {name: as_text(value) for name, value in told.items()} if self.arguments == VARIABLES else {}
        if self.file and file:
            settings_file.write(file, settings_file.replaced(Path(self.file), told))
        ours = {"REPORTS": folder / REPORTS, "FOLDER": folder, "SEED": config["seed"], "CHECKPOINT": checkpoint or ""}
        ours |= {"PARAMS": json.dumps(config[ARGS])}
        variables |= {f"{ENVIRONMENT}{name}": str(value) for name, value in ours.items()}
        return Filled(tuple(words), variables)

    def metrics_file(self, folder: Path) -> Path | None:
        """Return the file of its metrics, None for none."""
        return Path(self._fill(self.metrics, {"folder": folder})) if self.metrics else None

    def _present(self, values: Mapping[str, Any]) -> list[str]:
        """Return the words but those that name a value that there is none of."""
        kept: list[str] = []
        for word in self.command:
            names = [found[2] for found in _PLACE.finditer(word) if found[2]]
            if all(values.get(name) is not None for name in names):
                kept.append(word)
            elif _PLACE.fullmatch(word) and kept and kept[-1].startswith("-") and "=" not in kept[-1]:
                kept.pop()
        return kept

    def _fill(self, text: str, values: Mapping[str, Any]) -> str:
        return _PLACE.sub(lambda found: f"{{{found[1]}}}" if found[1] else as_text(values[found[2]]), text)


def as_text(value: Any) -> str:
    """Return a value as a word of a command: a text as it is, lists and tables as JSON."""
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    return "null" if value is None else json.dumps(value)
