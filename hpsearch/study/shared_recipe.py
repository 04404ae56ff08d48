"""One recipe by several drivers: the one that leads runs its stages, the others train the trials of their searches."""

import time
from collections.abc import Mapping, Sequence

from hpsearch.base.observer import Observer
from hpsearch.config.compose import Composition
from hpsearch.search.shared.copied import FolderCopy
from hpsearch.search.shared.launcher import SharedLauncher
from hpsearch.search.shared.leading import Leading, Standing
from hpsearch.search.shared.leases import holder
from hpsearch.search.shared.store import CopiedStore, PostgresStore
from hpsearch.study.folder import folder_lock, folder_of
from hpsearch.study.origins import Origins
from hpsearch.study.recipe import RecipeOutcome, RecipePlan, go_on, plan_recipe, recorded_outcome, run_recipe
from hpsearch.study.recipe_checks import look
from hpsearch.study.search import Kept
from hpsearch.study.session import StudySession
from hpsearch.study.shared import Team, joined, shared_store
from hpsearch.study.shared_search import part_of


def recipe_of(composition: Composition, observer: Observer) -> RecipeOutcome:
    """Run a recipe to its end, alone or with other drivers, as its storage says."""
    store = shared_store(composition)
    return run_recipe(composition, observer) if store is None else run_shared_recipe(composition, observer, store)


def run_shared_recipe(composition: Composition, observer: Observer, store: PostgresStore) -> RecipeOutcome:
    """Run a recipe together with other drivers, from wherever it stands to its end, or to the gate that fails.

    Args:
        composition: its configuration.
        observer: shows progress.
        store: where it is kept.

    Returns:
        What was found.
    """
    began, plan = time.monotonic(), plan_recipe(composition)

    def check(session: StudySession, origins: Origins) -> None:
        session.workers.start(composition.config)
        session.say_notes(look(composition, session.workers))
        config = composition.trial({}, composition.config["seed"]).config
        origins.data.learn(session.workers.files(config))

    with joined(composition, observer, store, composition.space, check) as (team, found):
        return _lead(team, found, plan, began) if isinstance(found, Leading) else _follow(team, found, plan, began)


def _lead(team: Team, leading: Leading, plan: RecipePlan, began: float) -> RecipeOutcome:
    """Run the stages, as the only driver of an embedded recipe does."""
    session = team.session
    _, launcher = team.lead(leading)
    session.claim(session.composition.space)
    _bring_stages(leading, _studies(session, plan))

    def keep(study: str, words: Sequence[str], space: Mapping[str, str]) -> Kept:
        return _stage(leading.of_stage(study, words, space), launcher)

    outcome = go_on(session, plan, began, keep)
    session.told = f"{holder()}, {outcome.report}"
    return outcome


def _stage(leading: Leading, launcher: SharedLauncher) -> Kept:
    """Let the drivers of a recipe train for a stage of it."""
    copy = FolderCopy(leading, folder_of(leading.study))
    launcher.turn_to(leading, copy.fetch_trial)
    return Kept(CopiedStore(copy), copy)


def _bring_stages(leading: Leading, studies: Sequence[str]) -> None:
    """Bring the folders of stages here, which another driver may have led."""
    for study in studies:
        copy = FolderCopy(leading.of(study), folder_of(study))
        if copy.is_kept:
            with folder_lock(folder_of(study)):
                copy.pull()


def _studies(session: StudySession, plan: RecipePlan) -> list[str]:
    """Return the names that the studies of a recipe's stages have."""
    return [f"{session.folder.name}.{stage}" for stage in plan.stages]


def _follow(team: Team, found: Standing, plan: RecipePlan, began: float) -> RecipeOutcome:
    """Say what a recipe has come to that another driver has led to its end."""
    session = team.session
    team.bring(session.folder.name, *_studies(session, plan))
    if not found.ended:
        session.observer.line(part_of(team, found))
        raise KeyboardInterrupt
    outcome = recorded_outcome(session, plan, began, part_of(team, found))
    session.observer.conclude(outcome)
    return outcome
