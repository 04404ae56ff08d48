"""What a configuration asks to search, checked before anything runs."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.pruners import NopPruner

from hpsearch.base.epochs import epochs_of
from hpsearch.base.errors import ConfigError, SpaceError, check_int
from hpsearch.base.grammar import value_text
from hpsearch.base.keys import ARGS, CONTINUED, SILENT_SECONDS, TRIAL_SECONDS
from hpsearch.base.types import Objective
from hpsearch.config import limits
from hpsearch.config.build import build, own_loop
from hpsearch.config.compose import Composition
from hpsearch.config.objective import trial_argument
from hpsearch.search.auto_pruner import AutoPruner
from hpsearch.search.extension import Extension
from hpsearch.search.known import listed_cells, named_values
from hpsearch.search.plan import Plan
from hpsearch.search.prior import check_prior
from hpsearch.search.pruners import PruneRule, TopKAfter
from hpsearch.search.samplers import QueueSampler, check_sampler, seed_after
from hpsearch.search.space import Space
from hpsearch.search.suggested import open_space
from hpsearch.search.watch import TimeLimits
from hpsearch.trial.build import objective_of

DEFAULT_OBJECTIVE = "conf/objective/valid_acc.yaml"
POINTS = 60
"""What ``budget.points=auto`` stands for where a sampler would propose without end."""
PAIRS = 24
"""Configurations built beforehand for pairs of searched options that might exclude each other."""
TRIED = (
    *("data.batch_size", "data.micro_batch", "data.drop_last", "data.train_size"),
    *("data.sampling", "data.class_weights", "data.shuffle", "regularizer.swa.start", "regularizer.swa.anneal_epochs"),
    *("model.name", "model.weights", "model.size", "finetune.source", "finetune.k"),
)
"""Keys every value of which is tried beforehand: they decide whether a batch has a single sample, exclude others, or
name what may not be there."""
ENDS = ("points", "patience", "epochs", "seconds", "target")
"""What ends any search in the group `budget`."""


@dataclass(frozen=True, slots=True)
class Search:
    """What a configuration asks to search, checked."""

    composition: Composition
    space: Space
    objective: Objective
    plan: Plan
    sampler: Any
    pruner: Any
    extension: Extension
    known: Sequence[dict[str, Any]]
    prior: str | None

    def sampler_after(self, points: int) -> Any:
        """Return the sampler seeded for a study that holds so many points, so that a resumed one draws new ones."""
        config = self.composition.config
        return _quietly("sampler", config, seed=seed_after(self.sampler, config["seed"], points))

    def allowed(self, params: Mapping[str, Any]) -> bool:
        """Return whether a trial may have these hyperparameters, by dotted key."""
        try:
            self.composition.trial(params, self.plan.seeds[0])
        except ConfigError:
            return False
        return True

    def ruled(self, params: Mapping[str, Any]) -> frozenset[str]:
        """Return the keys of which a rule says what they may be, in the trial with these hyperparameters."""
        return limits.ruled(self.composition.trial(params, self.plan.seeds[0]).config)

    def representatives(self) -> dict[str, Mapping[str, Any]]:
        """Return, by their chosen options, the trial configurations to build before anything is created."""
        seed, points = self.plan.seeds[0], self.space.covering(PAIRS, TRIED)
        named = [each.key for each in self.space.parameters if each.is_group or each.key in TRIED]
        return {
            ", ".join(f"{key}={value_text(point[key])}" for key in named if key in point): (
                self.composition.trial(point, seed).config
            )
            for point in points
        }


def plan_search(composition: Composition, tests: bool = False) -> Search:
    """Check what a configuration asks to search.

    Args:
        composition: the configuration, with a study.
        tests: whether its trials may look at the test split.

    Returns:
        The search.

    Raises:
        ConfigError: there is no study, or a setting cannot be used in a search.
        SpaceError: the space is empty or cannot be searched this way.
    """
    config = composition.config
    if composition.study_option is None:
        raise ConfigError("no study named: add +study=NAME (see --help for the studies)")
    if config["trainer"].get("test") and not tests:
        raise ConfigError("trainer.test = true: a search may not look at the test split; use it in a single trial")
    if config["trainer"].get("continued") is not None:
        raise ConfigError(f"{CONTINUED} = {config['trainer']['continued']}: only a single trial goes on from another")
    space = Space.parse(composition.space, composition.where)
    check_direction(composition)
    if not space.parameters and _suggests(config):
        space = open_space({})
        _check_open(config)
    elif not space.parameters:
        raise SpaceError(f"the space of study '{composition.study_name}' is empty: nothing is left to search")
    composition.check_space(space.ends())
    space.check_constraints()
    sampler, pruner = _quietly("sampler", config, seed=0), _quietly("pruner", config)
    objective = objective_of(config)
    seeds = tuple(config["seed"] + i for i in range(config["study"]["seeds"]))
    queued = isinstance(sampler, QueueSampler)
    budget = {**config["budget"], "points": _points(config["budget"]["points"], queued)}
    if isinstance(pruner, AutoPruner) and budget["epochs"]:  # half of them are for the points that go on
        pruner.most = min(pruner.most, max(1, budget["epochs"] // 2))
    ends = {key: value for key, value in budget.items() if f"budget.{key}" not in (TRIAL_SECONDS, SILENT_SECONDS)}
    plan = Plan(
        objective,
        seeds,
        _folds(composition),
        **ends,
        limits=TimeLimits.in_budget(config["budget"]),
        confirm=config["study"]["confirm"],
        trial_epochs=epochs_of(config),
        rounds=queued and config["ablation"]["rounds"] and isinstance(pruner, NopPruner),
    )
    first = config["sampler"].get("first", ())
    known = named_values("sampler.first", first) if space.is_open else listed_cells("sampler.first", first, space)
    check_sampler(sampler, space, len(objective.each), bool(known))
    prior = config["sampler"].get("prior")
    if prior is not None:
        check_prior(prior, sampler)
    if not queued and space.size() is None and all(budget[limit] is None for limit in ENDS):
        raise ConfigError(
            "budget.points = null: this sampler would search for ever; "
            "set budget.points, patience, epochs, seconds or target"
        )
    if plan.patience is not None and objective.others:
        metrics = ", ".join(one.metric for one in objective.each)
        raise ConfigError(
            f"budget.patience = {plan.patience}: of several objectives ({metrics}) none says alone what an improvement "
            "is; use budget.points, epochs, seconds or target"
        )
    _check_pruner(pruner, plan, space, queued)
    extension = Extension(**config["extend"])
    extension.check(space)
    return Search(composition, space, objective, plan, sampler, pruner, extension, known, prior)


def _suggests(config: Mapping[str, Any]) -> bool:
    """Return whether what trains is an objective of Optuna, which says itself what is searched."""
    function = own_loop(config["trainer"], config["plugins"])
    return function is not None and trial_argument(function, config[ARGS]) is not None


def check_direction(composition: Composition) -> None:
    """Refuse an objective of Optuna of which nobody said what is better.

    Args:
        composition: the configuration.

    Raises:
        ConfigError: the direction is that of an objective that nobody chose.
    """
    key = "objective.direction"
    chosen = any(word.startswith("objective=") for word in composition.words)
    if chosen or composition.where(key) != DEFAULT_OBJECTIVE:
        return
    try:
        suggests = _suggests(composition.config)
    except ConfigError:  # what cannot be imported is refused when it is called
        return
    if suggests:
        raise ConfigError(
            f"{key}: an objective of Optuna says nothing of it: give {key}=minimize or maximize, and "
            "objective.metric=... to give what it returns a name"
        )


def _check_open(config: Mapping[str, Any]) -> None:
    """Refuse what needs to know beforehand what is searched."""
    needs = {
        "sampler.prior": config["sampler"].get("prior") is not None,
        "study.grow": config["study"]["grow"] is not None,
        "extend.limits": bool(config["extend"]["limits"]),
        "extend.edges": config["extend"]["edges"] is True,
    }
    for key, is_set in needs.items():
        if is_set:
            raise SpaceError(f"{key}: must know beforehand what is searched, and here the objective says it as it runs")


def _points(asked: int | str | None, queued: bool) -> int | None:
    """Return how many points a search may ask for; a sampler that has an end of its own goes on to it."""
    if isinstance(asked, str):
        return None if queued else POINTS
    return asked


def _quietly(kind: str, config: Mapping[str, Any], **extra: Any) -> Any:
    """Build a sampler or a pruner without Optuna's word that it is experimental."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is experimental")
        return build(kind, limits.target_part(kind, config[kind]), config["plugins"], **extra)


