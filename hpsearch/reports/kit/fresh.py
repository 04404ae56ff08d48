"""Trials over fresh seeds at the end of a search over one seed, apart from those that its points were chosen by."""

from dataclasses import replace

from hpsearch.base.types import TrialTable

PURPOSE, CONFIRM = "purpose", "confirm"
"""The fact of a trial that says what it is for, and what it says of one over a fresh seed."""


def searched_part(table: TrialTable) -> TrialTable:
    """Return a study without its trials over fresh seeds."""
    return table if PURPOSE not in table.trials else _with_seeds(table, fresh=False)


def fresh_part(table: TrialTable) -> TrialTable | None:
    """Return the trials of a study over fresh seeds alone; None where there are none."""
    if PURPOSE not in table.trials or not (table.trials[PURPOSE] == CONFIRM).any():
        return None
    return _with_seeds(table, fresh=True)


def _with_seeds(table: TrialTable, *, fresh: bool) -> TrialTable:
    seeds = set(table.trials.loc[table.trials[PURPOSE] == CONFIRM, "seed"].tolist())
    trials, curves, steps = (
        rows[rows["seed"].isin(seeds) == fresh] for rows in (table.trials, table.curves, table.steps)
    )
    return replace(table, trials=trials, curves=curves, steps=steps)
