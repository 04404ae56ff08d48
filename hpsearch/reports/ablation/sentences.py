"""The answer of an ablation in one sentence, and what to know before believing it."""

from collections.abc import Sequence

from hpsearch.base import words
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.ablation.arms import Arm, replicates_in_common
from hpsearch.reports.ablation.comparisons import Difference, compared, tally
from hpsearch.reports.ablation.costs import TimeToTarget
from hpsearch.reports.ablation.effects import Effects, disagreement
from hpsearch.reports.ablation.effort import how_tuned, unequal_effort
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.reports.ablation.tuning import UPDATES
from hpsearch.reports.kit.ends import score_note
from hpsearch.reports.kit.evidence import StudyIntervals
from hpsearch.reports.kit.losses import losses_note
from hpsearch.reports.kit.points import objective_of
from hpsearch.reports.kit.setup import code_versions, fixed_settings, headline
from hpsearch.reports.kit.texts import averaged_weights, of_several_codes, seeds_that_train, signed_interval
from hpsearch.statistics.crossed import FEWEST_SEEDS
from hpsearch.statistics.intervals import Estimate
from hpsearch.statistics.shares import fisher_p

NAMED = 3
"""So many arms are named one by one."""


def answer(found: Ablation) -> str:
    """Say what an ablation found.

    Args:
        found: the ablation.

    Returns:
        The arm with the best mean, with its interval, those that may be as good, and how many arms differ from the
        reference.
    """
    best, reference = found.best, found.reference
    if best is None:
        if any(arm.finished for arm in found.arms):
            return "No answer: in no arm does every seed train."
        return "No answer yet: no arm has a finished trial."
    if found.nuisance.tuned_for == UPDATES and (said := _updates(found)):
        return said
    lead = most_accurate(found, best)
    if reference is None:
        return f"{lead}. Nothing is compared, for the reference has no trial."
    if best is reference:
        return f"{lead}. It is the reference: of {_tally(found.differences)}."
    own = next(each for each in found.differences if each.arm == best.name)
    others = f" Of {_tally(found.differences)}." if len(found.differences) > 1 else ""
    return f"{lead}. {capital(_against(own, reference))}.{others}"


def most_accurate(found: Ablation, best: Arm) -> str:
    """Name the arm of the best mean with its evidence, and those that may be as good; without a full stop."""
    which = "highest" if found.objective.maximize else "lowest"
    return f"{capital(best.name)} has the {which} mean {found.objective.metric}, {evidence(best)}{_as_good(found)}"


def _updates(found: Ablation) -> str:
    """Say how many updates every arm needed to the target: what an ablation asks whose arms are tuned for them."""
    needed = [(arm.name, cost.to_target.get(UPDATES)) for arm, cost in zip(found.arms, found.costs, strict=True)]
    parts = [f"{name} {_needed(known)}" for name, known in needed if known is not None and known.n]
    if not parts or found.target is None:
        return ""
    lead = f"Updates to {found.objective.metric} {words.number(found.target)}, median over the seeds"
    return f"{lead}: {'; '.join(parts)}."


def _needed(known: TimeToTarget) -> str:
    reached = f" ({known.n - known.missed} of {known.n} seeds)" if known.missed else ""
    return f"not reached by half of the seeds{reached}" if known.median is None else f"{known.median:.0f}{reached}"


def _as_good(found: Ablation) -> str:
    """Name the arms that may be as good as the one of the best mean; empty where nothing is known of them."""
    best, ranks = found.best, {rank.arm: rank for rank in found.ranking}
    own = None if best is None else ranks.get(best.name)
    if own is None:
        return ""
    if own.standing == "too variable":
        return "; it scatters too much over the seeds to be ranked"
    rivals = [rank.arm for rank in found.ranking if rank.rival and rank is not own]
    if not rivals:
        every = "the other arm" if len(found.arms) == 2 and _all_ranked(found) else "every other arm"
        return f"; {every}{'' if _all_ranked(found) else ' that can be ranked'} is worse"
    equal = all(ranks[name].standing == "equal" for name in rivals)
    verb = "As good within the margin" if equal else "May be as good"
    if len(rivals) > NAMED:
        return f". {verb}: {len(rivals)} of the {len(found.arms) - 1} others (see the ranking)"
    return f". {verb}: {'; '.join(rivals)}"


