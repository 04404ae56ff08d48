"""Sentences in files of columns, a word a line, as the shared tasks of CoNLL have them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import ClassVar

from hpsearch.base import intake
from hpsearch.base.contents import Place, place_of
from hpsearch.base.errors import ConfigError, DataError, check_choice, first_line
from hpsearch.data.arrays import Arrays, checked
from hpsearch.data.labels import in_order
from hpsearch.data.words import Words, numbered, vocabulary_of

FORMS = ("conll", "conllu")
UNSEEN = ("refuse", "wrong")
DOCUMENT = "-DOCSTART-"
_BLANKS = re.compile(r"[ \t]+")
_NO_WORD = re.compile(r"\d+[-.]\d+")


@dataclass(frozen=True, kw_only=True)
class Conll(Words):
    """Sentences in a text file: a word a line, its columns divided by blanks or tabs, an empty line between sentences.

    Lines of documents (``-DOCSTART-``) are left out. A line with a tab has its columns between tabs, so that a word may
    hold blanks. With ``form=conllu`` lines from ``#`` on are comments, and words of several (``3-4``) or none (``5.1``)
    are left out, as CoNLL-U numbers them in its first column.

    Attributes:
        path: the file of the training part, of which the other parts are taken that have no file of their own.
        valid_path: that of the validation part; None: `valid_fraction` of the sentences of `path`, or folds of them.
        test_path: that of the test part; None where there is none.
        column: which column is the word, from 0; below 0 from the last one.
        target: which one is its label.
        form: ``conll`` or ``conllu``.
        lowercase: whether words that differ in case are the same.
        unseen: what is done about labels of `valid_path` and `test_path` that `path` does not have: ``refuse`` them, or
            take them as ``wrong`` whatever a model says, which it cannot learn.
        encoding: of the files.
    """

    files_say_all: ClassVar[bool] = True

    path: str | None = None
    valid_path: str | None = None
    test_path: str | None = None
    column: int = 0
    target: int = -1
    form: str = "conll"
    lowercase: bool = False
    unseen: str = "refuse"
    encoding: str = "utf-8"
    batch_size: int | str = 32

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy.

        Raises:
            ConfigError: naming the key, its value and what is allowed.
        """
        super().__post_init__()
        for name in ("path", "valid_path", "test_path"):
            value = getattr(self, name)
            if not (isinstance(value, str) and value) and (name == "path" or value is not None):
                raise ConfigError(f"data.{name} = {value!r}: must be a file of words and labels in columns")
        for name in ("column", "target"):
            if not isinstance(value := getattr(self, name), int) or isinstance(value, bool):
                raise ConfigError(f"data.{name} = {value!r}: must be the number of a column, from 0 (-1: the last one)")
        check_choice("data.form", self.form, FORMS)
        check_choice("data.lowercase", self.lowercase, (True, False))
        check_choice("data.unseen", self.unseen, UNSEEN)
        if self.valid_path is not None and (self.folds is not None or self.split_seed != 0):
            key = "folds" if self.folds is not None else "split_seed"
            raise ConfigError(
                f"data.{key} = {getattr(self, key)}: data.valid_path = '{self.valid_path}' is the validation part "
                "already; use one of the two"
            )

    def has_test(self) -> bool:
        """Return whether a file of the test part is named."""
        return self.test_path is not None

    def places(self) -> dict[str, Place]:
        """Return the files, by field."""
        paths = {"path": self.path, "valid_path": self.valid_path, "test_path": self.test_path}
        return {name: place_of(path) for name, path in paths.items() if path is not None}

    def arrays(self, test: bool) -> Arrays:
        """Read the sentences of the training file, or of the test file.

        Args:
            test: those of the test file.

        Returns:
            The sentences.
        """
        return self._arrays(str(self.test_path if test else self.path))

    def parted(self, arrays: Arrays, fold: int, seed: int) -> tuple[Arrays, Arrays]:
        """Return the training and the validation part, see `DataSource.parted`; the latter of its file if it has one.

        Args:
            arrays: the sentences of the training file that are not for testing.
            fold: which fold is the validation part, where there are folds.
            seed: of the split.
        """
        if self.valid_path is None:
            return super().parted(arrays, fold, seed)
        return arrays, checked(self._arrays(self.valid_path))

    def _arrays(self, path: str) -> Arrays:
        own = self._read(str(self.path))
        read = own if path == self.path else self._read(path)
        tags = in_order(set(chain.from_iterable(own.tags)))
        if self.unseen == "wrong":
            others = [self._read(each) for each in (self.valid_path, self.test_path) if each is not None]
            new = set(chain.from_iterable(tag for each in others for tag in each.tags)) - set(tags)
            tags = (*tags, *in_order(new))
        read.check_tags(tags, str(self.path))
        vocabulary = vocabulary_of(own.words)
        return Arrays(*numbered(read.words, read.tags, vocabulary, tags), tags, where=path, vocabulary=vocabulary)

    def _read(self, path: str) -> "Sentences":
        found, columns = Sentences(path), 0
        for number, line in enumerate(_lines(path, self.encoding), 1):
            cells = line.split("\t") if "\t" in line else _BLANKS.split(line.strip(" "))
            if self.form == "conllu" and (line.startswith("#") or _NO_WORD.fullmatch(cells[0])):
                continue
            if not line.strip() or cells[0] == DOCUMENT:
                found.end()
                continue
            columns = columns or len(cells)
            if len(cells) != columns:
                raise DataError(f"{path}:{number}: {_counted(len(cells))}, the lines before have {columns}")
            word, tag = (self._cell(cells, name, f"{path}:{number}") for name in ("column", "target"))
            found.add(word.lower() if self.lowercase else word, tag, number)
        found.end()
        if not found.words:
            raise DataError(f"{path}: there are no sentences in it")
        return found

    def _cell(self, cells: Sequence[str], name: str, where: str) -> str:
        place: int = getattr(self, name)
        if not -len(cells) <= place < len(cells):
            raise DataError(f"data.{name} = {place}: {where} has {_counted(len(cells))} (0 to {len(cells) - 1})")
        if self.column % len(cells) == self.target % len(cells):
            raise DataError(
                f"data.column = {self.column}, data.target = {self.target}: are the same one of "
                f"{_counted(len(cells))} ({where})"
            )
        if not (cell := cells[place].strip()):
            raise DataError(f"{where}: column {place} is empty")
        return cell


