"""The page of an ablation, and its figures as images for a README."""

from collections.abc import Callable, Iterator

from hpsearch.base import words
from hpsearch.base.commands import ui_command
from hpsearch.base.keys import HELD
from hpsearch.base.types import TrialTable
from hpsearch.reports.ablation import measured, tables
from hpsearch.reports.ablation.answers import AID, answers_of
from hpsearch.reports.ablation.arms import Arm, level
from hpsearch.reports.ablation.claims.claim import ClaimVerdict
from hpsearch.reports.ablation.comparisons import tally
from hpsearch.reports.ablation.figures import ablation_figures
from hpsearch.reports.ablation.figures.curves import MORE
from hpsearch.reports.ablation.layers import LAYERS_AID, layer_rows
from hpsearch.reports.ablation.method import method
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.sentences import answer, caveats
from hpsearch.reports.kit.beside import begin_stills
from hpsearch.reports.kit.canvas import Drawn
from hpsearch.reports.kit.cells import NONE
from hpsearch.reports.kit.page import Panel, Tile, panel, render_page
from hpsearch.reports.kit.setup import environment_of, fixed_settings
from hpsearch.reports.kit.tables import Row, Section, Table, as_table, flat

_MARKS = {ClaimVerdict.SUPPORTED: ("✓", "pass"), ClaimVerdict.AGAINST: ("✗", "fail")}

_FIGURES = {"map": "result", "arms": "result", "differences": "result", "target": "times", "layers": "layers"}
_KINDS = {"curves": "curves", "claim": "claims", "tuning": "method"}
_TABLES = {
    "Arms": "result",
    "Differences from the reference": "result",
    "Final weights": "result",
    "Generalization": "result",
    "At equal training": "curves",
    "Towards the target and at the end": "times",
    "Time and size": "times",
    "Main effects and interactions": "result",
    "Ranking": "result",
    "Layers of the arms": "layers",
    "Settings tuned for each arm": "method",
    "Claims": "claims",
}
ON_SCREEN = ("Arms", "Differences from the reference")
"""Tables that a page on a screen shows as one, with commands to copy."""
PARTS = ("main", "result", "curves", "times", "layers", "claims", "method")
"""What a page shows one after the other: figures and tables of each, the main figure by itself."""


def render_ablation(found: Ablation, command: str, printed: bool = False) -> str:
    """Return the page of an ablation.

    Args:
        found: what it found.
        command: runs or continues it.
        printed: whether it is for paper.

    Returns:
        HTML that makes no request, in the order of a report that is handed in: question, answer, main figure, answers,
        arms and differences, curves, times, claims, method, what cannot be told, commands, versions, configuration.
    """
    by_part: dict[str, list[Section]] = {part: [] for part in PARTS}
    for section in sections(found):
        if printed or section.title not in ON_SCREEN:
            by_part[table_part(section.title)].append(section)
    return render_page(
        "ablation/page.html.j2",
        printed,
        found=found,
        answer=answer(found),
        caveats=caveats(found),
        tiles=_tiles(found),
        panels=_parts([panel(*drawn, printed) for drawn in _figures(found, printed)]),
        told=answers_of(found),
        told_aid=AID,
        arms=arm_table(found),
        arm_aid=tables.arm_aid(found),
        sections=by_part,
        claims=[(each.claim, each.result, *_MARKS.get(each.result.verdict, ("?", "warn"))) for each in found.claims],
        commands=commands_of(found, command),
        method=method(found),
        fixed=[(key, words.exact(value)) for key, value in fixed_settings(found.table).items()],
        environment=environment_of(found.table),
        config=flat(dict(found.table.study.get("config") or {})),
        factors=[(factor.key, ", ".join(map(level, factor.values))) for factor in found.factors],
    )


def _figures(found: Ablation, printed: bool) -> Iterator[Drawn]:
    """Yield the figures of an ablation, for paper and images without those that a menu has to be seen with."""
    yield from (drawn for drawn in ablation_figures(found) if drawn[0] != MORE or not printed)


def _parts(panels: list[Panel]) -> dict[str, list[Panel]]:
    parts: dict[str, list[Panel]] = {part: [] for part in PARTS}
    for place, each in enumerate(panels):
        parts["main" if place == 0 else figure_part(each.name)].append(each)
    return parts


def figure_part(name: str) -> str:
    """Return which of `PARTS` a figure belongs to; the main one, which is the first, stands by itself."""
    return _FIGURES.get(name) or _KINDS.get(name.split("-")[0], "result")


def table_part(title: str) -> str:
    """Return which of `PARTS` a table belongs to."""
    return _TABLES.get(title, "result")


