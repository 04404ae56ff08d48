"""The answer of a study in one sentence, and what to know before believing it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpsearch.base import words
from hpsearch.base.digits import Digits
from hpsearch.base.replicates import NO_SEEDS
from hpsearch.base.types import TrialState
from hpsearch.base.widening import Widening
from hpsearch.reports.kit.evidence import SEEDS
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.setup import headline
from hpsearch.reports.kit.texts import of_several_codes
from hpsearch.reports.summary.confirmed import chosen_at, lost_on_fresh, measured, not_confirmed, over_fresh
from hpsearch.reports.summary.numbers import Summary
from hpsearch.reports.summary.parts import Parts
from hpsearch.reports.summary.standing import as_good
from hpsearch.reports.summary.training import frontier_clause, parted_text, rates_clause, runs_of
from hpsearch.statistics.best import TOO_VARIABLE
from hpsearch.statistics.comparisons import ALPHA
from hpsearch.statistics.crossed import FEWEST_SEEDS

if TYPE_CHECKING:
    from hpsearch.reports.summary.importance import Importance, Share


_ROUNDING = 1e-9


def answer(summary: Summary, importance: "Importance | None" = None) -> str:
    """Say what a study found, with n, mean, spread and interval.

    Args:
        summary: the study's result.
        importance: which hyperparameters matter, where that was computed.

    Returns:
        One sentence, and one each on what matters most and what pruning saved. Without a point whose replicates are all
        COMPLETE it says so; for one seed it claims no spread.
    """
    found = parts(summary)
    clauses = (found.lead, found.rivals, found.rates)
    first = f"{'; '.join(clause for clause in clauses if clause)}."
    matters = "" if summary.quoted is None else _matters(importance)
    return " ".join(text for text in (first, found.more, matters) if text)


def parts(summary: Summary) -> Parts:
    """Return what the answer is made of, but for which hyperparameters matter.

    Args:
        summary: the study's result.
    """
    best = summary.quoted
    if best is None:
        return Parts(_nothing(summary))
    among = summary.fresh.chosen if over_fresh(summary) and summary.fresh else None
    rivals = as_good(summary.standing, best, summary.axes, among) or _tied(summary)
    lead = f"{_no_knowledge(best)}{_leads(summary, best)} {evidence(best)}{chosen_at(summary, best)}"
    rates = _rates(summary) or frontier_clause(summary.frontier)
    more = " ".join(text for text in (_front(summary), _pruned(summary)) if text)
    return Parts(lead, rivals.removeprefix("; "), rates.removeprefix("; "), more, words.assignments(best.params))


def evidence(point: Point) -> str:
    """Write a point's score with its spread, number of replicates and interval.

    Args:
        point: a point with at least one complete trial.

    Returns:
        ``0.975 ± 0.004 (mean ± sd of n = 3 seeds, 95 % t interval 0.965–0.985)``; of an accuracy ``95 % interval
        0.961–0.984 over seeds and 360 validation samples``.
    """
    if point.mean is None or point.sd is None:
        lone = f"{NO_SEEDS}: n = 1" if point.alike else "n = 1 seed"
        return f"{words.score(point.mean)} ({lone}, so no spread and no interval can be given)"
    spread = f"{words.score(point.mean, point.sd)} (mean ± sd of n = {replicates(point)}"
    if point.interval is None:
        return f"{spread}, {'too few for an interval' if point.n < FEWEST_SEEDS else 'no spread, so no interval'})"
    ends = words.interval(point.interval.low, point.interval.high, point.mean, point.sd)
    return f"{spread}, {point.known.write(ends)})"


def replicates(point: Point) -> str:
    """Write what a point was repeated over: ``3 seeds``, or ``6 runs of 3 seeds x 2 folds``."""
    seeds, folds = ({r[i] for r in point.replicates} for i in (0, 1))
    if len(folds) <= 1:
        return words.count(len(seeds), "seed")
    return f"{point.n} runs of {words.count(len(seeds), 'seed')} × {words.count(len(folds), 'fold')}"


def caveats(summary: Summary, fixed: Mapping[str, Any], importance: "Importance | None" = None) -> tuple[str, ...]:
    """List what to know before believing the answer.

    Args:
        summary: the study's result.
        fixed: the settings that were not searched, from `fixed_settings`.
        importance: which hyperparameters matter, where that was computed.

    Returns:
        One sentence each, the most important first.
    """
    lines = [
        of_several_codes(summary.versions),
        _unfinished(summary),
        *_edge_lines(summary),
        _near(summary),
        _rivals(summary),
        measured(summary),
        summary.losses,
        _selection(summary),
        lost_on_fresh(summary),
    ]
    lines += [_seeds(summary), not_confirmed(summary, summary.confirm), _partly(summary), _no_importance(importance)]
    held = headline(fixed)
    other = "have another best" if summary.best else "train"
    lines.append(f"Fixed, not searched: {held}; another setting of these may {other}." if held else "")
    scored = any(p.scores or p.partial is not None for p in summary.points)
    lines += [_lost(summary), summary.scored if scored else "", summary.weights, summary.lineage]
    return tuple(line for line in lines if line)


def _leads(summary: Summary, best: Point) -> str:
    metric = summary.objective.metric
    if not best.params:
        return f"The one setting that was run gives: {metric}"
    which = f"has the {'highest' if summary.objective.maximize else 'lowest'} {metric}{over_fresh(summary)}:"
    if len(best.params) == 1:
        key, value = next(iter(best.params.items()))
        sentence = words.setting(key, value, summary.axes[0].digits)
        return f"{sentence[0].upper() if sentence.startswith('a ') else sentence[0]}{sentence[1:]} {which}"
    of = summary.fresh.chosen if over_fresh(summary) and summary.fresh else len(summary.eligible)
    return f"Of {_points(summary, of)} {words.settings(best.params)} {which}"


def _rates(summary: Summary) -> str:
    return rates_clause(summary.rates, alone=len(summary.axes) == 1, noun=runs_of(summary.points))


def _tied(summary: Summary) -> str:
    """Name how many points have the best mean where nothing else compares them."""
    n = len(summary.ties)
    return f"; {words.count(n, 'other point')} {'has' if n == 1 else 'have'} exactly the same mean" if n else ""


def _points(summary: Summary, compared: int) -> str:
    """Count the points that are compared, and all that were tried where some did not come to their end."""
    tried, ended = len(summary.points), len(summary.eligible) + sum(_ended_parted(summary))
    if compared != len(summary.eligible) or tried == ended:
        return words.count(max(compared, ended) if compared == len(summary.eligible) else compared, "point")
    return f"{words.count(tried, 'point')}, {ended} trained to the end,"


def _ended_parted(summary: Summary) -> list[bool]:
    """Say of each point whether it came to its end, with seeds at chance beside others: it is not ranked."""
    return [p.parted and p.state is TrialState.COMPLETE and p.trials >= summary.replicates for p in summary.points]


def _no_knowledge(best: Point) -> str:
    return "No point trains: none does better than a constant prediction. " if best.dead else ""


def _front(summary: Summary) -> str:
    front = summary.front
    if front is None or not front.front:
        return ""
    names = " and ".join(o.metric for o in front.objectives)
    return f"The Pareto front of {names} holds {len(front.front)} of {words.count(len(front.values), 'point')}."


def _matters(importance: "Importance | None") -> str:
    """Say what matters most by shares of the variance: PED-ANOVA has a first one where nothing matters, too."""
    if importance is None or not importance.fanova.shares:
        return ""
    first, pair = importance.fanova.shares[0], importance.interaction
    together = pair is not None and pair.share > first.share
    what = f"{pair.name} together: {_part(pair)}" if pair and together else f"{_the(first)}: {_part(first)}"
    return f"What matters most is {what} of the variance over the ranges tried."


def _the(share: "Share") -> str:
    return share.name if share.name in share.keys else f"the {share.name}"


def _part(share: "Share") -> str:
    return f"{100 * share.share:.0f} % (95 % interval {100 * share.low:.0f}–{100 * share.high:.0f} %)"


def _pruned(summary: Summary) -> str:
    pruning = summary.pruning
    if pruning is None:
        return ""
    stopped = f"{pruning.pruned} of {words.count(pruning.trials, 'trial')}"
    saved = f"Pruning stopped {stopped} early and saved {100 * pruning.share:.0f} % of the epochs"
    if pruning.early is None:
        return f"{saved}."
    early = pruning.early
    correlation = words.minus(f"{early.correlation:.2f}")
    worth = f"ranks after epoch {early.epoch} and at the end correlate by {correlation}"
    return f"{saved}; over the {early.n} trials that came to their end, {worth} (1: the same order)."


def _nothing(summary: Summary) -> str:
    counts = ", ".join(f"{n} {state}" for state, n in sorted(summary.states.items()))
    if not counts:
        return "No answer yet: no trial has started"
    if set(summary.states) == {TrialState.INFEASIBLE}:
        reason, n = Counter(summary.infeasible).most_common(1)[0]
        of = sum(summary.states.values())
        often = "" if n == of else ", the first" if n == 1 else f", {n} of them"
        return f"No answer: every trial is INFEASIBLE ({words.count(of, 'trial')}{often}: {reason}){_rates(summary)}"
    if any(p.parted for p in summary.points) and not any(p.values for p in summary.points if not p.dead):
        return f"No answer: at no point does every {runs_of(summary.points)} train{_rates(summary)}"
    wanted = "its trial" if summary.replicates == 1 else f"all of its {summary.replicates} replicates"
    return f"No answer yet: no point has {wanted} COMPLETE (trials: {counts})"


def _unfinished(summary: Summary) -> str:
    waiting = sum(n for state, n in summary.states.items() if not state.finished)
    if not waiting:
        return ""
    if not summary.ended:
        return f"The study has not ended: {words.count(waiting, 'trial')} still to finish."
    return (
        f"{words.count(waiting, 'trial')} did not come to an end; with more budget the same command goes on with them."
    )


def _edge_lines(summary: Summary) -> list[str]:
    lines = []
    for key, side in summary.at_edge.items():
        widened = sum(e.key == key and e.side == side and not e.failed for e in summary.extensions)
        after = f", which was extended {words.times(widened)} already" if widened else ""
        lines.append(
            f"The best {words.label(key)} lies at the {side} edge of the values tried{after}: extend the search there."
        )
    return lines + [_extension(e) for e in summary.extensions]


def _extension(e: Widening) -> str:
    digits = Digits.of([*e.old, *e.new, e.best])
    old, new = (f"{words.number(low, digits)}–{words.number(high, digits)}" for low, high in (e.old, e.new))
    if e.failed:
        end = words.number(e.new[e.side == "high"], digits)
        return f"The range of {words.label(e.key)} ends at {end} again: all {e.failed} points beyond failed."
    return (
        f"The range of {words.label(e.key)} was extended from {old} to {new}, because the best value by then, "
        f"{words.number(e.best, digits)}, lay at its {e.side} edge; points asked before could not lie beyond."
    )


def _near(summary: Summary) -> str:
    near = summary.near
    if near is None or not near.few or len(summary.axes) < 2:
        return ""
    return (
        f"Only {len(near.points)} of {words.count(near.of, 'point')} lie near the best (within {near.tolerance:.2g}: "
        f"{near.rule}), so its region has hardly been searched; more points may find better ones."
    )


def _no_importance(importance: "Importance | None") -> str:
    refused = importance.fanova.refused if importance else ""
    if importance is None or not refused:
        return ""
    told = importance.association
    if told is None:
        return f"Nothing is said of which hyperparameter matters: {refused}."
    kind = "rank correlation" if told.numeric else "correlation ratio of the ranks"
    evidence = f"{kind} {told.strength:.2f} over {told.points} points, Holm-adjusted permutation p = {told.p:.2g}"
    if told.p <= ALPHA:
        lead = f"How much each hyperparameter matters is not said ({refused}), but the score goes with"
        return f"{lead} {told.name}: {evidence}."
    return (
        f"Nothing is said of which hyperparameter matters: {refused}, and none goes with the score more than chance "
        f"would have it (the most {told.name}: {evidence})."
    )


def _rivals(summary: Summary) -> str:
    standing, best = summary.standing, summary.quoted
    verb = "has" if len(summary.ties) == 1 else "have"
    if standing is None or best is None:
        return ""
    parts = [f"{words.count(len(summary.ties), 'other point')} {verb} exactly the same mean."] if summary.ties else []
    perhaps = [point for point in standing.rivals if point not in standing.equal]
    none = f"; a difference below {standing.margin:.3g} counts as none" if standing.margin else ""
    over = f"{runs_of(summary.points)}s"
    how = (
        f"Tukey's comparison of all {standing.compared} points over the {over} they share, family error "
        f"{100 * ALPHA:.0f} %{none}"
    )
    if perhaps:
        parts.append(f"May be as good as the best ({how}): {_named(perhaps)}.")
    if standing.equal:
        told = "as surely" if perhaps else how
        parts.append(f"Equally good within {standing.margin:.3g} ({told}): {_named(standing.equal)}.")
    if standing.variable:
        parts.append(
            f"Too variable to be ranked (their spread over seeds is above {TOO_VARIABLE:g} times the median of the "
            f"points): {_named(standing.variable)}."
        )
    return " ".join(parts)


def _named(points: Sequence[Point]) -> str:
    return _few([words.settings(p.params) for p in points])


def _few(texts: Sequence[str]) -> str:
    return "; ".join(texts[:6]) + (f" and {len(texts) - 6} more" if len(texts) > 6 else "")


def _selection(summary: Summary) -> str:
    metric, n, best = summary.objective.metric, len(summary.eligible), summary.quoted
    many = _points(summary, n)
    if summary.fresh and summary.fresh.points:
        n = len(summary.fresh.points)
        many = words.count(n, "point")
    if best is None or best.mean is None or n < 2 or len(summary.ties) == n - 1:
        return ""
    picked = f"The best of {many} was picked by the same {metric} that is quoted"
    optimism = summary.standing.optimism if summary.standing else math.nan
    if optimism > _ROUNDING * abs(best.mean):
        size = words.precision(best.mean, optimism).write(optimism)
        allowed = ", which its interval allows for" if best.interval is not None else ""
        return f"{picked}, so it looks better than it is, by about {size} on average{allowed}."
    chance = "looks" if math.isnan(optimism) and not best.alike else "may look"
    return f"{picked}, so it {chance} better than it is."


def _seeds(summary: Summary) -> str:
    best = summary.quoted
    if best is None:
        return ""
    if text := _alike(summary):
        return text
    if best.alike:
        return f"{words.capitalized(NO_SEEDS)}: over fresh seeds the best point measured the same at every epoch."
    if best.n < 2 and len(summary.points) == 1:
        return "One seed: another one may give another score; repeat with study.seeds=3 or more."
    if best.n < 2:
        return "One seed per point: differences between points may be chance; repeat with study.seeds=3 or more."
    spread = f"The spread is over {replicates(best)}"
    if best.interval is None:
        return f"{spread}: an interval needs {FEWEST_SEEDS}." if best.n < FEWEST_SEEDS else f"{spread}."
    known = best.known
    if known.narrow:
        return (
            f"{spread}; the t interval takes their scores as independent and roughly normal, and leaves out that other "
            f"{'samples' if known.over == SEEDS else 'validation samples'} would give other scores."
        )
    if known.conservative:
        return (
            f"{spread}; the interval is for seeds and samples like these, and rather too wide: what each seed got of "
            "every sample is not kept, so the samples count as if every seed had drawn its own."
        )
    return f"{spread}; the interval is {known.over}: it is for others like these."


def _partly(summary: Summary) -> str:
    """Name the points of which some seeds train and others stay at chance or diverge."""
    points = [point for point in summary.points if point.parted]
    if not points:
        return ""
    return f"Some seeds train and others do not, so that no mean is ranked: {_few(parted_text(points, summary.rates))}."


def _alike(summary: Summary) -> str:
    """Say where seeds change nothing; empty where each does."""
    alike, n = sum(point.alike for point in summary.eligible), len(summary.eligible)
    if not alike:
        return ""
    where = "" if alike == n else f" in {alike} of {words.count(n, 'point')}"
    advice = " Draw from the trial's seed, or save the time by study.seeds=1." if alike == n else ""
    same = "all trials of a point measured the same at every epoch, so that they count once."
    return f"{words.capitalized(NO_SEEDS)}{where}: {same}{advice}"


def _lost(summary: Summary) -> str:
    failed, pruned = summary.states.get(TrialState.FAILED, 0), summary.states.get(TrialState.PRUNED, 0)
    parts = []
    if failed:
        parts.append(f"{words.count(failed, 'trial')} FAILED and count{'s' * (failed == 1)} for nothing")
    if pruned:
        parts.append(f"{words.count(pruned, 'trial')} stopped early {'is' if pruned == 1 else 'are'} not compared")
    return f"{' and '.join(parts)}." if parts else ""