@dataclass(slots=True)
class Sentences:
    """What a file holds.

    Attributes:
        path: of the file.
        words: of each sentence.
        tags: of each sentence, as many.
        lines: number of the line of each word.
    """

    path: str
    words: list[list[str]] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)
    lines: list[list[int]] = field(default_factory=list)
    _open: bool = False

    def add(self, word: str, tag: str, line: int) -> None:
        """Add a word to the sentence that is open, or to a new one."""
        if not self._open:
            for each in (self.words, self.tags, self.lines):
                each.append([])
            self._open = True
        self.words[-1].append(word)
        self.tags[-1].append(tag)
        self.lines[-1].append(line)

    def end(self) -> None:
        """Let the next word begin a sentence."""
        self._open = False

    def check_tags(self, known: Sequence[str], where: str) -> None:
        """Refuse a tag that is not known.

        Args:
            known: the tags.
            where: they come from.

        Raises:
            DataError: naming it and its line.
        """
        number = set(known)
        for tag, line in zip(chain.from_iterable(self.tags), chain.from_iterable(self.lines), strict=True):
            if tag not in number:
                raise DataError(
                    f"{self.path}:{line}: label '{tag}' is not in {where}, so it cannot be learned; "
                    "data.unseen=wrong counts it as wrong"
                )


def _lines(path: str, encoding: str) -> Sequence[str]:
    try:
        data = intake.read(Path(path).expanduser())
        text = data.decode(encoding).removeprefix("\ufeff")
    except LookupError:
        raise ConfigError(f"data.encoding = '{encoding}': is no encoding that Python knows") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}:{line}: is not {encoding}; data.encoding says what it is (latin-1, cp1252)") from None
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else first_line(error)
        raise DataError(f"{path}: cannot be read ({why})") from error
    return [line.rstrip("\r") for line in text.split("\n")]


def _counted(columns: int) -> str:
    return f"{columns} column{'s' * (columns != 1)}"