def ablation_stills(found: Ablation) -> Callable[[], list[tuple[str, str, str]]]:
    """Begin to draw the figures of an ablation as SVG.

    Args:
        found: what it found.

    Returns:
        Waits for them and returns file name, alternative text and SVG text of each; the main figure first.
    """
    shown = list(_figures(found, printed=True))
    pictures = begin_stills({name: figure for name, _, _, figure in shown})

    def drawn() -> list[tuple[str, str, str]]:
        svgs = pictures()
        return [(f"{name}.svg", title, svgs[name]) for name, title, *_ in shown]

    return drawn


def arm_table(found: Ablation) -> Table:
    """Return one row per arm: levels, nuisance values, evidence, verdict, difference from the reference, command.

    Args:
        found: the ablation.

    Returns:
        The arms in the order of the space; a command trains an arm's first trial again.
    """
    headings, rows = tables.arm_rows(found)
    compared, commands = {each.arm: each for each in found.differences}, arm_commands(found.table)
    none = (NONE,) * len(tables.STRENGTH)
    return Table(
        (*headings, *tables.STRENGTH),
        tuple(
            Row(
                (*cells, *(tables.strength(compared[arm.name], found.objective) if arm.name in compared else none)),
                arm.state,
                arm is found.best,
                commands.get(arm.point, ""),
            )
            for arm, cells in zip(found.arms, rows, strict=True)
        ),
        len(rows),
    )


def arm_commands(table: TrialTable) -> dict[int, str]:
    """Return, by point, the command that trains an arm's first trial again."""
    ordered = table.trials[table.trials["command"].notna()].sort_values(["point", "seed", "fold"])
    return {int(point): str(command) for point, command in ordered.groupby("point")["command"].first().items()}


def sections(found: Ablation) -> list[Section]:
    """Return the tables of an ablation that have rows, in the order to read them."""
    each = (
        ("Arms", tables.arm_aid(found), tables.arm_rows(found)),
        ("Differences from the reference", tables.difference_aid(found), tables.difference_rows(found)),
        ("Main effects and interactions", tables.effect_aid(found), tables.effect_rows(found)),
        ("Ranking", tables.ranking_aid(found), tables.ranking_rows(found)),
        ("Final weights", measured.final_aid(found), measured.final_rows(found)),
        (
            "Generalization",
            "The training part minus the others, paired by seed, with t intervals.",
            measured.gap_rows(found),
        ),
        ("At equal training", measured.equal_aid(found), measured.equal_rows(found)),
        (
            "Towards the target and at the end",
            "To the target Kaplan and Meier's median over the seeds, else means over them.",
            measured.progress_rows(found),
        ),
        ("Time and size", measured.time_aid(found), measured.time_rows(found)),
        ("Layers of the arms", LAYERS_AID, layer_rows(found)),
        ("Settings tuned for each arm", tables.TUNING_AID, tables.tuning_rows(found)),
        ("Claims", "What these data say of them.", tables.claim_rows(found)),
    )
    return [Section(title, aid, as_table(*cells)) for title, aid, cells in each if cells[1]]


def _tiles(found: Ablation) -> list[Tile]:
    best, tiles = found.best, []
    if best is not None:
        tiles.append(
            Tile(
                f"Best mean {found.objective.metric}",
                words.score(best.score.mean),
                f"{best.name}; {_note(best)}{_rivals(found)}",
            )
        )
    if found.reference is not None and found.reference.finished:
        reference = found.reference
        note = f"{reference.name}; {_note(reference)}"
        tiles.append(Tile("Reference", words.score(reference.score.mean), note))
    tiles.append(Tile("Arms", str(len(found.arms)), tally(found.differences) or "nothing to compare with"))
    states = ", ".join(f"{n} {state.lower()}" for state, n in found.states.items())
    told = f"{states or 'none yet'}; {words.duration(found.trial_sec)} of training"
    tiles.append(Tile("Trials of the arms", str(sum(found.states.values())), told))
    nuisance = ", ".join(map(words.label, found.nuisance.keys)) or "nothing named"
    return [*tiles, Tile("Nuisance", "held" if found.nuisance.mode == HELD else "tuned for each arm", nuisance)]


def _rivals(found: Ablation) -> str:
    rivals = sum(rank.rival for rank in found.ranking) - 1
    return f"; {rivals} may be as good" if rivals > 0 else ""


def _note(arm: Arm) -> str:
    return f"± {arm.score.sd:.2g} sd, n = {arm.score.n}" if arm.score.sd is not None else f"n = {arm.score.n}"


def commands_of(found: Ablation, command: str) -> list[tuple[str, str]]:
    """Return what to do next with an ablation, each with its command.

    Args:
        found: the ablation.
        command: runs or continues it.

    Returns:
        Run it, train the first trial of its best arm again, open its trials, write its report.
    """
    best = "" if found.best is None else arm_commands(found.table).get(found.best.point, "")
    opens = ui_command(found.table.study.get("config", {}), found.name)
    return [
        ("run or continue the ablation", command),
        *([("train the best arm again", best)] if best else []),
        *([("open its trials in MLflow", opens)] if opens else []),
        ("write its report again", f"python -m hpsearch report {found.name}"),
    ]
