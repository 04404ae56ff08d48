"""First stage of an ablation: the nuisance hyperparameters of every arm, so that none looks bad for want of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from hpsearch.base.plain import get
from hpsearch.base.words import count, label, number, settings
from hpsearch.reports.ablation.tuning import ArmSearch, searches_of
from hpsearch.search.plan import FRESH
from hpsearch.study.factorial import Factorial
from hpsearch.study.stages.base import Context, Finding, Verdict, design
from hpsearch.study.stages.common import counts, nothing_trains

_LISTED = 4


@dataclass(frozen=True, slots=True)
class Tune:
    """A grid over the nuisance hyperparameters of every arm, on seeds of its own.

    Hands on ``nuisance``: by the name of the arm the values of the best mean, smoothed over neighbouring ones, of those
    at which every seed trains. Where they are held there is nothing to do.

    Args:
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Tune each arm"
    question: ClassVar[str] = "Which nuisance hyperparameters suit each arm?"
    of_any_code: ClassVar[bool] = True

    on_fail: str = "stop"

    def run(self, context: Context) -> Finding:
        """Search, and choose for each arm."""
        factorial = design(context)
        if not factorial.retuned:
            return Finding(Verdict.PASS, f"nothing is retuned: {_held(context, factorial)}", handed={"nuisance": {}})
        table = context.search("tune", self._words(context, factorial), {**factorial.factors, **factorial.nuisance})
        tuned, numbers = searches_of(table), counts(table)
        best = {each.arm: dict(each.params) for each in tuned if each.params}
        series = {"arms": [_drawn(each) for each in tuned]}
        if not best:
            action = "search smaller learning rates, or look at the errors in the trials"
            return replace(nothing_trains(table, action), series=series)
        cause, action = _warning(tuned)
        return Finding(
            Verdict.WARN if cause else Verdict.PASS,
            _sentence(tuned, factorial),
            numbers,
            cause,
            action,
            {"nuisance": best},
            series,
        )

    def _words(self, context: Context, factorial: Factorial) -> list[str]:
        config = context.config()
        seed = int(config["seed"]) + FRESH  # the arms' own seeds choose nothing
        # Parts that choose nothing; a function of the user's may not have them.
        unmeasured = [f"trainer.{key}=false" for key in ("test", "eval_train") if key in config["trainer"]]
        epochs = [] if factorial.epochs is None else [f"trainer.epochs={factorial.epochs}"]
        return [
            *("sampler=grid", f"sampler.points={factorial.points}", "pruner=none", "budget.points=null"),
            *(f"study.seeds={factorial.seeds}", f"seed={seed}", "extend.edges=false"),
            "ablation.rounds=false",  # no times are compared here
            *(*unmeasured, *epochs, *factorial.words),
        ]


def _held(context: Context, factorial: Factorial) -> str:
    keys = dict.fromkeys(name.rsplit("/", 1)[-1] for name in factorial.nuisance)
    if not keys:
        return "no nuisance hyperparameter is named"
    config = context.config()
    return f"every arm has {settings({key: _value(config, key) for key in keys})}"


def _value(config: Any, key: str) -> Any:
    """Return the value at a dotted key, or the name of a group's target."""
    value = get(config, key)
    return str(value["_target_"]).rsplit(".", 1)[-1] if isinstance(value, dict) and "_target_" in value else value


def _sentence(tuned: Sequence[ArmSearch], factorial: Factorial) -> str:
    best = _some([f"{each.arm}: {settings(each.params) if each.params else 'nothing trained'}" for each in tuned], "; ")
    most = max(len(each.tried) for each in tuned)
    return (
        f"for each of {len(tuned)} arms the best of {count(most, 'setting')} by the mean over "
        f"{count(factorial.seeds, 'seed')}, smoothed over neighbouring settings: {best}"
    )


def _some(texts: Sequence[str], joint: str) -> str:
    """Join what a line can hold; the report has a table of all."""
    return joint.join([*texts[:_LISTED], *([f"and {len(texts) - _LISTED} more"] if len(texts) > _LISTED else [])])


def _warning(tuned: Sequence[ArmSearch]) -> tuple[str, str]:
    """Return cause and action where an arm trained nowhere or its best lies at the edge of what was tried."""
    lost = [each.arm for each in tuned if not each.params]
    edges = [(key, side, each) for each in tuned for key, side in each.at_edge.items()]
    if lost:
        return f"{_some(lost, '; ')} trained nowhere", "widen the block nuisance towards smaller learning rates"
    if not edges:
        return "", ""
    found = _some([f"{label(key)} {number(each.params[key])} of {each.arm}" for key, _, each in edges], ", ")
    sides = " and ".join(sorted({side for _, side, _ in edges}))
    keys = ", ".join(dict.fromkeys(f"nuisance.{key}" for key, _, _ in edges))
    return f"chosen at the {sides} edge of what was tried: {found}", f"widen {keys}"


def _drawn(tuned: ArmSearch) -> dict[str, Any]:
    """Return what a figure shows of an arm's search, as plain containers."""
    return {
        "arm": tuned.arm,
        "levels": dict(tuned.levels),
        "params": [dict(each.params) for each in tuned.tried],
        "scores": [each.mean for each in tuned.tried],
        "diverged": [each.diverged for each in tuned.tried],
        "stable": [each.stable for each in tuned.tried],
        "best": dict(tuned.params),
    }
