"""How an ablation was made, in a few sentences: what was trained, tuned, held and compared."""

from hpsearch.base import words
from hpsearch.base.keys import RETUNED
from hpsearch.reports.ablation.arms import level
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.tuning import UPDATES
from hpsearch.reports.kit.setup import fixed_settings, headline
from hpsearch.reports.kit.space import floats

_FORM = "optimizer.form"
_PARTS = (("train", "training"), ("valid", "validation"), ("test", "test"))


def method(found: Ablation) -> str:
    """Say how an ablation was made.

    Args:
        found: what it found.

    Returns:
        Sentences: arms and seeds, the data, what was the same in every arm, what was tuned and how, how arms are
        compared.
    """
    return " ".join(
        part
        for part in (_arms(found), _form(found), _data(found), _held(found), _tuned(found), _compared(found))
        if part
    )


def _arms(found: Ablation) -> str:
    factors = "; ".join(f"{factor.name} {', '.join(map(level, factor.values))}" for factor in found.factors)
    seeds = found.table.trials["seed"].nunique()
    over = "over one seed" if seeds == 1 else f"over the same {seeds} seeds"
    return f"{words.count(len(found.arms), 'arm')} ({factors}), each trained {over}."


def _form(found: Ablation) -> str:
    """Say where the forms of momentum differ, when they are compared."""
    if not any(factor.key == _FORM for factor in found.factors):
        return ""
    said = (
        "With the rate inside the velocity a gradient keeps the rate of the step at which it was taken, outside it "
        "moves with the schedule: at a constant rate both forms make the same updates"
    )
    return f"{said}, and here the rate is constant." if _is_constant(found) else f"{said}."


def _is_constant(found: Ablation) -> bool:
    """Return whether no arm can have had a rate that changes."""
    if any(factor.key.partition(".")[0] in ("scheduler", "regularizer") for factor in found.factors):
        return False
    config = dict(found.table.study.get("config") or {})
    scheduler = dict(config.get("scheduler") or {})
    constant = str(scheduler.get("_target_")).endswith(".ConstantLR") and scheduler.get("factor") == 1
    searched = any(key.startswith("scheduler.") for key in found.nuisance.keys)
    swa = "swa" in dict(config.get("regularizer") or {})
    return constant and not scheduler.get("warmup_steps") and not searched and not swa


def _data(found: Ablation) -> str:
    sizes = []
    for key, name in _PARTS:
        column = f"data.{key}_size"
        known = floats(found.table.trials[column]) if column in found.table.trials else floats([])
        alike = set(known[known > 0].tolist())
        if len(alike) == 1:
            sizes.append(f"{int(alike.pop()):,} {name} samples")
    return f"Of the data: {words.listed(sizes)}." if sizes else ""


def _held(found: Ablation) -> str:
    text = headline(fixed_settings(found.table))
    return f"The same in every arm: {text}." if text else ""


def _tuned(found: Ablation) -> str:
    nuisance = found.nuisance
    names = words.listed([words.label(key) for key in nuisance.keys])
    if nuisance.mode != RETUNED:
        return f"{words.capitalized(names)} held at one value in every arm." if names else "Nothing was tuned."
    tried = {len(each.tried) for each in nuisance.searches}
    if not names or not tried:
        return ""
    settings = words.count(max(tried), "setting") if len(tried) == 1 else f"{min(tried)} to {max(tried)} settings"
    seeds = max(each.seeds for each in nuisance.searches)
    by = "updates to the target" if nuisance.tuned_for == UPDATES else f"the smoothed mean {found.objective.metric}"
    of = words.count(seeds, "seed")
    return f"Tuned for every arm by itself: {names}, {settings} over {of} that the comparison does not use, by {by}."


def _compared(found: Ablation) -> str:
    if found.reference is None or not found.differences:
        return ""
    return (
        f"Arms are compared by {found.objective.metric} with {found.reference.name}, paired over seeds: a paired t "
        "test, its p-values adjusted for all comparisons by Holm's method, at 5 %."
    )
