"""What an ablation leaves for people to read: a page, README.md with its figures, and the tables behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpsearch.analysis import ablation_tables as tables
from hpsearch.analysis.ablation import Ablation
from hpsearch.report.ablation_page import ablation_stills, render_ablation
from hpsearch.report.files import REPORT, replace_text
from hpsearch.report.readme import markdown_text
from hpsearch.report.tables import trials_csv
from hpsearch.types import TrialTable


@dataclass(frozen=True, slots=True)
class Section:
    """A titled table of a page, with how to read it."""

    title: str
    aid: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]]


def write_ablation(found: Ablation, table: TrialTable, tuning: TrialTable | None, command: str, folder: Path) -> Path:
    """Write ``report.html``, ``README.md``, its SVG figures and its tables as CSV, each in one move.

    Args:
        found: what it found.
        table: the study of its arms.
        tuning: the search before it; None where nothing was retuned.
        command: runs or continues it.
        folder: where to write; made when it is missing.

    Returns:
        The path of the page.
    """
    replace_text(folder / "trials.csv", trials_csv(table))
    replace_text(folder / "curves.csv", table.curves.to_csv(index=False, lineterminator="\n"))
    if tuning is not None:
        replace_text(folder / "tuning.csv", trials_csv(tuning))
    images = []
    for name, title, svg in ablation_stills(found, table):
        replace_text(folder / name, svg)
        images.append((name, title))
    replace_text(folder / "README.md", readme(found, command, images))
    return replace_text(folder / REPORT, render_ablation(found, table, command))


def readme(found: Ablation, command: str, images: Sequence[tuple[str, str]]) -> str:
    """Return the README of an ablation: question, answer, main figure, tables, caveats, other figures, commands.

    Args:
        found: what it found.
        command: runs or continues it.
        images: file and title of each figure, the main one first.
    """
    shown = [f"![{markdown_text(title)}]({name})" for name, title in images]
    parts = [f"# {markdown_text(found.name)}", f"**{markdown_text(found.question)}**", markdown_text(found.answer)]
    parts += shown[:1]
    for section in sections(found):
        parts += [f"## {section.title}", section.aid, _markdown(section)]
    parts += ["## Before you believe it", "\n".join(f"- {markdown_text(line)}" for line in found.caveats)]
    parts += ["## Figures", *shown[1:]] if shown[1:] else []
    lines = "\n".join(f"# {what}\n{each}" for what, each in _commands(command))
    parts += ["## What it took", markdown_text(found.took), "## Commands", f"```sh\n{lines}\n```"]
    return "\n\n".join([*parts, _files(found)]) + "\n"


def sections(found: Ablation) -> list[Section]:
    """Return the tables of an ablation that have rows, in the order to read them."""
    each = (
        ("Arms", "Mean over seeds; the method stands beside each interval.", tables.arm_rows(found)),
        (
            "Differences from the reference",
            "Paired by seed. Detectable: the true difference that these seeds would have shown in 4 studies of 5, an "
            "estimate from the estimated spread, for one comparison.",
            tables.difference_rows(found),
        ),
        (
            "Main effects and interactions",
            "Analysis of variance with the seeds as blocks, degrees of freedom after Greenhouse and Geisser.",
            tables.effect_rows(found),
        ),
        ("Ranking", tables.ranking_aid(found), tables.ranking_rows(found)),
        (
            "Costs",
            "Training alone, without evaluation; to the target: Kaplan and Meier's median over seeds.",
            tables.cost_rows(found),
        ),
        ("Retuned for every arm", "The best of a search on seeds of its own.", tables.tuning_rows(found)),
        ("Claims", "What these data say of them.", tables.claim_rows(found)),
    )
    return [Section(title, aid, *rows) for title, aid, rows in each if rows[1]]


def _files(found: Ablation) -> str:
    searched = ", `tuning.csv` every trial of the search before them" if found.nuisance.tuned else ""
    return (
        f"`trials.csv` holds every trial of the arms, one row each, `curves.csv` every epoch of theirs{searched}. "
        "In `report.html`, which the command writes, the figures are interactive."
    )


def _commands(command: str) -> list[tuple[str, str]]:
    return [("run or continue the study", command), ("open its trials in MLflow", "python -m hpsearch ui")]


def _markdown(section: Section) -> str:
    head = [[markdown_text(heading) for heading in section.headings], ["---"] * len(section.headings)]
    body = [[markdown_text(cell) for cell in row] for row in section.rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [*head, *body])
