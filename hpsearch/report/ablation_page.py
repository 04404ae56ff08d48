"""The page of an ablation, and its figures as images for a README."""

from collections.abc import Iterator, Mapping
from typing import Any

from hpsearch.analysis import ablation_tables as tables
from hpsearch.analysis import words
from hpsearch.analysis.ablation import Ablation
from hpsearch.analysis.ablation_words import detectable, method
from hpsearch.analysis.arms import Arm, level
from hpsearch.analysis.claim import AGAINST, SUPPORTED
from hpsearch.analysis.comparisons import Difference
from hpsearch.analysis.costs import Cost, Reach
from hpsearch.analysis.estimates import Estimate
from hpsearch.report.figures.ablation import (
    arm_curves_figure,
    arms_figure,
    differences_figure,
    map_figure,
    target_figure,
    tuning_figure,
    varied,
)
from hpsearch.report.figures.claims import claim_figures
from hpsearch.report.html import Tile
from hpsearch.report.page import render_page
from hpsearch.report.panels import Drawn, panel
from hpsearch.report.still import still
from hpsearch.report.tables import Cell, Row, Table, flat
from hpsearch.types import TrialState, TrialTable

NONE = Cell("–")
_MARKS = {SUPPORTED: ("✓", "pass"), AGAINST: ("✗", "fail")}


def render_ablation(found: Ablation, table: TrialTable, command: str) -> str:
    """Return the page of an ablation.

    Args:
        found: what it found.
        table: the study of its arms.
        command: runs or continues it.

    Returns:
        HTML that makes no request: question, answer, main figure, caveats, arms, differences, curves, costs, claims,
        configuration, and the commands that train each arm again.
    """
    return render_page(
        "ablation.html.j2",
        found=found,
        tiles=_tiles(found),
        panels=[panel(*drawn) for drawn in ablation_figures(found, table)],
        arms=arm_table(found, table),
        costs=cost_table(found),
        others=list(_others(found)),
        claims=[(claim, *_MARKS.get(claim.verdict, ("?", "warn"))) for claim in found.claims],
        commands=_commands(found, command),
        config=flat(dict(table.study.get("config") or {})),
        factors=[(factor.key, ", ".join(map(level, factor.values))) for factor in found.factors],
    )


def ablation_stills(found: Ablation, table: TrialTable) -> Iterator[tuple[str, str, str]]:
    """Yield the figures of an ablation as SVG.

    Args:
        found: what it found.
        table: the study of its arms.

    Yields:
        File name, alternative text, SVG text; the main figure first.
    """
    for name, title, _, figure in ablation_figures(found, table):
        yield f"{name}.svg", title, still(figure)


def ablation_figures(found: Ablation, table: TrialTable) -> Iterator[Drawn]:
    """Yield the figures that apply to an ablation, the main one first.

    Args:
        found: what it found.
        table: the study of its arms.

    Yields:
        Name, title, how to read it, figure.
    """
    metric = found.objective.metric
    if len(varied(found)) == 2:
        across, up = varied(found)
        title = f"{metric} over {across.name} and {up.name}"
        yield "map", title, "Means over seeds ± one sd; hover for the interval of each arm.", map_figure(found)
    aid = "Small marks are seeds, large ones their mean with its 95 % interval; the diamond is the reference."
    yield "arms", f"{metric} of every arm", aid, arms_figure(found)
    if found.reference is not None and any(each.difference.n for each in found.differences):
        aid = (
            "Paired by seed, with 95 % intervals of single comparisons; colour and shape are the verdict after Holm's "
            "adjustment for all of them, so an interval may leave out 0 and the arm still not be told apart."
        )
        yield "differences", f"Differences from {found.reference.name}", aid, differences_figure(found)
    curves = arm_curves_figure(found, table)
    if curves is not None:
        aid = "Means over the seeds that finished; bands are one sd, left out where there are more than six arms."
        yield "curves", "Learning curves of the arms", aid, curves
    target = target_figure(found)
    if target is not None:
        aid = (
            "One mark per trial; an open triangle stopped before it got there, so its true value lies further right. "
            "The bar is the median, which counts those too; where it is missing, fewer than half got there."
        )
        yield "target", f"What it takes to reach {metric} {words.number(found.target)}", aid, target
    for key in found.nuisance.keys:
        tuning = tuning_figure(found, key)
        if tuning is not None:
            aid = (
                "The search of each arm, on seeds of its own; rings are the values that the arm was given. Open "
                "squares trained, but their loss did not fall below half of its first value; crosses diverged."
            )
            yield f"tuning-{key.replace('.', '-')}", f"Retuned: {words.label(key)}", aid, tuning
    yield from claim_figures(found.claims, metric)


