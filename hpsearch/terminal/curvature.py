"""What a person sees of the curvature of a training loss."""

from typing import TYPE_CHECKING, TextIO

from hpsearch.base.words import count, duration, epoch_text, number, score, shown_path
from hpsearch.reports.curvature.runs import said_of
from hpsearch.terminal.summary import Printer

if TYPE_CHECKING:
    from hpsearch.reports.curvature.numbers import Curvature
    from hpsearch.study.curvature import CurvatureOutcome
    from hpsearch.study.curvatures import CurvaturesOutcome


def show_curvature(outcome: "CurvatureOutcome", stream: TextIO | None = None) -> None:
    """Print the curvature of a trial's training loss.

    Args:
        outcome: the curvature.
        stream: where to; None: standard output.
    """
    out, result = Printer(stream), outcome.found
    weights = f"{outcome.weights} of epoch {epoch_text(outcome.epoch)}"
    out.headline(outcome.run, f"{weights}, {duration(outcome.elapsed_sec)}", f"{result.verdict}: {result.reason}")
    how = (
        f"all {result.parameters} eigenvalues"
        if result.method == "exact"
        else f"{result.products} Hessian-vector products over {result.parameters} parameters"
    )
    out.row("method", f"{result.method}, {result.precision}, {how}")
    out.row("loss", f"{score(result.loss)} on {result.samples} of {outcome.train_size} training samples")
    out.row(
        "gradient",
        f"norm {score(result.gradient_norm)}; were the loss quadratic, a step would gain "
        f"{number(100 * result.step_gain)} % of it",
    )
    out.row("ratio", _minimum_ratio(result))
    out.row("line", _line(result))
    if result.elsewhere is not None:
        mean, error = result.elsewhere
        out.row("others", f"second derivative along it on other training samples {number(mean)} ± {error:.2g}")
    out.table(
        ("  largest", "± at most", "smallest", "± at most"),
        [
            (f"  {number(high)}", f"{high_error:.1g}", number(low), f"{low_error:.1g}")
            for (high, high_error), (low, low_error) in zip(result.top, result.bottom, strict=True)
        ],
    )
    if outcome.last is not None:
        there = f"{outcome.last.verdict}: {outcome.last.reason}; eigenvalues {_minimum_ratio(outcome.last)}"
        out.row("last", f"weights of epoch {epoch_text(outcome.last_epoch)}, loss {score(outcome.last.loss)}, {there}")
    for file in outcome.files:
        out.row("file", shown_path(file))
    for note in outcome.notes:
        out.row("note", note, "yellow")


def _minimum_ratio(result: "Curvature") -> str:
    """Return the shares of positive, unresolved and negative eigenvalues, or their bounds."""
    parts = []
    for share, name in ((result.positive, "positive"), (result.zero, "near zero"), (result.negative, "negative")):
        parts.append(f"{share} {name}")
    return ", ".join(parts) + ("" if result.positive.exact else " (bounds, each right with a chance of 95 %)")


def _line(result: "Curvature") -> str:
    distance, loss = result.line.lowest
    where = f"{score(loss)} at distance {number(distance)}" if distance else "nowhere below the weights themselves"
    return f"lowest loss along the direction of the smallest eigenvalue: {where}"


def show_curvatures(outcome: "CurvaturesOutcome", stream: TextIO | None = None) -> None:
    """Print the curvatures of a study's runs.

    Args:
        outcome: the curvatures.
        stream: where to; None: standard output.
    """
    out = Printer(stream)
    took = f"{count(len(outcome.runs), 'run')}, {duration(outcome.elapsed_sec)}"
    out.headline(outcome.study, took, said_of(outcome.runs))
    out.table(
        ("  run", "epoch", "minimum ratio", "training loss", "gradient", "is"),
        [
            (
                f"  {each.run}",
                epoch_text(each.epoch),
                str(each.found.positive),
                score(each.found.loss),
                score(each.found.gradient_norm),
                each.kind,
            )
            for each in outcome.runs
        ],
    )
    for file in outcome.files:
        out.row("file", shown_path(file))
    for note in outcome.notes:
        out.row("note", note, "yellow")
