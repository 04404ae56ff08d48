"""Is what reports say true? Studies with a known truth are drawn, reported, and their sentences read back and judged.

python -m tests.benchmarks.check_sentences [DRAWS] [--only WORD] [--out FILE]
"""

import argparse
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.benchmarks.judges import Subject
from tests.benchmarks.known_ablations import ABLATIONS, PAIRS
from tests.benchmarks.known_answers import ANSWERED
from tests.benchmarks.known_claims import CLAIMED
from tests.benchmarks.known_ends import ENDS
from tests.benchmarks.known_searches import SEARCHES
from tests.benchmarks.known_truth import Drawn
from tests.benchmarks.required import held_against
from tests.benchmarks.said import said
from tests.benchmarks.sentence_forms import Claim, UnknownSentence, claims

GENERATORS: dict[str, Callable[[np.random.Generator], Drawn]] = {
    **SEARCHES, **ABLATIONS, **PAIRS, **ENDS, **CLAIMED, **ANSWERED,
}  # fmt: skip
MOST = 0.05
EACH = ("share of seeds", "interval of a point", "interval over folds", "edge of the rates", "by how much too good",
        "interval of an answer", "ratio of an answer")  # fmt: skip
"""Kinds of sentences that hold in 95 of 100 cases, one by one."""
PAGES = 10
"""The page is made of one draw in so many: it says nothing that README.md does not."""


@dataclass
class Count:
    """How often a kind of sentence was read in the draws of a generator.

    Attributes:
        draws: of the generator.
        said: in how many of them it was said.
        judged: in how many it claimed something.
        false: draws in which one of them was false.
        example: a false one.
        each: whether every sentence counts, as of intervals; else the draw: a family error is one of all of them.
        pairs: what was estimated, and what is true.
    """

    draws: int = 0
    said: int = 0
    judged: int = 0
    false: int = 0
    example: str = ""
    each: bool = False
    pairs: list[tuple[float, float]] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Share of what it is counted in that was false."""
        return self.false / self.of if self.of else 0.0

    @property
    def of(self) -> int:
        """What false ones are counted in: sentences of a kind that is true in 95 of 100 cases each, else draws."""
        return self.judged if self.each else self.draws


def read(name: str, draw: int) -> list[Claim]:
    """Draw a study, report it, and judge what is said of it.

    Args:
        name: of the generator.
        draw: its number; the same for the same study.

    Returns:
        The claims, each once, wherever it stands, and whether what must be said is. A sentence without a form raises an
        `UnknownSentence`.
    """
    drawn = GENERATORS[name](np.random.default_rng([draw, *name.encode()]))
    told = said(drawn, page=draw % PAGES == 0)
    texts = dict.fromkeys(text for _, text in told)
    found: dict[tuple[str, str], Claim] = {(claim.kind, claim.text): claim for claim in held_against(drawn, told)}
    scattered = re.search(r"Too variable to be ranked \([^)]*\): (.*)\.", "\n".join(texts))
    variable = frozenset(scattered[1].split("; ")) if scattered else frozenset()
    for text in texts:
        about, rest = _about(drawn, text, variable)
        for claim in claims(rest, about):
            found[claim.kind, claim.text] = claim
    return list(found.values())


def _about(drawn: Drawn, text: str, variable: frozenset[str] = frozenset()) -> tuple[Subject, str]:
    """Return what a text of a study is about; of two studies the one that it begins with, and what follows."""
    truth, table = drawn.truths[0], drawn.tables[0]
    if drawn.kind != "comparison":
        return Subject(truth, table, variable=variable), text
    for own, each in zip(drawn.truths, drawn.tables, strict=True):
        if text.startswith(f"{each.name}: "):
            return Subject(own, each), text.removeprefix(f"{each.name}: ")
    return Subject(truth, table, drawn.truths[1]), text


def counts(name: str, draws: int) -> dict[str, Count]:
    """Count the kinds of sentences over the draws of a generator."""
    found: dict[str, Count] = defaultdict(Count)
    for draw in range(draws):
        by_kind = defaultdict(list)
        for claim in read(name, draw):
            by_kind[claim.kind].append(claim)
        for kind, each in by_kind.items():
            _add(found[kind], each)
            found[kind].draws = draws
    return found


def _add(count: Count, told: list[Claim]) -> None:
    false = [claim.text for claim in told if claim.holds is False]
    count.said += 1
    count.each = told[0].kind in EACH
    judged = sum(claim.holds is not None for claim in told)
    count.judged += judged if count.each else bool(judged)
    count.false += len(false) if count.each else bool(false)
    count.example = count.example or next(iter(false), "")
    count.pairs += [claim.pair for claim in told if claim.pair][:1]


def rows(names: list[str], draws: int) -> Iterator[tuple[str, str, Count]]:
    """Yield generator, kind and count of everything that was said."""
    for name in names:
        for kind, count in sorted(counts(name, draws).items()):
            yield name, kind, count


def main(arguments: list[str] | None = None) -> int:
    """Print how often each kind of sentence is false, by generator; 1 when one is too often, 2 for an unknown one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("draws", nargs="?", type=int, default=100, help="studies of each generator")
    parser.add_argument("--only", default="", help="generators whose name holds this")
    parser.add_argument("--out", type=Path, help="file that the table is written to")
    given = parser.parse_args(arguments)
    names, began = [name for name in GENERATORS if given.only in name], time.perf_counter()
    try:
        found = list(rows(names, given.draws))
    except UnknownSentence as error:
        print(f"no form takes: {error}")
        return 2
    text, sound = table(found, given.draws)
    print(text)
    print(f"{len(names)} generators, {given.draws} draws each, {time.perf_counter() - began:.0f} s")
    if given.out:
        given.out.write_text(text + "\n")
    return 0 if sound else 1


def table(found: list[tuple[str, str, Count]], draws: int) -> tuple[str, bool]:
    """Return a table by kind, the false ones by generator behind it, and whether all is sound."""
    by_kind = defaultdict(list)
    for name, kind, count in found:
        by_kind[kind].append((name, count))
    lines = ["| sentence | generators | said | false | worst |", "| --- | --- | --- | --- | --- |"]
    missed = []
    for kind, each in sorted(by_kind.items()):
        draws, judged, false = (sum(getattr(c, what) for _, c in each) for what in ("of", "judged", "false"))
        said_in = sum(count.said for _, count in each)
        name, worst = max(each, key=lambda pair: pair[1].share)
        share = f"{100 * false / draws:.1f} %" if judged else "–"
        most = f"{100 * worst.share:.0f} %: {name}" if worst.false else "–"
        lines.append(f"| {kind} | {len(each)} | {said_in} | {share} | {most} |")
        missed += [(kind, name, count) for name, count in each if count.false > allowed(count.of)]
        pairs = [pair for _, count in each for pair in count.pairs]
        if pairs:
            told, true = np.sum(pairs, axis=0)
            lines.append(f"| {kind}: said over true, on average | {len(each)} | {len(pairs)} | {told / true:.2f} | – |")
    for kind, name, count in missed:
        lines.append(f"\nFalse too often: {kind}, {name}: {count.false} of {count.of}; “{count.example}”")
    return "\n".join(lines), not missed


def allowed(draws: int) -> int:
    """Return how many false ones of so many are no evidence that more than 5 % are false (binomial, 1 %)."""
    from scipy.stats import binom

    return int(binom.ppf(0.99, draws, MOST))


if __name__ == "__main__":
    raise SystemExit(main())
