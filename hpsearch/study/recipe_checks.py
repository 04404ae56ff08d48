"""What a recipe is refused for before anything is created."""

from collections.abc import Mapping
from functools import partial

from hpsearch.base.commands import shown_path
from hpsearch.base.errors import ConfigError
from hpsearch.base.keys import SILENT_SECONDS, TRIAL_SECONDS
from hpsearch.config.compose import Composition
from hpsearch.config.words import COMMAND_LINE
from hpsearch.study.factorial import Factorial
from hpsearch.study.plan import check_direction
from hpsearch.study.specs import tracking_uri, with_source
from hpsearch.study.stages.base import Stage
from hpsearch.study.workers import Workers, check_metric, trains_own_code
from hpsearch.trial.measure import measure

FEW_ROWS = 100
"""Looked at before anything is created; the gate looks at more."""
SET_BY_STAGES = ("sampler", "pruner", "budget")
OF_EVERY_SEARCH = ("budget.failures", TRIAL_SECONDS, SILENT_SECONDS)
"""What holds for the searches of all stages alike."""


def check_words(composition: Composition, *, ablates: bool) -> None:
    """Refuse what a study of one stage takes from the command line and the stages of a recipe set themselves."""
    instead = (
        "ablation.points, ablation.seeds and ablation.epochs"
        if ablates
        else "stages.coarse.points, stages.coarse.epochs, stages.coarse.sampler and the same of stages.fine"
    )
    word = composition.idle_word(lambda key: key.partition(".")[0] not in SET_BY_STAGES or key in OF_EVERY_SEARCH)
    if word is not None:
        raise ConfigError(
            f"{word}: every stage brings its own sampler, pruner and budget; see {instead} (from {COMMAND_LINE})"
        )


def check_code(composition: Composition, stages: Mapping[str, Stage], factorial: Factorial | None) -> None:
    """Refuse stages that look into the training loop of ours where a function of the user's trains.

    Args:
        composition: of the recipe.
        stages: by name.
        factorial: what an ablation compares.

    Raises:
        ConfigError: there is such a stage, or epochs are set that the function does not read.
    """
    config = composition.trial({}, composition.config["seed"]).config
    if not trains_own_code(config):
        return
    check_direction(composition)
    function = shown_path(config["trainer"]["_target_"])
    for name, stage in stages.items():
        if not getattr(stage, "of_any_code", False):
            raise ConfigError(
                f"stage: {name} looks into the training loop of hpsearch, and {function} trains by itself: "
                "+study=search searches its arguments, stage=[tune,arms] compares arms"
            )
    if factorial is not None and factorial.epochs is not None:
        where = composition.where("ablation.epochs")
        raise ConfigError(
            f"ablation.epochs = {factorial.epochs}: {function} trains by itself and does not read it (from {where})"
        )


def look(composition: Composition, workers: Workers) -> tuple[str, ...]:
    """Let a worker build the configuration once, so that what cannot be built is refused before anything is created.

    Faults that a gate names are left to it.

    Args:
        composition: of the recipe.
        workers: which run.

    Returns:
        What was guessed or left out in reading the data.
    """
    trained = composition.trial({}, composition.config["seed"]).config
    if trains_own_code(trained):
        workers.check({"": trained})
        return ()
    config = dict(with_source(trained, tracking_uri(composition)))
    if "confirm" in composition.config["stages"]:  # it tests
        config["trainer"] = {**config["trainer"], "test": True}
    facts = workers.launcher.call(partial(measure, "data_check", config, rows=FEW_ROWS))
    if "fault" in facts:
        return ()
    check_metric(composition, facts["metrics"])
    workers.launcher.call(partial(measure, "initial_loss", config, samples=FEW_ROWS))
    notes: tuple[str, ...] = facts["notes"]
    return notes
