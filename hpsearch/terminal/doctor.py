"""What `hpsearch doctor` prints: a line for each thing, with the command that mends it under what needs a hand."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from rich.text import Text

from hpsearch.base.passwords import without_password
from hpsearch.base.printed import on_one_line
from hpsearch.base.words import count, listed
from hpsearch.progress.console import make_console, styled

if TYPE_CHECKING:
    from hpsearch.study.doctor.examine import Examined
    from hpsearch.study.doctor.findings import Finding

_STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}
_LEVEL, _SUBJECT, _TEXT, _WIDTH = 9, 18, 40, 118
"""Widths of the columns: the level, the longest subject that has its text beside it, the least of a text beside them,
and the most of all."""


def doctor(
    target: str | None, words: Sequence[str], config_dirs: Sequence[str | Path], *, repair: bool, as_json: bool
) -> int:
    """Look at what a command would meet, and print it.

    Args:
        target: see `hpsearch.study.doctor.examine.examine`, as for the next three.
        words: of the command line.
        config_dirs: of the command line.
        repair: mend what can be, before.
        as_json: print it for programs.

    Returns:
        The exit code.
    """
    from hpsearch.study.doctor.examine import examine

    examined = examine(target, words, config_dirs, repair)
    print(in_json(examined)) if as_json else show_examined(examined)
    return examined.exit_code


def show_examined(examined: "Examined", stream: TextIO | None = None) -> None:
    """Print what was found: wrapped on a terminal, a line each elsewhere; commands are never wrapped.

    Args:
        examined: what was found, and done.
        stream: where to; None: standard output.
    """
    console = make_console(stream)
    width = min(console.width, _WIDTH) if console.is_terminal else None
    console.print(styled(f"hpsearch doctor: {examined.folder}", "bold"), soft_wrap=True)
    for sentence in examined.done:
        console.print(styled("repair   ", "green").append_text(styled(on_one_line(sentence))), soft_wrap=True)
    column = max((len(each.subject) for each in examined.findings if len(each.subject) <= _SUBJECT), default=0) + 2
    before = ""
    for finding in examined.findings:
        for line in _lines(finding, column, width, again=finding.subject == before):
            console.print(line, soft_wrap=True)
        before = finding.subject
    console.print(styled(_verdict(examined), "bold"), soft_wrap=True)


def _lines(finding: "Finding", column: int, width: int | None, again: bool) -> Iterator[Text]:
    """Yield a finding: level, subject unless it comes again, text beside or below them, and the way out."""
    subject, text = "" if again else on_one_line(finding.subject), on_one_line(finding.text)
    head = styled(f"{finding.level:<{_LEVEL}}", _STYLES[finding.level]).append_text(styled(subject, "bold"))
    beside, gap = _LEVEL + column, " " * max(2, column - len(subject))
    if width is None:
        yield head.append_text(styled(gap + text, "not bold"))
    elif len(subject) < column and width - beside >= _TEXT:
        first, *rest = _wrapped(text, width - beside)
        yield head.append_text(styled(gap + first, "not bold"))
        yield from (styled(" " * beside + line) for line in rest)
    else:
        yield head
        yield from (styled(f"  {line}") for line in _wrapped(text, width - 2))
    if finding.way:
        yield styled(f"  -> {on_one_line(finding.way)}", "cyan")


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _verdict(examined: "Examined") -> str:
    counts = Counter(str(each.level) for each in examined.findings)
    said = [count(counts[level], level) for level in ("problem", "note") if counts[level]]
    return listed(said) or "all is well"


def in_json(examined: "Examined") -> str:
    """Return what was found for programs: ``folder``, ``exit_code``, ``findings`` and ``done``, without secrets."""
    findings = [
        {key: without_password(str(value)) for key, value in asdict(each).items()} for each in examined.findings
    ]
    done = [without_password(sentence) for sentence in examined.done]
    told = {"folder": str(examined.folder), "exit_code": examined.exit_code, "findings": findings, "done": done}
    return json.dumps(told, indent=2)
