"""What is said of a study, read back from where people read it: README.md, the terminal, the page, the MLflow note."""

import html
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from hpsearch.base.types import BestPoint
from hpsearch.reports.ablation import write as ablation_write
from hpsearch.reports.ablation.arm_by_arm import arm_by_arm, shared_table, told
from hpsearch.reports.ablation.claims import CLAIMS
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.page import render_ablation
from hpsearch.reports.ablation.sentences import answer as ablation_answer
from hpsearch.reports.comparison.page import Added, render_comparison
from hpsearch.reports.summary.figures import figures
from hpsearch.reports.summary.numbers import find
from hpsearch.reports.summary.page import render
from hpsearch.reports.summary.readme import readme
from hpsearch.reports.summary.sentences import answer
from hpsearch.study.outcome import StudyOutcome, _that_train
from hpsearch.study.recipe import RecipeOutcome, conclusion
from hpsearch.study.stages.base import Finding, Verdict
from hpsearch.terminal.summary import show_recipe, show_study
from hpsearch.tracking.runs import note
from tests.benchmarks.known_truth import Drawn

RESAMPLES = 10
README, PAGE, TERMINAL, NOTE = "README.md", "page", "terminal", "note"
Said = tuple[str, str]
"""Where, and what: one paragraph, bullet or line."""


def said(drawn: Drawn, *, page: bool = True) -> list[Said]:
    """Return all that is said of a drawn study.

    Args:
        drawn: the study.
        page: whether its page is made as well: it says nothing that README.md does not, and takes longest.

    Returns:
        Where and what, tables, headings, commands and settings left out; cells of tables that claim something are in.
    """
    return list(
        {"search": _search, "ablation": _ablation, "comparison": _comparison, "claims": _claims}[drawn.kind](
            drawn, page
        )
    )


def _search(drawn: Drawn, page: bool) -> Iterator[Said]:
    (table,) = drawn.tables
    found = find(table, RESAMPLES)
    text = readme(found, [])
    yield from of_markdown(text)
    yield from _note(table.study, answer(found.summary))
    yield from of_terminal(_shown_search(table, found.summary))
    if page:
        yield from of_page(render(found, [next(figures(found))]))


def _shown_search(table, summary) -> str:
    best, out = summary.best, io.StringIO()
    shown = best and BestPoint(best.point, best.params, best.mean, best.sd or 0.0, best.n, summary.objective.metric)
    fields = {
        "name": table.name, "folder": Path(table.name), "counts": summary.states, "best": shown,
        "answer": answer(summary), "trains": _that_train(summary), "replay_command": None,
        "check_command": None, "report": None, "ui_command": None, "elapsed_sec": 1.0, "ended": "",
        "interrupted": False, "already_complete": False, "notes": (),
        "as_good": None if summary.standing is None else tuple(each.params for each in summary.standing.rivals),
    }  # fmt: skip
    show_study(StudyOutcome(**fields), "command", out)
    return out.getvalue()


def _note(study, text: str) -> Iterator[Said]:
    whole = note({**study, "state": {**dict(study.get("state") or {}), "answer": text}})
    for paragraph in whole.split("\n\n"):
        if not paragraph.startswith("**"):
            yield NOTE, paragraph


def _ablation(drawn: Drawn, page: bool) -> Iterator[Said]:
    found = ablation_of(drawn.tables[0], *drawn.tables[1:])
    yield from of_markdown(ablation_write.readme(found, [], []))
    sentence = ablation_answer(found).removesuffix(".")
    findings = {"arms": Finding(Verdict.PASS, sentence, {})}
    whole, out = conclusion(findings, None), io.StringIO()
    yield from _note(found.table.study, whole)
    fields = {
        "name": found.name, "folder": Path(found.name), "findings": findings, "failed": None, "answer": whole,
        "winner": None, "replay_command": None, "report": None, "ui_command": None, "elapsed_sec": 1.0, "notes": (),
        "ablation": found,
    }  # fmt: skip
    show_recipe(RecipeOutcome(**fields), out)
    yield from of_terminal(out.getvalue())
    yield from ((README, f"VERDICT {each.arm}: {each.verdict}") for each in found.differences)
    yield from ((README, f"CLAIM {each.claim.number}: {each.result.verdict}") for each in found.claims)
    if page:
        reasons = {" ".join(each.result.sentence.split()) for each in found.claims}
        yield from (each for each in of_page(render_ablation(found, "command")) if each[1] not in reasons)


def _claims(drawn: Drawn, _: bool) -> Iterator[Said]:
    known = drawn.truths[0].facts["claims"]
    for claim in (each for each in CLAIMS if each.number in known):
        result = claim.test(drawn.evidence)
        if result is not None:
            yield README, f"CLAIM {claim.number}: {result.verdict}"


def _comparison(drawn: Drawn, page: bool) -> Iterator[Said]:
    tables = [replace(table, name=table.name) for table in drawn.tables]
    results = [find(table, RESAMPLES).summary for table in tables]
    names = [table.name for table in tables]
    shared, added = arm_by_arm(*tables), None
    if shared:
        added = Added(told(shared, *names), shared_table(shared, *names, results[0].objective), ())
        yield from ((PAGE, f"VERDICT {each.difference.arm}: {each.difference.verdict}") for each in shared)
    yield from of_page(render_comparison(tables, [answer(each) for each in results], added))


def of_markdown(text: str) -> Iterator[Said]:
    """Return the paragraphs and bullets of a README, its question, headings, tables, pictures and commands left out."""
    text = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.M | re.S)
    for line in text.splitlines():
        if line and not re.match(r"[#|!]|\*\*[^*]+\*\*$", line):
            line = re.sub(r"(?<!\\)\*\*", "", line)  # words in bold
            yield README, html.unescape(re.sub(r"\\([\\*_\[\]$])", r"\1", line.removeprefix("- ")))


def of_terminal(text: str) -> Iterator[Said]:
    """Return the sentences and labelled values that a terminal shows, commands and tables left out."""
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines[1:]:
        if not line.startswith(" ") and not re.search(r"\S {2,}\S.* {2,}\S", line):
            yield TERMINAL, re.sub(r"^(\w+) {2,}", r"\1: ", line)


class _Paragraphs(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._open = False
        self._skip = ""

    def handle_starttag(self, tag, attributes) -> None:
        if tag in ("script", "style", "code", "dl", "noscript", "nav", "button") and not self._skip:
            self._skip = tag
        elif tag in ("p", "li") and not self._skip:
            self._open = True
            self.said.append("")

    def handle_endtag(self, tag) -> None:
        if tag == self._skip:
            self._skip = ""
        elif tag in ("p", "li"):
            self._open = False

    def handle_data(self, data) -> None:
        if self._open and not self._skip:
            self.said[-1] += data


def of_page(text: str) -> Iterator[Said]:
    """Return the paragraphs and bullets of a page."""
    reader = _Paragraphs()
    reader.feed(text)
    for paragraph in reader.said:
        if words := " ".join(paragraph.split()):
            yield PAGE, words