def arm_table(found: Ablation, table: TrialTable) -> Table:
    """Return one row per arm: levels, nuisance values, evidence, difference from the reference, verdict, command.

    Args:
        found: the ablation.
        table: the study of its arms.

    Returns:
        The arms in the order of the space; a command trains an arm's first trial again.
    """
    nuisance = [key for key in found.nuisance.keys if any(key in arm.nuisance for arm in found.arms)]
    tested = any(arm.test is not None for arm in found.arms)
    names = [*(factor.name for factor in found.factors), *map(words.label, nuisance)]
    names += ["n", found.objective.metric, "sd", "95 % interval", "which", *(["test"] if tested else [])]
    names += ["difference", "its 95 % interval", "verdict", "Holm p", "Hedges' g", "smallest shown"]
    commands = table.trials.groupby("point")["command"].first().to_dict() if len(table.trials) else {}
    compared = {each.arm: each for each in found.differences}
    rows = []
    for arm in found.arms:
        cells = [_setting(arm.levels[factor.key]) for factor in found.factors]
        cells += [_setting(arm.nuisance[key]) if key in arm.nuisance else NONE for key in nuisance]
        cells += [Cell(str(arm.score.n), arm.score.n), *_evidence(arm.score)]
        cells += [_mean(arm.test)] if tested else []
        cells += _difference(compared.get(arm.name), found, arm)
        command = commands.get(arm.point)
        rows.append(Row(tuple(cells), arm.state, _best(found, arm), command if isinstance(command, str) else ""))
    return Table(tuple(names), tuple(rows), len(rows))


def cost_table(found: Ablation) -> Table:
    """Return one row per arm: times per update and epoch, amounts to the target, best epoch, what the end lost."""
    units = list(dict.fromkeys(unit for cost in found.costs for unit in cost.to_target))
    names = ["arm", "per update", "per epoch", "updates", "training"]
    names += [f"{unit} to {words.number(found.target)}" for unit in units]
    names += ["best epoch", "best", "final", "final − best"]
    rows = [Row(tuple(_cost(cost, units)), TrialState.COMPLETE, best=False) for cost in found.costs]
    return Table(tuple(names), tuple(rows), len(rows))


def _others(found: Ablation) -> Iterator[tuple[str, str, Table]]:
    """Yield the tables that stand below with title and how to read them."""
    each = (
        (
            "Main effects and interactions",
            "Analysis of variance with the seeds as blocks, degrees of freedom after Greenhouse and Geisser.",
            tables.effect_rows(found),
        ),
        ("Ranking", tables.ranking_aid(found), tables.ranking_rows(found)),
        ("Retuned for every arm", "The best of a search on seeds of its own.", tables.tuning_rows(found)),
    )
    for title, aid, (headings, texts) in each:
        rows = tuple(Row(tuple(map(Cell, row)), TrialState.COMPLETE, best=False) for row in texts)
        if rows:
            yield title, aid, Table(headings, rows, len(rows))


def _best(found: Ablation, arm: Arm) -> bool:
    sign = -1 if found.objective.maximize else 1
    scored = [each for each in found.arms if each.finished]
    return bool(scored) and arm is min(scored, key=lambda each: sign * each.score.mean)


def _tiles(found: Ablation) -> list[Tile]:
    best = next((arm for arm in found.arms if _best(found, arm)), None)
    tiles = []
    if best is not None:
        tiles.append(
            Tile(f"Best {found.objective.metric}", words.score(best.score.mean), f"{best.name}; {_note(best)}")
        )
    if found.reference is not None and found.reference.finished:
        reference = found.reference
        note = f"{reference.name}; {_note(reference)}"
        tiles.append(Tile("Reference", words.score(reference.score.mean), note))
    verdicts = [each.verdict for each in found.differences]
    kinds = ("better", "worse", "not told apart", "not compared")
    counts = ", ".join(f"{verdicts.count(kind)} {kind}" for kind in kinds if kind in verdicts)
    tiles.append(Tile("Arms", str(len(found.arms)), counts or "nothing to compare with"))
    states = ", ".join(f"{n} {state.lower()}" for state, n in found.states.items())
    tiles.append(Tile("Trials", str(sum(found.states.values())), states or "none yet"))
    nuisance = ", ".join(map(words.label, found.nuisance.keys)) or "nothing named"
    tiles.append(Tile("Nuisance", found.nuisance.mode, nuisance))
    return [*tiles, Tile("Training time", words.duration(found.trial_sec), "of the arms, all trials added up")]