def _check_pruner(pruner: Any, plan: Plan, space: Space, queued: bool) -> None:
    rule = PruneRule(pruner, plan.objective)
    name = type(pruner).__name__
    if plan.objective.others and (rule.by_epoch or rule.by_replicate) and not rule.ranks_fronts:
        metrics = ", ".join(one.metric for one in plan.objective.each)
        able = "auto, top_k_after, median, percentile, successive_halving or none"
        raise ConfigError(f"pruner {name}: cannot judge several objectives ({metrics}); use pruner={able}")
    if rule.by_replicate and len(plan.replicates) < 2:
        raise ConfigError(f"pruner {name}: compares seeds or folds, and there is one; set study.seeds or data.folds")
    endless = plan.points is None and space.size() is None and not queued
    if isinstance(pruner, TopKAfter) and pruner.of is None and endless:
        raise ConfigError("pruner.of = null: the best of all points are known only with budget.points; set one of both")


def _folds(composition: Composition) -> tuple[int, ...]:
    """Return the folds that every point is trained on: all of them."""
    fold = composition.config["fold"]
    if fold:
        where = composition.where("fold")
        raise ConfigError(f"fold = {fold}: a study trains every fold of data.folds; leave it out (from {where})")
    folds = composition.config.get("data", {}).get("folds") or 1
    check_int("data.folds", folds, 1)  # a source of the user's has rules of its own
    return tuple(range(folds))
