"""Sentences on which values train, which are too slow and which fail, and on points of which some seeds train."""

from collections.abc import Sequence

from hpsearch.base import words
from hpsearch.reports.kit.points import Point
from hpsearch.reports.kit.texts import seeds_that_train
from hpsearch.reports.summary.boundary import Frontier
from hpsearch.reports.summary.rates import Edge, Rates, Tried
from hpsearch.statistics.intervals import Interval


def rates_clause(rates: Rates | None, *, alone: bool, noun: str = "seed") -> str:
    """Write the clause of the answer that says which values train.

    Args:
        rates: of the main hyperparameter.
        alone: whether nothing else was searched.
        noun: what a point was repeated over.

    Returns:
        ``; training is too slow up to 0.001, every seed trains from 0.00215 to 1 and 3 of 3 fail at 2.15 (half of the
        seeds at about 1.47, 95 % interval 1 to 2.15)``; empty where nothing is known.
    """
    if rates is None or not rates.tried:
        return ""
    several = max(each.n for each in rates.tried) > 1
    noun = noun if several else ""
    parts = [part for part in (_slow(rates), _trains(rates, noun), _fails(rates, noun)) if part]
    if not parts:
        return ""
    where = "" if alone else f"along {rates.axis.name}, the rest as in the best point, "
    return f"; {where}{', '.join(parts[:-1])}{' and ' if parts[1:] else ''}{parts[-1]}"


def edge_text(edge: Edge) -> str:
    """Write where half of the seeds fail: ``at about 1.5, 95 % interval 1 to 2.2``; ``below about 0.1``."""
    where = "below" if edge.side == "below" else "at"
    return f"{where} about {words.number(edge.estimate)}{_interval(edge.interval)}"


def frontier_clause(edge: Frontier | None) -> str:
    """Write the clause of the answer on where scattered points fail; empty without an edge."""
    if edge is None:
        return ""
    where = words.setting(edge.axis.key, edge.edge, edge.axis.digits).replace(" = ", " ")
    return f"; training fails {edge.side} {where}, roughly (permutation p = {edge.p:.2g})"


def parted_text(points: Sequence[Point], rates: Rates | None = None) -> list[str]:
    """Write of each point of which some seeds train and others do not how many there are and what they score.

    Args:
        points: such points.
        rates: what is known of the values of the main hyperparameter: where a value is too slow, seeds above chance
            are not said to train.

    Returns:
        A text for each.
    """
    slow = {p.point for p in points if (each := tried_of(rates, p)) is not None and each.trains != p.trained}
    return [
        f"{words.settings(p.params)}: "
        f"{seeds_that_train(p.trained, p.dead, p.diverged, p.scores, runs_of([p]), slow=p.point in slow)}"
        for p in points
    ]


def tried_of(rates: Rates | None, point: Point) -> Tried | None:
    """Return what became of the value of a point; None where it is none of those that are compared."""
    value = rates.line.get(point.point) if rates is not None else None
    return None if rates is None or value is None else next((t for t in rates.tried if t.value == value), None)


def counted(tried: Tried | None, point: Point) -> str:
    """Write for a table how many trials of a point train.

    Args:
        tried: what became of its value, where it is one of those compared.
        point: the point.

    Returns:
        ``3 of 3``, ``1 of 3, 2 fail``; empty where nothing is known: above chance is not yet trained.
    """
    if tried is None:
        return f"{point.trained} of {point.trained + point.lost}" if point.lost else ""
    if tried.n in (tried.slow, tried.fails):
        return f"0 of {tried.n}, {tried.word}"
    why = [f"{tried.slow} too slow"] * bool(tried.slow) + [f"{tried.fails} fail{'s' * (tried.fails == 1)}"] * bool(
        tried.fails
    )
    return ", ".join([f"{tried.trains} of {tried.n}", *why])


def runs_of(points: Sequence[Point]) -> str:
    """Return what points are repeated over: ``seed``, or ``run`` where there are folds."""
    return "seed" if all(len({fold for _, fold in point.replicates}) <= 1 for point in points) else "run"


def _slow(rates: Rates) -> str:
    if rates.slow is None:
        return ""
    alone = rates.slow == rates.tried[0].value
    return f"training is too slow {'at' if alone else 'up to'} {rates.axis.write(rates.slow)}"


def _trains(rates: Rates, noun: str) -> str:
    if rates.trains is None:
        return ""
    low, high = (rates.axis.write(value) for value in (rates.trains.low, rates.trains.high))
    whole = rates.trains.low == rates.tried[0].value and rates.trains.high == rates.tried[-1].value
    if low == high:
        return f"every {noun} trains only at {low}" if noun else f"only {low} trains"
    if not noun:
        return f"{low} to {high}{', all that was tried,' if whole else ''} train"
    return f"every {noun} trains {'over the whole range tried, ' if whole else 'from '}{low} to {high}"


def _fails(rates: Rates, noun: str) -> str:
    first = rates.first
    edges = "; ".join(f"{f'half of the {noun}s' if noun else 'edge'} {edge_text(edge)}" for edge in rates.edges)
    if first is None:
        return f"training fails ({edges})" if edges else ""
    if not noun:
        return f"{rates.axis.write(first.value)} fails{f' ({edges})' if edges else ''}"
    seeds = f"{first.fails} of {words.count(first.n, noun)} fail{'s' * (first.fails == 1)}"
    return f"{seeds} at {rates.axis.write(first.value)}{f' ({edges})' if edges else ''}"


def _interval(interval: Interval | None) -> str:
    if interval is None:
        return ""
    low, high = (words.number(end) for end in (interval.low, interval.high))
    if interval.low in (0, -float("inf")):
        return f", 95 % interval up to {high}"
    return f", 95 % interval {low} {'or more' if interval.high == float('inf') else f'to {high}'}"
