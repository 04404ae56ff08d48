"""How the arms of an ablation were tuned, in words, and where that was done unequally well."""

from hpsearch.base import words
from hpsearch.base.keys import HELD
from hpsearch.reports.ablation.tuning import UPDATES, ArmSearch, Nuisance

NAMED = 3
"""So many edges are named one by one."""
UNEQUAL = 0.75
"""Arms whose settings are fewer than this share of another's are said to be tuned less."""


def how_tuned(nuisance: Nuisance) -> str:
    """Say what was held or tuned, and how the values of an arm were chosen."""
    if not nuisance.keys:
        return "No nuisance hyperparameter is named: every arm was run at the same fixed settings, tuned for none."
    names = ", ".join(words.label(key) for key in nuisance.keys)
    if nuisance.mode == HELD:
        held = words.settings(nuisance.held)
        return (
            f"Held, not retuned: {held}; an arm may look bad because this does not suit it (ablation.nuisance=retuned)."
        )
    return f"Settings tuned for each arm: {names}{_how(nuisance)}."


def _how(nuisance: Nuisance) -> str:
    """Say how the values of an arm were chosen."""
    if not nuisance.searches:
        return ""
    seeds = max(search.seeds for search in nuisance.searches)
    tried = max(len(search.tried) for search in nuisance.searches)
    mean = f"the mean over {words.count(seeds, 'seed')}" if seeds > 1 else "the score of one seed"
    if nuisance.tuned_for == UPDATES:
        mean = f"the updates to the target, a geometric mean over {words.count(seeds, 'seed')}"
    return (
        f", chosen from {words.count(tried, 'value' if len(nuisance.keys) == 1 else 'setting')} by {mean}, smoothed "
        "over neighbouring values, of those at which every seed trains; the scores here are of other seeds"
    )


def unequal_effort(nuisance: Nuisance) -> list[str]:
    """Say where arms were tuned unequally well: fewer settings that train, a best at an edge, a search cut short.

    Args:
        nuisance: with the search of each arm.

    Returns:
        A sentence for each of the three that is so.
    """
    searches, lines = nuisance.searches, []
    for verb, counts in (("were tried", [len(s.tried) for s in searches]), ("train", [s.trained for s in searches])):
        if min(counts, default=0) < UNEQUAL * max(counts, default=0):
            low, high = (searches[counts.index(pick(counts))].arm for pick in (min, max))
            lines.append(
                f"Tuning effort is unequal: {min(counts)} settings {verb} in {low}, {max(counts)} in {high}"
                f"{f'; the search ended because {nuisance.ended}' if verb == 'were tried' and nuisance.ended else ''}."
            )
    edges = [(key, side, search) for search in searches for key, side in search.at_edge.items()]
    if edges:
        named = "; ".join(_at_edge(search, key, side) for key, side, search in edges[:NAMED])
        more = f"; and {len(edges) - NAMED} more" if len(edges) > NAMED else ""
        lines.append(f"Chosen at an edge of what was tried, so that the arm may do better beyond: {named}{more}.")
    return lines


def _at_edge(search: ArmSearch, key: str, side: str) -> str:
    end = "lowest" if side == "low" else "highest"
    return f"{words.label(key)} {words.written(search.params)[key]} of {search.arm}, the {end}"
