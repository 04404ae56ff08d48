"""How numbers and hyperparameters are written on the terminal, in sentences, tables and figures."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpsearch.base.digits import ALONE, BOUND, Digits
from hpsearch.base.keys import ARGS
from hpsearch.base.types import BestPoint, TrialState

_QUANTITIES = {
    "optimizer.lr": "learning rate",
    "optimizer.momentum": "momentum",
    "optimizer.weight_decay": "weight decay",
    "data.batch_size": "batch size",
    "model.dropout": "dropout rate",
    "trainer.epochs": "number of epochs",
    "scheduler.warmup_steps": "number of warm-up steps",
}
MINUS = "−"
SMALL, LARGE = 1e-6, 1e9
"""Measured values below and from here on are written in powers of ten."""
MOST_DECIMALS, MOST_DIGITS = 8, 9
STATES = sorted(TrialState, key=lambda state: not state.finished)
"""The finished states first."""


def minus(text: str) -> str:
    """Return a written number with the true minus in place of a hyphen: for people, not for what is pasted or read."""
    return f"{MINUS}{text[1:]}" if text.startswith("-") else text


def number(value: Any, digits: Digits = ALONE) -> str:
    """Write a value for people: as many digits as tell it apart, whole numbers in full, other things as they are.

    Args:
        value: a number, or any other hyperparameter value.
        digits: of what stands beside it.

    Returns:
        ``0.00316``, ``0.9995``, ``1024``, ``−0.5``, ``relu``, ``true``, ``[linear, cosine]``; ``none`` for None.
    """
    text = plain_number(value, digits)
    return minus(text) if isinstance(value, int | float) else text


def plain_number(value: Any, digits: Digits = ALONE) -> str:
    """Write a value as `number` does, with the hyphen of ASCII: for commands, tables of values and names."""
    if isinstance(value, list | tuple) and any(isinstance(item, str | dict) for item in value):
        return f"[{', '.join(map(plain_number, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}: {plain_number(item)}' for name, item in value.items())}}}"
    if isinstance(value, str) and digits is ALONE:
        return value
    return digits.text(value)


def exact(value: Any) -> str:
    """Write a value as `number` does, a number with all of its digits."""
    if not isinstance(value, float) or not math.isfinite(value):
        return number(value)
    text = f"{value:.12g}"
    return minus(text if float(text) == value else repr(value))


def typed(value: Any) -> str:
    """Write a value as `plain_number` does, a number of up to 12 digits as it is: somebody or a grid chose it."""
    text = f"{value:.12g}" if isinstance(value, float) else ""
    return text if text and float(text) == value else plain_number(value)


def epoch_text(epoch: float) -> str:
    """Write an epoch: a whole one in full, a fraction with at most two decimals, as ``1.33``."""
    return str(epoch) if isinstance(epoch, int) else f"{round(epoch, 2):.12g}"


@dataclass(frozen=True, slots=True)
class Precision:
    """How numbers that belong together are written.

    Attributes:
        decimals: of numbers that people read so.
        digits: significant ones of numbers in powers of ten.
        powers: whether they are written in powers of ten: too small or too large to be read otherwise.
    """

    decimals: int
    digits: int
    powers: bool

    def write(self, value: float, sign: str = "") -> str:
        """Write one of the numbers, by its first digit where the decimals would show zeros; `sign` as in formats."""
        fixed = f"{value:{sign}.{self.decimals}f}"
        if math.isfinite(value) and value != 0 and (self.powers or float(fixed) == 0):
            return minus(f"{value:{sign}.{self.digits if self.powers else 1}g}")
        return "0" if self.powers and value == 0 else minus(fixed)


def precision(mean: float, sd: float | None = None) -> Precision:
    """Return how a mean is written with its spread: so that the first digit of `sd` and three of `mean` are seen.

    What is below 1, as a share of the samples may be, is not written as 1.
    """
    least = max(3 - _magnitude(mean), _below_bound(mean)) if 0.9 < mean < BOUND else 3 - _magnitude(mean)
    if sd is None or not math.isfinite(sd) or sd <= 0:
        return _precision(mean, least)
    return _precision(mean or sd, max(least, 1 - _magnitude(sd)))


def _below_bound(value: float) -> int:
    """Return the decimals without which a number just below 1 is written as 1."""
    return next((n for n in range(3, 16) if float(f"{value:.{n}f}") < BOUND), 3)


def interval_precision(low: float, high: float) -> Precision:
    """Return how the ends of an interval are written: a difference deserves two digits of half its width, no more."""
    return _precision(max(abs(low), abs(high)), 2 - _magnitude((high - low) / 2))


def _precision(size: float, decimals: int) -> Precision:
    digits = min(max(_magnitude(size) + decimals, 3), MOST_DIGITS)
    return Precision(min(max(decimals, 0), MOST_DECIMALS), digits, 0 < abs(size) < SMALL or abs(size) >= LARGE)


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value))) + 1 if math.isfinite(value) and value != 0 else 0


def score(mean: float | None, sd: float | None = None) -> str:
    """Write a measured value with the decimals its spread deserves: ``0.975``, ``0.9753 ± 0.0004``; a dash for none."""
    if mean is None or math.isnan(mean):
        return "–"
    written = precision(mean, sd)
    return written.write(mean) + (f" ± {written.write(sd)}" if sd is not None and math.isfinite(sd) else "")


def interval(low: float, high: float, mean: float, sd: float) -> str:
    """Write an interval with the decimals of its mean: ``0.965–0.985``, or ``−0.5 to 0.2`` with a sign in it."""
    written = precision(mean, sd)
    joint = " to " if low < 0 or written.powers else "–"
    return f"{written.write(low)}{joint}{written.write(high)}"


def duration(seconds: float | None) -> str:
    """Write a duration in its natural unit: ``3.2 ms``, ``0.84 s``, ``12 min 5 s``, ``3 d 4 h``; a dash for none."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if 0 < seconds < 0.0995:
        return f"{1000 * seconds:.2g} ms"
    if seconds < 59.5:
        return f"{seconds:.2g} s" if seconds < 9.5 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def label(key: str) -> str:
    """Return what a hyperparameter is called: ``learning rate`` for ``optimizer.lr``, ``lr`` for ``args.lr``.

    Args:
        key: its dotted key.

    Returns:
        The field's name, a function's own name of its argument, else the key itself.
    """
    return _QUANTITIES.get(key, bare(key))


