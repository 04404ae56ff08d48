"""The trial that an objective of Optuna is given: it asks whoever searches, and reports as any function does."""

import datetime
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
    distribution_to_json,
)
from optuna.trial import BaseTrial

from hpsearch.base import current
from hpsearch.base.errors import ConfigError
from hpsearch.base.keys import ARGS
from hpsearch.base.plain import ABSENT, get
from hpsearch.base.types import Decision
from hpsearch.trial.own import CONSTRAINTS, OwnCode

ENDS = (optuna.TrialPruned,)
"""What an objective raises to end its trial."""
USER_ATTRS = "user_attrs."
"""Before the names of facts that an objective notes."""


class OptunaTrial(BaseTrial):
    """One trial of a search, to an objective written for Optuna.

    A hyperparameter whose value is known is answered here: of a trial that is trained again, of a further seed of a
    point, of an argument that is not searched. Any other is asked for.

    Args:
        number: of the point.
        metric: what is reported: the first objective.
        known: arguments whose values are known; None for one that has none in this trial.
    """

    def __init__(self, number: int, metric: str, known: Mapping[str, Any]) -> None:
        self._number, self._metric, self._known = number, metric, known
        self._params: dict[str, Any] = {}
        self._distributions: dict[str, BaseDistribution] = {}
        self._user_attrs: dict[str, Any] = {}
        self._constraints: dict[str, float] = {}
        self._start = datetime.datetime.now()
        self._steps: set[int] = set()
        self._decision = Decision.CONTINUE

    # What is searched

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Return a number from `low` to `high`; see Optuna."""
        return float(self._suggest(name, FloatDistribution(low, high, log=log, step=step)))

    def suggest_uniform(self, name: str, low: float, high: float) -> float:
        """Return `suggest_float(name, low, high)`."""
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> float:
        """Return `suggest_float(name, low, high, log=True)`."""
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> float:
        """Return `suggest_float(name, low, high, step=q)`."""
        return self.suggest_float(name, low, high, step=q)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Return a whole number from `low` to `high`; see Optuna."""
        return int(self._suggest(name, IntDistribution(low, high, log=log, step=step)))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of the choices.

        Args:
            name: of the hyperparameter.
            choices: None, booleans, numbers and texts.

        Raises:
            ConfigError: a choice is of another type.
        """
        for choice in choices:
            if not (choice is None or isinstance(choice, bool | int | float | str)):
                raise ConfigError(
                    f"trial.suggest_categorical('{name}', ...): holds {choice!r}: choices must be None, true or false, "
                    "numbers, texts; let the objective make the rest from these"
                )
        return self._suggest(name, CategoricalDistribution(choices))

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name in self._params:
            check_distribution_compatibility(self._distributions[name], distribution)
            return self._params[name]
        if not all(part.isidentifier() for part in name.split(".")):
            raise ConfigError(f"trial.suggest: {name!r}: must be letters, digits and _, as a name of Python")
        value = self._given(name, distribution)
        self._params[name], self._distributions[name] = value, distribution
        return value

    def _given(self, name: str, distribution: BaseDistribution) -> Any:
        """Return the value of a hyperparameter, asked for where it is not known."""
        known = get(self._known, name)
        holds_none = isinstance(distribution, CategoricalDistribution) and None in distribution.choices
        if known is ABSENT or (known is None and not holds_none):
            return _trial().ask(name, distribution_to_json(distribution))
        if not _holds(distribution, known):
            raise ConfigError(f"{ARGS}.{name} = {known!r}: is not in {distribution}, which the objective suggests")
        return known

    # What is said on the way

    def report(self, value: float, step: int) -> None:
        """Report the objective's value after a step, which is epoch ``step + 1``: Optuna counts from 0.

        Args:
            value: at this step; as in Optuna the first one of a step counts.
            step: a whole number from 0 up, larger than those before.

        Raises:
            ConfigError: it is no such number.
        """
        step = int(step)
        if step in self._steps:
            warnings.warn(f"trial.report: step {step} was reported before: the first value counts", stacklevel=2)
            return
        if step < 0:
            raise ConfigError(f"trial.report: step = {step}: must be a whole number >= 0")
        self._steps.add(step)
        was_told = self._decision is not Decision.CONTINUE
        self._decision = _trial().report({self._metric: value}, step + 1, step, was_told)

    def should_prune(self) -> bool:
        """Return whether the trial is to end; the objective then raises `optuna.TrialPruned`.

        One that does not ends at its next report.
        """
        return self._decision is not Decision.CONTINUE

    def set_user_attr(self, key: str, value: Any) -> None:
        """Keep a fact of the trial; what is no number and no text is kept as JSON.

        Args:
            key: its name, a column ``user_attrs.KEY`` of the trials.
            value: of it.
        """
        self._user_attrs[key] = value
        is_scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
        _trial().note(f"{USER_ATTRS}{key}", value if is_scalar else json.dumps(value, default=str))

    def set_constraint(self, key: str, value: float) -> None:
        """Say how far a constraint is broken: a trial with one above 0 is not compared.

        Args:
            key: its name, a column ``constraints.KEY`` of the trials; the first value counts.
            value: above 0 where it is broken.

        Raises:
            ValueError: it is NaN.
        """
        number = float(value)
        if math.isnan(number):
            raise ValueError(f"trial.set_constraint: {key} is NaN")
        if self._constraints.setdefault(key, number) == number:
            _trial().note(f"{CONSTRAINTS}{key}", number)

    # What is known of it

    @property
    def number(self) -> int:
        """Number of the point."""
        return self._number

    @property
    def params(self) -> dict[str, Any]:
        """What was suggested so far."""
        return dict(self._params)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """What it was suggested from."""
        return dict(self._distributions)

    @property
    def user_attrs(self) -> dict[str, Any]:
        """What the objective noted."""
        return dict(self._user_attrs)

    @property
    def constraints(self) -> dict[str, float]:
        """What the objective said of constraints."""
        return dict(self._constraints)

    @property
    def datetime_start(self) -> datetime.datetime:
        """When this attempt began."""
        return self._start

    @property
    def study(self) -> NoReturn:
        """Refuse: an objective runs in a worker, and the study is that of whoever searches.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "trial.study: an objective runs where there is no study; it has trial.number and trial.params"
        )


def _trial() -> OwnCode:
    trial = current.present()
    if not isinstance(trial, OwnCode):
        raise ConfigError("trial: it is used after its objective ended, or in another process")
    return trial


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    """Return whether a value is one of a distribution."""
    if isinstance(distribution, CategoricalDistribution):
        return any(
            value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in distribution.choices
        )
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and distribution.low <= value <= distribution.high
