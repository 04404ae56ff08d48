"""Names that stand beside each other, made short without making two of them equal."""

import re
from collections import Counter
from collections.abc import Hashable, Sequence

from hpsearch.base.printed import on_one_line

CUT = "…"
GAP = ".."
"""What stands for the middle of a word in the name of a folder."""
WORD = "__"
"""What joins the words of a study's name."""
_LEAST = 12  # letters that are left of a word


def shorten(text: str, limit: int = 22) -> str:
    """Cut a long text in the middle, and show its line feeds and tabs."""
    text = on_one_line(text)
    return text if len(text) <= limit else _halves(text, limit)


def labels(names: Sequence[str], limit: int = 22, places: Sequence[Hashable] = ()) -> list[str]:
    """Return short names, no two of them equal.

    A long name is cut in the middle. Where that makes two names equal, what they have in common is cut instead, and
    what differs is shown; names that are equal themselves are numbered.

    Args:
        names: as they are.
        limit: characters of a name; a number or what differs may need a few more.
        places: what is alike of names that stand for the same; empty: each stands for something of its own.

    Returns:
        One label per name.
    """
    numbered = _numbered([on_one_line(name) for name in names], places or range(len(names)))
    short = {name: name if len(name) <= limit else _halves(name, limit) for name in numbered}
    alike = Counter(short.values())
    for label in [label for label, n in alike.items() if n > 1]:
        group = [name for name, text in short.items() if text == label]
        short |= dict(zip(group, _differing(group, limit), strict=True))
    again = Counter(short.values())
    short |= {
        name: f"{text} ({place})"
        for place, (name, text) in enumerate(short.items(), 1)
        if again[text] > 1 and text != name
    }
    return [short[name] for name in numbered]


def _numbered(names: Sequence[str], places: Sequence[Hashable]) -> list[str]:
    """Return names with numbers behind those that are equal and stand for different things."""
    of: dict[str, dict[Hashable, int]] = {}
    for name, place in zip(names, places, strict=True):
        of.setdefault(name, {}).setdefault(place, len(of[name]) + 1)
    return [
        f"{name} ({of[name][place]})" if len(of[name]) > 1 else name for name, place in zip(names, places, strict=True)
    ]


def _halves(text: str, limit: int, mark: str = CUT) -> str:
    head = limit // 2
    return f"{text[:head]}{mark}{text[len(text) - (limit - head - len(mark)) :]}"


def _differing(names: Sequence[str], limit: int) -> list[str]:
    """Return what differs in names, with what stands before it; where that is long too, names are numbered."""
    start = _alike(names)
    end = min(_alike([name[::-1] for name in names]), min(map(len, names)) - start)
    room = max(limit - 2, 4)
    cores = [name[start : len(name) - end] for name in names]
    short = [core if len(core) <= room else _halves(core, room) for core in cores]
    if len(set(short)) < len(names):
        return [f"{_halves(name, limit)} ({place})" for place, name in enumerate(names, 1)]
    before = names[0][max(0, start - room + max(map(len, short))) : start].rpartition(WORD)[2]
    behind = CUT if end else ""
    return [f"{CUT if len(before) < start else ''}{before}{core}{behind}" for core in short]


def _alike(names: Sequence[str]) -> int:
    """Return how many characters names have in common at their beginning."""
    return next(
        (at for at, letters in enumerate(zip(*names, strict=False)) if len(set(letters)) > 1), min(map(len, names))
    )


def folder_name(words: Sequence[str], limit: int, digest: str = "") -> str:
    """Join words to the name of a folder, what a person typed first and a digest last.

    Args:
        words: signs that a name cannot have become hyphens.
        limit: characters of the name; the longest words are cut in the middle until it fits.
        digest: at its end; empty for none.

    Returns:
        Letters, digits, dots, underscores and hyphens.
    """
    plain = [re.sub(r"[^A-Za-z0-9._-]", "-", word) for word in words]
    room = limit - (len(digest) + 1 if digest else 0)
    longest = max(map(len, plain))
    while len(WORD.join(plain)) > room and longest > _LEAST:
        longest -= 1
        plain = [word if len(word) <= longest else _halves(word, longest, GAP) for word in plain]
    name = WORD.join(plain).rstrip("-")
    name = name if len(name) <= room else _halves(name, room, GAP)
    return f"{name}-{digest}" if digest else name
