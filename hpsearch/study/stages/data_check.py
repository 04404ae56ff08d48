"""First gate: what the data is like before anything is trained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from hpsearch.base.errors import ConfigError, check_float, check_int
from hpsearch.base.outcome import NamedMetric
from hpsearch.base.types import DataFault
from hpsearch.study.stages.base import Context, Finding, Verdict
from hpsearch.study.stages.common import Fault, finding

_REFUSED = {
    DataFault.LABELS_FROM_ONE: "subtract 1 from the labels: classes are numbered from 0",
    DataFault.NOT_FINITE: "remove or fill in what is not finite in the data that data._target_ reads",
    DataFault.ONE_CLASS: "give data of two or more classes",
}


@dataclass(frozen=True, slots=True)
class DataCheck:
    """Looks for repeats, leaks, empty and rare classes, constant, infinite and unscaled inputs.

    Causes: labels from 1, not finite, one class, class without samples, constant inputs, inputs not scaled, column
    orders rows, lost in float32, leak, constant targets; of a warning: repeated samples, contradicting labels, class
    imbalance, features of other scales, few samples.

    Args:
        rows: most rows of each part that are looked at.
        leak: share of the rows of a part that may also be in another one.
        repeats: share of the training rows that may be repeats.
        contradictions: share of the training rows whose input may also have another label.
        imbalance: how many times the smallest class the largest may be, unless the loss weighs the classes.
        rms: largest root mean square of the inputs.
        scales: how many times the smallest standard deviation of a feature the largest may be.
        valid_size: fewest validation rows.
        on_fail: ``stop`` or ``continue``.
    """

    title: ClassVar[str] = "Look at the data"
    question: ClassVar[str] = "What is the data like, before anything is trained?"

    rows: int = 100_000
    leak: float = 0.01
    repeats: float = 0.1
    contradictions: float = 0.01
    imbalance: float = 10.0
    rms: float = 5.0
    scales: float = 100.0
    valid_size: int = 50
    on_fail: str = "stop"

    def __post_init__(self) -> None:
        check_int("stages.data_check.rows", self.rows, 1)
        for name in ("leak", "repeats", "contradictions"):
            check_float(f"stages.data_check.{name}", getattr(self, name), "[0, 1]")
        for name in ("imbalance", "scales"):
            check_float(f"stages.data_check.{name}", getattr(self, name), "[1, inf)")
        check_float("stages.data_check.rms", self.rms, "(0, inf)")
        check_int("stages.data_check.valid_size", self.valid_size, 1)

    def run(self, context: Context) -> Finding:
        """Look at the data."""
        found = context.measure("data_check", context.config(), rows=self.rows)
        if "fault" in found:
            return finding([Fault(found["fault"], found["message"], _REFUSED[found["fault"]])], "", {})
        _check_objective(context, found["metrics"])
        faults = [*self._labels(found), *self._inputs(found), *_columns(found), *self._rows(found)]
        return finding(faults, _sound(found), _numbers(found), {"counts": list(found["counts"])})

    def _labels(self, found: Mapping[str, Any]) -> Iterator[Fault]:
        counts = found["counts"]
        if found["task"] == "regression":
            if not found["target_std"]:
                yield Fault("constant targets", "a target is constant", "predict something that varies")
            return
        filled = [count for count in counts if count]
        if len(filled) == 1:
            yield Fault(DataFault.ONE_CLASS, "all training labels are of one class", _REFUSED[DataFault.ONE_CLASS])
        elif found["words"] and len(filled) < len(counts):
            sentence = f"{len(counts) - len(filled)} of {len(counts)} labels are in no training sentence"
            yield Fault(
                "class without samples", sentence, "raise data.train_size, or give more sentences", Verdict.WARN
            )
        elif not counts[0] and len(filled) == len(counts) - 1:
            sentence = f"no sample has label 0, {len(filled)} labels from 1 to {len(filled)} are used"
            yield Fault(DataFault.LABELS_FROM_ONE, sentence, _REFUSED[DataFault.LABELS_FROM_ONE])
        elif len(filled) < len(counts):
            sentence = f"{len(counts) - len(filled)} of {len(counts)} classes have no training sample"
            yield Fault("class without samples", sentence, "drop them with data.classes, or raise data.train_size")
        ratio = max(filled) / min(filled)
        if ratio >= self.imbalance and not found["weighted"]:
            counted = "labels" if found["words"] else "samples"
            sentence = (
                f"the largest class has {ratio:.0f} times the {counted} of the smallest one, always guessing it is "
                f"right for {max(filled) / sum(filled):.0%}"
            )
            evened = "data.class_weights=balanced" + " or data.sampling=balanced" * (not found["words"])
            other = "f1_macro,f1_spans" if found["words"] else "f1_macro,auroc"
            action = f"set {evened}, or follow metric=[{other}] with objective.metric"
            yield Fault("class imbalance", sentence, action, Verdict.WARN)

    def _inputs(self, found: Mapping[str, Any]) -> Iterator[Fault]:
        if found["not_finite"]:
            yield Fault(
                DataFault.NOT_FINITE, f"{found['not_finite']} numbers are not finite", _REFUSED[DataFault.NOT_FINITE]
            )
        if found["constant"] == found["features"]:
            action = "look at how data reads its inputs: they are the same for all samples"
            yield Fault("constant inputs", f"all {found['features']} inputs are constant", action)
        elif found["words"]:
            return
        elif found["rms"] > self.rms:
            span = f"inputs from {found['low']:.4g} to {found['high']:.4g}, root mean square {found['rms']:.3g}"
            yield Fault("inputs not scaled", span, "set data.scaling=standardize, or minmax for images")
        elif found["scales"] > self.scales:
            sentence = f"the standard deviations of features differ by a factor of {found['scales']:.3g}"
            yield Fault("features of other scales", sentence, "set data.scaling=standardize", Verdict.WARN)

    def _rows(self, found: Mapping[str, Any]) -> Iterator[Fault]:
        sizes, same = found["looked_at"], found["constant"] == found["features"]
        for pair, count in found["leaks"].items():
            first, second = pair.split(", ")
            if count and not same:
                sentence = (
                    f"{count} of {sizes[second]} {second} inputs ({count / sizes[second]:.1%}) are in {first} too"
                )
                verdict = Verdict.FAIL if count > self.leak * sizes[second] else Verdict.WARN
                yield Fault("leak", sentence, "remove repeated samples before they are split", verdict)
        repeats = found["repeats"]["train"]
        if repeats > self.repeats * sizes["train"] and not same:
            sentence = f"{repeats} of {sizes['train']} training inputs repeat others"
            yield Fault("repeated samples", sentence, "remove repeated samples", Verdict.WARN)
        if found["contradictions"] > self.contradictions * sizes["train"] and not same:
            sentence = f"{found['contradictions']} training inputs have other labels elsewhere"
            yield Fault("contradicting labels", sentence, "look at these labels", Verdict.WARN)
        if found["samples"]["valid"] < self.valid_size:
            sentence = f"{found['samples']['valid']} validation samples"
            action = "raise data.valid_fraction, or cross-validate with data.folds"
            yield Fault("few samples", sentence, action, Verdict.WARN)


def _columns(found: Mapping[str, Any]) -> Iterator[Fault]:
    if names := found["ordering"]:
        what = "classes" if found["task"] == "classification" else "target"
        sentence = f"{_listed(names)} the rows, and orders the {what}: it tells nothing of a row that is yet to come"
        yield Fault("column orders rows", sentence, "leave it out of the inputs, of a table by data.drop")
    if names := found["unresolved"]:
        action = "set data.scaling=standardize or minmax, which are computed in float64, or leave it out"
        yield Fault("lost in float32", f"float32 cannot tell apart the values of column {', '.join(names)}", action)


def _listed(names: Sequence[str]) -> str:
    return f"column {names[0]} counts" if len(names) == 1 else f"each of the columns {', '.join(names)} counts"


def _check_objective(context: Context, names: tuple[str, ...]) -> None:
    first = NamedMetric("objective.metric", context.objective.metric)
    if first.metric not in names:
        raise ConfigError(first.unreported(names))


def _sound(found: Mapping[str, Any]) -> str:
    sizes = ", ".join(f"{count} {name}" for name, count in found["samples"].items())
    kind = f"{len(found['counts'])} classes" if found["counts"] else "a regression"
    if found["words"]:
        return f"{sizes} sentences of {found['words']} words and {kind}, no sentence in two parts"
    return f"{sizes} samples of {kind}, no input in two parts, inputs from {found['low']:.3g} to {found['high']:.3g}"


def _numbers(found: Mapping[str, Any]) -> dict[str, str | int | float]:
    plain = ("contradictions", "features", "constant", "not_finite", "low", "high", "rms", "scales", "target_std")
    pairs = {f"in {pair.replace(', ', ' and ')}": count for pair, count in found["leaks"].items()}
    least = {"smallest_class": min(found["counts"]), "largest_class": max(found["counts"])} if found["counts"] else {}
    return {**found["samples"], **least, **{f"repeats in {k}": v for k, v in found["repeats"].items()}, **pairs} | {
        name: found[name] for name in plain
    }
