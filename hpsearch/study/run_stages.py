"""Stages in order: what each hands on, what is on record already, where a failed one stops the recipe."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hpsearch.base.errors import ConfigError
from hpsearch.config.build import build
from hpsearch.config.record import check_no_lookup, check_recorded
from hpsearch.study.stages.base import Context, Finding, OnFail, Stage, Verdict

if TYPE_CHECKING:
    from hpsearch.reports.recipe.page import StageView

_MARKS = {Verdict.PASS: "✓", Verdict.WARN: "!", Verdict.FAIL: "✗"}


def run_stages(
    stages: Mapping[str, Stage],
    recorded: Mapping[str, Finding],
    context: Context,
    write: Callable[[str, Finding], None],
) -> dict[str, Finding]:
    """Run the stages that are not on record yet.

    Args:
        stages: by name, in order.
        recorded: findings on record.
        context: what every stage is given; what they hand on is put into it.
        write: puts a finding on record.

    Returns:
        The findings in order, up to the last one or to the first that failed and stops the recipe.
    """
    findings: dict[str, Finding] = {}
    for number, (name, stage) in enumerate(stages.items(), 1):
        finding = recorded.get(name)
        if finding is None:
            context.line(f"stage {number} of {len(stages)}: {name}")
            finding = stage.run(context)
            write(name, finding)
        findings[name] = finding
        context.handed = {**context.handed, **finding.handed}
        context.line(finding_line(name, finding))
        if stops(stage, finding):
            break
    return findings


def stops(stage: Stage, finding: Finding) -> bool:
    """Return whether a finding ends the recipe."""
    return finding.verdict is Verdict.FAIL and stage.on_fail == OnFail.STOP


def finding_line(name: str, finding: Finding) -> str:
    """Return a finding in one line."""
    cause = f" ({finding.cause})" if finding.cause else ""
    action = f" → {finding.action}" if finding.action else ""
    return f"{_MARKS[finding.verdict]} {name}: {finding.sentence}{cause}{action}"


def stage_views(study: Mapping[str, Any], plugins: Sequence[str] = ()) -> "dict[str, StageView]":
    """Ask the stages of a recipe how their results are shown.

    Args:
        study: what the recipe recorded of itself: its ``config`` names the stages, ``stages`` holds what they found.
        plugins: packages besides ours that may be imported for it; the record does not say so by itself.

    Returns:
        Title, question and figure of each stage, by name. A stage that cannot be built here has its name as the title.
    """
    from hpsearch.reports.recipe.page import StageView

    found, views = study.get("stages", {}), {}
    options = study["config"].get("stages", {})
    for name in dict.fromkeys((*study["recipe"], *found)):
        try:
            check_recorded(options.get(name, {}), plugins, f"stages.{name}")
            stage: Any = build("stage", options.get(name, {}), plugins)
        except ConfigError:
            stage = None
        drawn = None
        if name in found and hasattr(stage, "figure"):
            drawn = stage.figure(from_dict(found[name]), study["objective"]["metric"])
        views[name] = StageView(getattr(stage, "title", name), getattr(stage, "question", ""), drawn)
    return views


def to_dict(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain containers; `from_dict` reads it again."""
    return {**asdict(finding), "verdict": finding.verdict.value}


def from_dict(fields: Mapping[str, Any]) -> Finding:
    """Return the finding that `to_dict` wrote; a ConfigError where a text of it would be looked up."""
    check_no_lookup(fields["handed"], "stages")
    names = ("sentence", "numbers", "cause", "action", "handed", "series")
    return Finding(Verdict(fields["verdict"]), **{name: fields[name] for name in names})