def _note(arm: Arm) -> str:
    return f"± {arm.score.sd:.2g} sd, n = {arm.score.n}" if arm.score.sd is not None else f"n = {arm.score.n}"


def _commands(found: Ablation, command: str) -> list[tuple[str, str]]:
    return [
        ("Run or continue this ablation", command),
        ("Open its trials in MLflow", f"python -m hpsearch ui {found.name}"),
        ("Write this report again", f"python -m hpsearch report {found.name}"),
    ]


def _setting(value: Any) -> Cell:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(level(value), float(value) if numeric else None)


def _mean(found: Estimate | None) -> Cell:
    return NONE if found is None or not found.n else Cell(words.score(found.mean, found.sd).split(" ")[0], found.mean)


def _evidence(found: Estimate) -> list[Cell]:
    shown, sd = found.shown, found.sd
    if shown is None or sd is None:
        return [_mean(found), NONE, NONE, Cell("one seed: none" if found.n else "–")]
    digits = words.decimals(found.mean, sd)
    ends = Cell(words.interval(shown.low, shown.high, found.mean, sd), shown.high - shown.low)
    return [_mean(found), Cell(f"{sd:.{digits}f}", sd), ends, Cell(method(found))]


def _difference(own: Difference | None, ablation: Ablation, arm: Arm) -> list[Cell]:
    if own is None or not own.difference.n:
        verdict = Cell("reference" if arm is ablation.reference else own.verdict if own else "–")
        return [NONE, NONE, verdict, NONE, NONE, NONE]
    found, shown = own.difference, own.difference.shown
    digits = words.decimals(found.mean) if shown is None else words.interval_decimals(shown.low, shown.high)
    cells = [Cell(f"{found.mean:+.{digits}f}", found.mean)]
    width = None if shown is None else shown.high - shown.low
    cells += [NONE if shown is None else Cell(f"{shown.low:+.{digits}f} to {shown.high:+.{digits}f}", width)]
    cells += [Cell(own.verdict)]
    cells += [NONE if own.p_holm is None else Cell("< .001" if own.p_holm < 0.001 else f"{own.p_holm:.2g}", own.p_holm)]
    cells += [NONE if own.effect is None else Cell(f"{own.effect:+.2f}", own.effect)]
    if own.detectable is None:
        return [*cells, NONE]
    return [*cells, Cell(detectable(own.detectable, ablation.objective.metric), own.detectable)]


def _cost(cost: Cost, units: list[str]) -> Iterator[Cell]:
    yield Cell(cost.arm)
    yield from (_time(each) for each in (cost.update_sec, cost.epoch_sec))
    yield Cell(words.number(round(cost.updates.mean)), cost.updates.mean) if cost.updates.n else NONE
    yield _time(cost.seconds)
    yield from (_reach(cost.to_target, unit) for unit in units)
    yield Cell(f"{cost.best_epoch.mean:.1f}", cost.best_epoch.mean) if cost.best_epoch.n else NONE
    yield from (_mean(each) for each in (cost.best, cost.final))
    yield Cell(f"{cost.slack.mean:+.2g}", cost.slack.mean) if cost.slack.n else NONE


def _time(found: Estimate) -> Cell:
    return Cell(words.duration(found.mean), found.mean) if found.n else NONE


def _reach(to_target: Mapping[str, Reach], unit: str) -> Cell:
    """Return the median to the target, with how many did not get there: those are counted, not left out."""
    reach = to_target.get(unit)
    if reach is None or not reach.n:
        return NONE
    missed = f" ({reach.missed} of {reach.n} not there)" if reach.missed else ""
    if reach.median is None:
        return Cell(f"{reach.missed} of {reach.n} not there")
    shown = words.duration(reach.median) if unit == "seconds" else words.number(reach.median)
    return Cell(f"{shown}{missed}", reach.median)