def _all_ranked(found: Ablation) -> bool:
    known = [rank for rank in found.ranking if rank.standing != "too variable"]
    return len(known) == len(found.arms)


def evidence(arm: Arm) -> str:
    """Write an arm's mean with its spread, n and interval."""
    score = arm.score
    if score.sd is not None and score.shown is None:
        few = "too few for an interval" if score.n < FEWEST_SEEDS else "no spread, so no interval"
        return f"{words.score(score.mean, score.sd)} (mean ± sd, n = {score.n}, {few})"
    if score.sd is None or score.shown is None:
        lone = f"{NO_SEEDS}: n = 1" if arm.alike else "n = 1 seed"
        return f"{words.score(score.mean)} ({lone}, so no interval is claimed)"
    ends = words.interval(score.shown.low, score.shown.high, score.mean, score.sd)
    told = (
        arm.known.write(ends)
        if arm.known is not None and score.known is not None
        else f"95 % {method(score)}interval {ends}"
    )
    return f"{words.score(score.mean, score.sd)} (mean ± sd, n = {score.n}, {told})"


def method(found: Estimate) -> str:
    """Return which interval over seeds is shown, ``t`` or ``BCa``, and a space; empty of one that counts more."""
    return "t " if found.shown is found.t else "" if found.shown is found.known else "BCa "


def signed(found: Estimate) -> str:
    """Write a difference with its sign and its interval: ``+0.012 (95 % t interval +0.004 to +0.020)``."""
    if found.shown is None:
        return words.minus(f"{found.mean:+.3g}")
    mean, low, high = signed_interval(found.mean, found.shown)
    return f"{mean} (95 % {method(found)}interval for one comparison {low} to {high})"


def over_what(table: TrialTable) -> str:
    """Say what differences between arms are over: seeds, and which validation samples they all share."""
    if these := StudyIntervals(table, objective_of(table.study)).these("valid"):
        return f"over seeds, {these}"
    if table.trials["fold"].nunique() > 1:
        return "over seeds and folds, on these samples"
    data = dict(dict(table.study.get("config") or {}).get("data") or {})
    own = data.get("split_seed") == "per_seed"
    return "over seeds, each with validation samples of its own" if own else "over seeds, on these validation samples"


def caveats(found: Ablation) -> tuple[str, ...]:
    """List what to know before believing an ablation.

    Args:
        found: the ablation.

    Returns:
        One sentence each, the most important first.
    """
    arms, nuisance = found.arms, found.nuisance
    lines = [
        of_several_codes(code_versions(found.table)),
        *_lost(arms, found.reference),
        losses_note(found.table, "arm"),
        how_tuned(nuisance),
        *unequal_effort(nuisance),
        _seeds(found),
        _unequal(arms),
    ]
    lines += [
        _power(found.differences, found.objective),
        _no_effects(found.effects),
        disagreement(found.effects, found.differences),
        _fixed(found.table),
        score_note(found.table),
        averaged_weights(found.table),
    ]
    return tuple(line for line in lines if line)


def detectable(difference: float, objective: Objective, beyond: str = "> 1") -> str:
    """Write the smallest difference that would be shown; of a share none is above 1, and `beyond` is written then."""
    return beyond if objective.share and difference > 1 else f"{difference:.2g}"


def capital(name: str) -> str:
    """Begin a name with a capital letter; one that begins with a key, ``model.act = relu``, is left as it is."""
    return name if "." in name.split(" ")[0] else name[:1].upper() + name[1:]


