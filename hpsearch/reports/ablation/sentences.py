"""The answer of an ablation in one sentence, and what to know before believing it."""

from collections.abc import Sequence

from hpsearch.base import words
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.ablation.arms import Arm, replicates_in_common
from hpsearch.reports.ablation.comparisons import Difference, tally
from hpsearch.reports.ablation.effects import Effects
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.tuning import HELD, Nuisance
from hpsearch.reports.kit.points import averaged_weights, code_versions
from hpsearch.reports.kit.setup import fixed_settings, headline
from hpsearch.reports.kit.texts import of_several_codes, signed_interval
from hpsearch.statistics.intervals import Estimate
from hpsearch.statistics.shares import clopper_pearson, fisher_p


def answer(found: Ablation) -> str:
    """Say what an ablation found.

    Args:
        found: the ablation.

    Returns:
        One sentence with an interval: on the arm with the best mean, the reference, and how many arms differ from it.
    """
    best, reference = found.best, found.reference
    if best is None:
        return "No answer yet: no arm has a finished trial."
    lead = f"{_capital(best.name)} has the best {found.objective.metric}, {evidence(best)}"
    if reference is None:
        return f"{lead}; nothing is compared, for the reference has no trial."
    if best is reference:
        return f"{lead}; it is the reference: of {_tally(found.differences)}."
    own = next(each for each in found.differences if each.arm == best.name)
    return f"{lead}; {_against(own, reference, found.objective)}. Of {_tally(found.differences)}."


def evidence(arm: Arm) -> str:
    """Write an arm's mean with its spread, n and interval."""
    score = arm.score
    if score.sd is None or score.shown is None:
        lone = f"{NO_SEEDS}: n = 1" if arm.alike else "n = 1 seed"
        return f"{words.score(score.mean)} ({lone}, so no interval is claimed)"
    ends = words.interval(score.shown.low, score.shown.high, score.mean, score.sd)
    return f"{words.score(score.mean, score.sd)} (mean ± sd, n = {score.n}, 95 % {method(score)} interval {ends})"


def method(found: Estimate) -> str:
    """Return which interval is shown: ``t`` or ``BCa``."""
    return "t" if found.shown is found.t else "BCa"


def signed(found: Estimate) -> str:
    """Write a difference with its sign and its interval: ``+0.012 (95 % t interval +0.004 to +0.020)``."""
    if found.shown is None:
        return f"{found.mean:+.3g}"
    mean, low, high = signed_interval(found.mean, found.shown)
    return f"{mean} (95 % {method(found)} interval {low} to {high})"


def caveats(found: Ablation) -> tuple[str, ...]:
    """List what to know before believing an ablation.

    Args:
        found: the ablation.

    Returns:
        One sentence each, the most important first.
    """
    arms, compared, nuisance = found.arms, found.differences, found.nuisance
    lines = [
        of_several_codes(code_versions(found.table)),
        *_lost(arms, found.reference),
        _nuisance(nuisance),
        *_edges(nuisance),
        _seeds(arms, compared),
        _unequal(arms),
    ]
    lines += [_power(compared, found.objective), _no_effects(found.effects), _chosen(nuisance), _fixed(found.table)]
    lines.append(averaged_weights(found.table))
    return tuple(line for line in lines if line)


def detectable(difference: float, objective: Objective, beyond: str = "> 1") -> str:
    """Write the smallest difference that would be shown; of a share none is above 1, and `beyond` is written then."""
    return beyond if objective.share and difference > 1 else f"{difference:.2g}"


def _capital(name: str) -> str:
    """Begin a name with a capital letter; one that begins with a key, ``model.act = relu``, is left as it is."""
    return name if "." in name.split(" ")[0] else name[:1].upper() + name[1:]


def _tally(compared: Sequence[Difference]) -> str:
    others = words.count(len(compared), "other arm")
    return f"{others} {tally(compared) or 'none is compared'} (Holm-adjusted, 5 %)"


def _against(own: Difference, reference: Arm, objective: Objective) -> str:
    if not own.difference.n:
        return f"it cannot be compared with the reference {reference.name}: {own.why}"
    lead = f"against the reference {reference.name} the paired difference is {signed(own.difference)}"
    if own.p_holm is None:
        return f"{lead}; {own.why}"
    return f"{lead}, Holm-adjusted p = {own.p_holm:.2g}: {own.verdict}" + (
        "" if own.verdict != "may be equal" else f" in {objective.metric}, as far as these seeds show"
    )