def bare(key: str) -> str:
    """Return a dotted key, an argument of a user's own function by the name that the function gives it."""
    return key.removeprefix(f"{ARGS}.")


class Setting(dict[str, Any]):
    """The hyperparameters of a point, by dotted key.

    Args:
        params: their values.
        digits: how each is told from the values that other points have; one that is not there stands alone.
    """

    def __init__(
        self, params: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), digits: Mapping[str, Digits] | None = None
    ) -> None:
        super().__init__(params)
        self.digits = digits or {}

    def without(self, keys: Iterable[str]) -> "Setting":
        """Return the same without some keys."""
        return Setting({key: value for key, value in self.items() if key not in set(keys)}, self.digits)


def told_apart(points: Sequence[Mapping[str, Any]]) -> list[Setting]:
    """Return the hyperparameters of some points, each value told from those of the others."""
    keys = dict.fromkeys(key for params in points for key in params)
    digits = {key: Digits.of(params[key] for params in points if key in params) for key in keys}
    return [Setting(params, digits) for params in points]


def written(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a point as `number` writes them, each told from those of other points."""
    digits = _digits(params)
    return {key: number(value, digits.get(key, ALONE)) for key, value in params.items()}


def setting(key: str, value: Any, digits: Digits = ALONE) -> str:
    """Write one hyperparameter and its value as a noun phrase: ``a learning rate of 0.1``, ``model.act = relu``."""
    text = number(value, digits)
    return f"a {_QUANTITIES[key]} of {text}" if key in _QUANTITIES else f"{label(key)} = {text}"


def settings(params: Mapping[str, Any]) -> str:
    """Write a point on one line: ``learning rate 0.1, momentum 0.9``."""
    texts = written(params).items()
    return ", ".join(f"{label(k)} {text}" if k in _QUANTITIES else f"{label(k)} = {text}" for k, text in texts)


def assignments(params: Mapping[str, Any]) -> str:
    """Write a point as a command line does, its numbers as short as in sentences: ``optimizer.lr=0.215 model=mlp``."""
    digits = _digits(params)
    texts = ((k, "null" if v is None else plain_number(v, digits.get(k, ALONE))) for k, v in params.items())
    return " ".join(f"{bare(key)}={text}" for key, text in texts)


def _digits(params: Mapping[str, Any]) -> Mapping[str, Digits]:
    return params.digits if isinstance(params, Setting) else {}


def best_score(best: BestPoint) -> str:
    """Write a point's score: metric, mean, standard deviation and number of trials."""
    name = f"{best.metric} " if best.metric else ""
    return f"{name}{score(best.mean, best.sd if best.n > 1 else None)} ({count(best.n, 'trial')})"


def tally(counts: Mapping[TrialState, int]) -> str:
    """Write trials by state: ``33 complete, 6 infeasible``."""
    return ", ".join(f"{counts[state]} {state.lower()}" for state in STATES if counts.get(state))


def shown_path(path: Path) -> str:
    """Write a path relative to the working folder where it lies inside."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def capitalized(sentence: str) -> str:
    """Return a sentence that begins with a capital letter, the rest as it is."""
    return sentence[:1].upper() + sentence[1:]


def count(n: float, noun: str) -> str:
    """Write a number of things: ``1 seed``, ``3 seeds``, ``2.5 epochs``."""
    return f"{epoch_text(n)} {noun}{'' if n == 1 else 's'}"


def listed(texts: Sequence[str]) -> str:
    """Write things one after the other: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def times(n: int) -> str:
    """Write how often: ``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(n, f"{n} times")
