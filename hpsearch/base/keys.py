"""Names that several rooms must agree on: root keys of a configuration, and the folder of trials outside a study."""

import re

SINGLE = "single"
"""Name of the folder and experiment of trials outside a study; of those that run at the same time ``single_2``, ..."""

ARGS = "args"
"""What a user's own function takes, by the names of its arguments."""

CONTINUED = "trainer.continued"
"""The trial whose last state a trial goes on from."""

RUN_TIME = frozenset({"launcher", "tracker", "storage", "budget", "cluster"})
"""Where and how much to run: no part of what a study is. `cluster` is a group of a team's, which sets the others."""

MARGIN = "objective.margin"
"""What difference makes none, to whoever reads a study: no part of what it is."""

TUNE, ARMS = "tune", "arms"
"""Stages of an ablation."""
HELD, RETUNED = "held", "retuned"
"""What an ablation does with its nuisance hyperparameters: one value for every arm, or the best of each."""

UNNAMED = RUN_TIME | {"plugins"}
"""No part of a study's name or of a trial's hyperparameters: the packages that targets come from are not either."""

SEARCH_KEYS = RUN_TIME | {
    "study",
    "stage",
    "stages",
    "space",
    "ablation",
    "nuisance",
    "sampler",
    "pruner",
    "extend",
}
"""No part of a trial: how it was proposed, where it runs and where it is written down."""

OF_OWN_CODE = SEARCH_KEYS | {ARGS, "trainer", "objective", "seed", "fold", "plugins"}
"""What a user's own function is given, and what is made of it: the rest describes the training loop of ours."""

NOT_SEARCHED = {
    **dict.fromkeys(SEARCH_KEYS | UNNAMED, "it is not part of a trial"),
    "seed": "seeds are replicates, see study.seeds",
    "fold": "folds are replicates",
    "data.folds": "folds are replicates",
    "objective": "it is what a search compares by",
    "space": "it is the search itself",
}
"""Why a key cannot be searched."""

PER_SEED = "per_seed"
"""The value of `data.split_seed` by which each seed draws a split of its own."""

SECONDS = "budget.seconds"
"""How long a search may take."""

POINTS, PATIENCE = "budget.points", "budget.patience"
"""How many points a search may ask for, and how many after the last improvement."""

TRIAL_SECONDS = "budget.trial_seconds"
"""How long a trial may train."""

SILENT_SECONDS = "budget.silent_seconds"
"""How long a trial may be silent."""


def is_single(name: str) -> bool:
    """Return whether a folder of this name is one of trials outside a study."""
    return re.fullmatch(rf"{SINGLE}(_\d+)?", name) is not None