def _lost(arms: Sequence[Arm], reference: Arm | None) -> list[str]:
    lines = []
    for arm in arms:
        if not arm.finished:
            why = f"{arm.diverged} of {arm.trials} diverged" if arm.diverged else str(arm.state).lower()
            why = why if arm.trials else "the search before found no setting at which it trains"
            lines.append(f"No trial of {arm.name} finished ({why}): it is in no comparison.")
        elif arm.diverged:
            lines.append(_partly(arm, reference))
    return lines


def _partly(arm: Arm, reference: Arm | None) -> str:
    """Say how often an arm diverges and how well it does where it does not: two things that no mean tells."""
    trains, n = arm.score.n, arm.score.n + arm.diverged
    share, score = clopper_pearson(trains, n), words.score(arm.score.mean, arm.score.sd)
    text = (
        f"{arm.diverged} of {words.count(n, 'trial')} of {arm.name} diverged; given that it does not, its score is "
        f"{score}, and the share that does not is {100 * share.low:.0f} to {100 * share.high:.0f} % (Clopper-Pearson, "
        "95 %)"
    )
    if reference is not None and reference is not arm:
        others = reference.score.n + reference.diverged
        p = fisher_p(trains, n, reference.score.n, others)
        text += f"; of the reference {reference.diverged} of {others} diverged (Fisher's p = {p:.2g})"
    return f"{text}. Its mean is not ranked."


def _nuisance(nuisance: Nuisance) -> str:
    if not nuisance.keys:
        return "No nuisance hyperparameter is named: every arm was run at the same fixed settings, tuned for none."
    names = ", ".join(words.label(key) for key in nuisance.keys)
    if nuisance.mode == HELD:
        held = words.settings(nuisance.held)
        return (
            f"Held, not retuned: {held}; an arm may look bad because this does not suit it (ablation.nuisance=retuned)."
        )
    return f"Retuned for every arm: {names}."


def _edges(nuisance: Nuisance) -> list[str]:
    lines = []
    for search in nuisance.searches:
        for key, side in search.at_edge.items():
            lines.append(
                f"The best {words.label(key)} of {search.arm}, {words.number(search.params[key])}, is the "
                f"{'lowest' if side == 'low' else 'highest'} tried: it may do better beyond."
            )
    return lines


def _seeds(arms: Sequence[Arm], compared: Sequence[Difference]) -> str:
    alike = [arm.name for arm in arms if arm.alike]
    if alike:
        where = "" if len(alike) == len(arms) else f" in {', '.join(alike)}"
        return f"{words.capitalized(NO_SEEDS)}{where}: n = 1 there, and no interval and no test is claimed."
    if all(arm.score.n <= 1 for arm in arms):
        return "One seed per arm says nothing of the spread: no interval and no test is claimed; set study.seeds=5."
    fewest = min((each.difference.n for each in compared if each.difference.n), default=0)
    return f"Intervals are over {fewest} seeds at least; t intervals take scores as roughly normal." if fewest else ""


def _unequal(arms: Sequence[Arm]) -> str:
    finished = [arm for arm in arms if arm.finished]
    counts = {arm.replicates for arm in finished}
    if len(counts) < 2:
        return ""
    low, high = (pick(arm.score.n for arm in finished) for pick in (min, max))
    common = len(replicates_in_common(finished))
    return (
        f"The arms have unequal seeds ({low} to {high} finished): each is compared with the reference over the seeds "
        f"that both have, effects and ranking over the {common} that all have."
    )


def _power(compared: Sequence[Difference], objective: Objective) -> str:
    found = [each.detectable for each in compared if each.detectable is not None and each.verdict == "may be equal"]
    if not found:
        return ""
    beyond = "more than could ever be seen"
    ends = " to ".join(dict.fromkeys(detectable(end, objective, beyond) for end in (min(found), max(found))))
    return (
        f"What may be equal need not be: with these seeds a true difference in {objective.metric} of {ends} would have "
        "been shown in 4 studies of 5 by one comparison without Holm's adjustment (an estimate, from the estimated "
        "spread)."
    )


def _no_effects(effects: Effects) -> str:
    return f"No main effects are computed: {effects.why}." if effects.why else ""


def _chosen(nuisance: Nuisance) -> str:
    if not nuisance.searches:
        return ""
    seeds = max(search.seeds for search in nuisance.searches)
    tried = max(len(search.tried) for search in nuisance.searches)
    return (
        f"The nuisance values of an arm are the best of {words.count(tried, 'setting')} by {words.count(seeds, 'seed')}"
        "; its scores here are from trainings of their own."
    )


def _fixed(table: TrialTable) -> str:
    held = headline(fixed_settings(table))
    return f"Fixed for all arms: {held}; with other settings of these the arms may compare otherwise." if held else ""