def _tally(found: Sequence[Difference]) -> str:
    others = words.count(len(found), "other arm")
    far = ", as far as these seeds show" if any(each.verdict == "may be equal" for each in found) else ""
    return f"{others} {tally(found) or 'none is compared'}{far} (Holm-adjusted, 5 %)"


def _against(own: Difference, reference: Arm) -> str:
    if not own.difference.n:
        return f"it cannot be compared with the reference {reference.name}: {own.why}"
    lead = f"against the reference {reference.name} the paired difference is {signed(own.difference)}"
    if own.p_holm is None:
        return f"{lead}; {own.why}"
    said: str = "the two may be equal" if own.verdict == "may be equal" else own.verdict
    said += f" ({own.why})" if own.verdict == "undecided: drift" else ""
    return f"{lead}, Holm-adjusted p = {own.p_holm:.2g}: {said}"


def _lost(arms: Sequence[Arm], reference: Arm | None) -> list[str]:
    lines = []
    for arm in arms:
        if not arm.finished:
            why = f"{arm.diverged} of {arm.trials} diverged" if arm.diverged else str(arm.state).lower()
            why = why if arm.trials else "the search before found no setting at which it trains"
            lines.append(f"No trial of {arm.name} finished ({why}): it is in no comparison.")
        elif arm.lost:
            lines.append(_partly(arm, reference))
    return lines


def _partly(arm: Arm, reference: Arm | None) -> str:
    """Say how often an arm trains and how well it does where it does: two things that no mean tells."""
    text = f"{arm.name}: {seeds_that_train(arm.trained, arm.dead, arm.diverged, arm.score.values, 'trial')}"
    if reference is not None and reference is not arm:
        of_arm, of_reference = arm.trained + arm.lost, reference.trained + reference.lost
        p = fisher_p(arm.trained, of_arm, reference.trained, of_reference)
        text += f"; of the reference {reference.trained} of {of_reference} train (Fisher's p = {p:.2g})"
    return f"{capital(text)}. Its mean is not ranked."


def _seeds(found: Ablation) -> str:
    arms = found.arms
    alike = [arm.name for arm in arms if arm.alike]
    if alike:
        where = "" if len(alike) == len(arms) else f" in {', '.join(alike)}"
        return f"{words.capitalized(NO_SEEDS)}{where}: n = 1 there, and no interval and no test is claimed."
    if all(arm.score.n <= 1 for arm in arms):
        return "One seed per arm says nothing of the spread: no interval and no test is claimed; set study.seeds=5."
    pairs = [each.difference.n for each in found.differences if each.difference.n]
    if not pairs:
        return ""
    many = f"{min(pairs)} pairs" + (" at least" if max(pairs) > min(pairs) else " each")
    return f"Differences are {over_what(found.table)}, {many}; t intervals take them as roughly normal."


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


def _power(compared_with: Sequence[Difference], objective: Objective) -> str:
    found = [
        each.detectable for each in compared_with if each.detectable is not None and each.verdict == "may be equal"
    ]
    if not found:
        return ""
    beyond = "more than could ever be seen"
    ends = " to ".join(dict.fromkeys(detectable(end, objective, beyond) for end in (min(found), max(found))))
    return (
        f"What may be equal need not be: a true difference in {objective.metric} of {ends} would have been found with "
        f"80 % power {first_step(compared_with)}, as far as the spread is known."
    )


def first_step(compared_with: Sequence[Difference]) -> str:
    """Name the level at which a difference is found whatever the other comparisons say."""
    tests = compared(compared_with)
    return f"at Holm's first step (p below 5 % / {tests})" if tests > 1 else "at 5 %"


def _no_effects(effects: Effects) -> str:
    return f"No main effects are computed: {effects.why}." if effects.why else ""


def _fixed(table: TrialTable) -> str:
    held = headline(fixed_settings(table))
    return f"Fixed for all arms: {held}; with other settings of these the arms may compare otherwise." if held else ""
