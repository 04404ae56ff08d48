"""What a stage of the recipe is given, and what it hands on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from hpsearch.base.errors import ConfigError, check_choice
from hpsearch.base.types import Objective, TrialTable
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.study.factorial import Factorial


class Verdict(StrEnum):
    """How a stage judges."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


class OnFail(StrEnum):
    """What a failed stage does to the recipe."""

    STOP = "stop"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a stage found.

    Attributes:
        verdict: pass, warn or fail.
        sentence: the result in one sentence, with its numbers.
        numbers: the evidence, by name.
        cause: of a warning or a failure, by its name.
        action: what to change next, in one sentence that names the key.
        handed: what later stages may need, by name.
        series: lists for the report's figure of the stage.
    """

    verdict: Verdict
    sentence: str
    numbers: Mapping[str, str | int | float] = field(default_factory=dict)
    cause: str = ""
    action: str = ""
    handed: Mapping[str, Any] = field(default_factory=dict)
    series: Mapping[str, Any] = field(default_factory=dict)


class Context(Protocol):
    """What the recipe offers its stages.

    Attributes:
        objective: what trials are compared by.
        space: expressions of the recipe's search space, by flat name.
        handed: what earlier stages handed on, by name.
        factorial: what an ablation compares; None in a recipe that is none.
    """

    objective: Objective
    space: Mapping[str, str]
    handed: Mapping[str, Any]
    factorial: Factorial | None

    def config(self, params: Mapping[str, Any] | None = None, seed: int = 0) -> Mapping[str, Any]:
        """Return the resolved configuration of one trial, with other values at existing dotted keys."""

    def measure(self, name: str, config: Mapping[str, Any], **options: Any) -> Any:
        """Return what `hpsearch.trial.measure.measure` does, run in a worker; an error for the user passes."""

    def search(self, stage: str, words: Sequence[str], space: Mapping[str, str]) -> TrialTable:
        """Run an Optuna study of a stage from wherever it stands to its end.

        Args:
            stage: its name.
            words: Hydra overrides: sampler, pruner, budget, epochs, seeds.
            space: expressions by flat name, in place of the recipe's.

        Returns:
            The study.
        """

    def ablation(self, arms: TrialTable) -> Ablation:
        """Return what an ablation found, of the study of its arms; it is computed once, and reported from that."""

    def line(self, text: str) -> None:
        """Show one line."""


class Stage(Protocol):
    """One stage; its options are those of ``conf/stage/NAME.yaml``.

    A stage is found by its ``_target_``, so that a report can be made of its record alone. What it has beside its
    result is optional, in attributes of its class:

    - ``gives``: what it hands on to others;
    - ``needs``: what it needs of them, a mapping from each name to the stage that gives it;
    - ``of_any_code``: True where it does not look into our training loop, so that a user's own function may train;
    - ``figure(finding, metric)``, static: how to read its figure and the figure, as `hpsearch.reports.kit.canvas.draw`
      returns it, None where there is nothing to draw;
      drawn with `hpsearch.reports.kit` from `Finding.series` and `Finding.handed`.

    A field ``sampler`` is an option of the group ``sampler``.

    Attributes:
        title: what stands above its result on the page.
        question: what it asks, in one sentence.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str]
    question: ClassVar[str]
    on_fail: str

    def run(self, context: Context) -> Finding:
        """Look, and say what was found."""


def need(context: Context, key: str, giver: str) -> Any:
    """Return what an earlier stage handed on.

    Args:
        context: of the recipe.
        key: its name.
        giver: the stage that hands it on.

    Raises:
        ConfigError: no stage before did.
    """
    if key not in context.handed:
        raise ConfigError(f"stage: {key} is needed here, and only stage {giver} gives it: put it in front, or mend it")
    return context.handed[key]


def check_stages(stages: Mapping[str, Stage], samplers: Collection[str]) -> None:
    """Refuse stages that cannot run in their order, before any of them runs.

    Args:
        stages: by name, in order.
        samplers: options of the group ``sampler``.

    Raises:
        ConfigError: a stage needs what none before it gives, does not know what to do on failure, or searches with a
            sampler that does not exist.
    """
    given: set[str] = set()
    for name, stage in stages.items():
        check_choice(f"stages.{name}.on_fail", stage.on_fail, [each.value for each in OnFail])
        if hasattr(stage, "sampler"):
            check_choice(f"stages.{name}.sampler", stage.sampler, samplers)
        needs: Mapping[str, str] = getattr(stage, "needs", {})
        for key, giver in needs.items():
            if key not in given:
                raise ConfigError(
                    f"stage: {name} needs {key}, which no stage before it gives: put {giver} in front of {name}"
                )
        given.update(getattr(stage, "gives", ()))


def design(context: Context) -> Factorial:
    """Return what an ablation compares.

    Args:
        context: of the recipe.

    Raises:
        ConfigError: the recipe is no ablation.
    """
    if context.factorial is None:
        raise ConfigError("stage: tune and arms belong to an ablation: set ablation.nuisance to held or retuned")
    return context.factorial
