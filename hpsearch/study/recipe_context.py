"""What the stages of one recipe are given: its configuration, its workers, its searches."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from hpsearch.base.errors import DamageError
from hpsearch.base.keys import TUNE
from hpsearch.base.observer import Observer
from hpsearch.base.types import TrialTable
from hpsearch.config.compose import Composition
from hpsearch.launch.base import Launcher
from hpsearch.reports.ablation.arms import with_arms
from hpsearch.reports.ablation.numbers import Ablation, ablation_of
from hpsearch.study.factorial import Factorial
from hpsearch.study.folder import folder_of
from hpsearch.study.search import Kept, run_one_search
from hpsearch.study.specs import tracking_uri, with_source
from hpsearch.study.tables import table_of
from hpsearch.tracking.events import read_study
from hpsearch.trial.build import objective_of
from hpsearch.trial.measure import measure

KeepStage: TypeAlias = Callable[[str, Sequence[str], Mapping[str, str]], Kept]
"""(name of a stage's study, its words, its space) -> where it is kept."""


class RecipeContext:
    """What the stages of one recipe are given; see `hpsearch.study.stages.base.Context`.

    Args:
        composition: the configuration of the recipe.
        launcher: with workers that are there already.
        observer: shows progress.
        recipe: its name and uid, which its searches record.
        factorial: what an ablation compares; None in a recipe that is none.
        keep: says where the study of a stage is kept; None: in its folder, as its configuration says.
    """

    def __init__(
        self,
        composition: Composition,
        launcher: Launcher,
        observer: Observer,
        recipe: Mapping[str, str],
        factorial: Factorial | None,
        keep: KeepStage | None = None,
    ) -> None:
        config = composition.config
        self.objective = objective_of(config)
        self.space: Mapping[str, str] = {name: str(text) for name, text in composition.space.items()}
        self.handed: Mapping[str, Any] = {}
        self.factorial = factorial
        self.found: Ablation | None = None
        self.composition = composition
        self._launcher = launcher
        self.observer = observer
        self._recipe = recipe
        self._keep = keep
        self._tables: dict[str, TrialTable] = {}

    def config(self, params: Mapping[str, Any] | None = None, seed: int | None = None) -> Mapping[str, Any]:
        """Return the resolved configuration of one trial."""
        seed = self.composition.config["seed"] if seed is None else seed
        return self.composition.trial(params or {}, seed).config

    def measure(self, name: str, config: Mapping[str, Any], **options: Any) -> Any:
        """Return a measurement of a trial, made in a worker."""
        located = with_source(config, tracking_uri(self.composition))
        return self._launcher.call(partial(measure, name, located, **options))

    def search(self, stage: str, words: Sequence[str], space: Mapping[str, str]) -> TrialTable:
        """Run the study of a stage on the recipe's workers, and return it.

        Args:
            stage: its name.
            words: Hydra overrides.
            space: expressions by flat name, in place of the recipe's.

        Returns:
            The study.

        Raises:
            KeyboardInterrupt: it was interrupted, and the recipe with it.
        """
        name = f"{self._recipe['name']}.{stage}"
        allowed = self.composition.config["study"]["code"]
        given = [
            f"study.name={name}",
            "study.confirm=0",
            *self._restart(name),
            *([f"study.code={allowed}"] if allowed else ()),
        ]
        composition = self.composition.of_stage([*words, *given], space)
        kept = None if self._keep is None else self._keep(name, [*words, *given], space)
        outcome, table = run_one_search(composition, self.observer, self._launcher, self._recipe, kept)
        if outcome.interrupted:
            raise KeyboardInterrupt
        self._tables[stage] = table
        return table

    def _restart(self, name: str) -> list[str]:
        """Return the word that starts a stage's study over, where it belongs to an earlier recipe of this name."""
        try:
            study = read_study(folder_of(name))
        except DamageError:  # mended when the stage goes on
            return []
        return ["study.restart=true"] if "created" in study and study.get("within") != self._recipe else []

    def ablation(self, arms: TrialTable) -> Ablation:
        """Compute what an ablation found; the report is made of it too."""
        tuning = None
        if self.factorial is not None and self.factorial.retuned:
            tuning = self._tables.get(TUNE) or table_of(f"{self._recipe['name']}.{TUNE}")
        self.found = ablation_of(with_arms(arms), tuning)
        return self.found

    def line(self, text: str) -> None:
        """Show one line."""
        self.observer.line(text)
