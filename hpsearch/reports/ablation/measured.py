"""Tables of what was measured of the arms: final weights, generalization, equal training, progress, time and size."""

from collections.abc import Sequence

from hpsearch.base import words
from hpsearch.reports.ablation.answers.accuracy import WEIGHTS
from hpsearch.reports.ablation.answers.speed import NO_ROUNDS
from hpsearch.reports.ablation.cells import count, difference_cell, evidence, mean, p_cell, target_cell, time_cell
from hpsearch.reports.ablation.costs import Cost
from hpsearch.reports.ablation.finals import PARTS, TRAIN, VALID
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.kit.cells import NONE, Cell, Cells
from hpsearch.reports.kit.tables import end_cells
from hpsearch.statistics.intervals import estimate


def time_rows(found: Ablation) -> Cells:
    """Return one row per arm: parameters, where they are known, time per update, per epoch and in all."""
    sized = any(arm.parameters is not None for arm in found.arms)
    names = ("arm", *(["parameters"] if sized else []), "updates", "epochs", "per update", "per epoch", "in all")
    names += ("sd in all",)
    return names, [
        (
            Cell(cost.arm),
            *([NONE if arm.parameters is None else Cell(f"{arm.parameters:,}", arm.parameters)] if sized else []),
            *(
                Cell(words.number(float(f"{mean:.3g}") if mean < 100 else round(mean)), mean) if n else NONE
                for mean, n in ((each.mean, each.n) for each in (cost.updates, cost.epochs))
            ),
            *(time_cell(each) for each in (cost.update_sec, cost.epoch_sec, cost.seconds)),
            NONE if cost.seconds.sd is None else Cell(words.duration(cost.seconds.sd), cost.seconds.sd),
        )
        for arm, cost in zip(found.arms, found.costs, strict=True)
    ]


def time_aid(found: Ablation) -> str:
    """Say what the times are of, and whether they can be compared."""
    rounds = "The trials were made in rounds over all arms." if found.rounds else words.capitalized(f"{NO_ROUNDS}.")
    return f"Training alone, without evaluation; means over the seeds. {rounds}"


def progress_rows(found: Ablation) -> Cells:
    """Return one row per arm: how much to the target, the best epoch, what the end lost, its jitter and its drift."""
    units = list(dict.fromkeys(unit for cost in found.costs for unit in cost.to_target))
    ends = {arm.name: arm.end for arm in found.arms if arm.end is not None}
    names = ["arm", *(f"{unit} to {words.number(found.target)}" for unit in units)]
    names += ["best epoch", "best", "final", "final − best", *(["jitter", "drift"] if ends else [])]
    return tuple(names), [
        (*_progress(cost, units), *(end_cells(ends.get(cost.arm)) if ends else ())) for cost in found.costs
    ]


def final_rows(found: Ablation) -> Cells:
    """Return a row per arm and part of the data: each metric at the final weights, with its sd and its interval."""
    metrics = found.finals.metrics
    names = ["arm", "part", "n"]
    for metric in metrics:
        names += [metric, f"sd of {metric}", f"95 % of {metric}"]
    rows = []
    for each in found.finals.arms:
        for part, of in each.parts.items():
            cells = [Cell(each.arm), Cell(PARTS[part]), count(max(found.n for found in of.values()))]
            for metric in metrics:
                cells += evidence(of[metric]) if metric in of else (NONE, NONE, NONE)
            rows.append(tuple(cells))
    return tuple(names), rows if any(part != VALID for part in found.finals.parts) else []


def gap_rows(found: Ablation) -> Cells:
    """Return a row per arm: by how much the training part is above the others at the final weights, by each metric."""
    finals = found.finals
    columns = [
        (m, part) for m in finals.metrics for part in finals.parts if any(part in each.gaps for each in finals.arms)
    ]
    columns = [(metric, part) for metric, part in columns if part != TRAIN]
    names = ("arm", "n", *(f"{metric}: training − {PARTS[part]}" for metric, part in columns))
    rows = [
        (
            Cell(each.arm),
            count(max(gap.n for of in each.gaps.values() for gap in of.values())),
            *(difference_cell(each.gaps.get(part, {}).get(metric)) for metric, part in columns),
        )
        for each in finals.arms
        if each.gaps
    ]
    return names, rows


def final_aid(found: Ablation) -> str:
    """Say of which weights the parts were measured, and how."""
    score = (
        "" if found.objective.reduce != "end" else " The scores of the other tables are means of the last evaluations."
    )
    return (
        f"Of the {WEIGHTS[found.finals.weights]}, in evaluation mode: dropout and augmentation off, not the running "
        f"mean over an epoch. Mean over the seeds, its t interval over the seeds, on these samples.{score}"
    )


def equal_rows(found: Ablation) -> Cells:
    """Return one row per arm: how many seeds reach the level of training, after how many updates, the score there."""
    equal = found.equal
    metric = found.objective.metric
    names = ("arm", "reach it", "updates there", f"{metric} there", "sd", "95 % interval", "difference", "p (Holm)")
    if equal is None:
        return names, []
    compared = {each.arm: each for each in equal.differences}
    return names, [
        (
            Cell(each.arm),
            Cell(f"{len(each.reached)} of {each.trials}", len(each.reached)),
            mean(estimate([updates for updates, _ in each.reached.values()])),
            *(evidence(each.score) if each.reached else (NONE, NONE, NONE)),
            difference_cell(own.difference if (own := compared.get(each.arm)) else None),
            p_cell(own.p_holm if own else None),
        )
        for each in equal.arms
    ]


def equal_aid(found: Ablation) -> str:
    """Say at which level the arms are compared, and how it is found."""
    equal = found.equal
    if equal is None:
        return ""
    return (
        f"Where the training part, in evaluation mode, first reaches {words.number(equal.level)}, the lowest that a "
        f"trial ends with, one of {equal.lowest}. Updates and {found.objective.metric} are those of the straight line "
        "between two evaluations; means are over the seeds that get there, and only arms of which every seed does are "
        "compared with the reference."
    )


def _progress(cost: Cost, units: Sequence[str]) -> tuple[Cell, ...]:
    return (
        Cell(cost.arm),
        *(target_cell(cost.to_target, unit) for unit in units),
        Cell(f"{cost.best_epoch.mean:.1f}", cost.best_epoch.mean) if cost.best_epoch.n else NONE,
        *(Cell(words.score(each.mean, each.sd), each.mean) if each.n else NONE for each in (cost.best, cost.final)),
        Cell(words.minus(f"{cost.slack.mean:+.2g}"), cost.slack.mean) if cost.slack.n else NONE,
    )
