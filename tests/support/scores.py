"""Studies with given scores and states."""

import math
from dataclasses import replace

from tests.support import synthetic


def scored(scores, direction="maximize", seeds=None, asked=None):
    """A study with the given scores: one list per point, one score per seed."""
    rates = [0.01 * 2**i for i in range(len(scores))]
    table = synthetic.sweep(rates, seeds=max(map(len, scores)), epochs=2, diverges_from=math.inf)
    flat = {(p, s): score for p, of_point in enumerate(scores) for s, score in enumerate(of_point)}
    kept = table.trials[[(p, s) in flat for p, s in zip(table.trials.point, table.trials.seed, strict=True)]].copy()
    kept["score"] = [flat[p, s] for p, s in zip(kept.point, kept.seed, strict=True)]
    study = {**table.study, "objective": {"metric": "valid/acc", "direction": direction, "reduce": "last"}}
    study["config"] = {**study["config"], "study": {"seeds": asked or max(map(len, scores))}}
    return replace(table, trials=kept, study=study)


def with_states(table, states):
    """Set the state of trials by (point, seed)."""
    trials = table.trials.copy()
    for (point, seed), (state, reason) in states.items():
        trials.loc[(trials.point == point) & (trials.seed == seed), ["state", "reason"]] = [state, reason]
    return replace(table, trials=trials)
