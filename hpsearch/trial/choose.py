"""How many trials like one are trained as one program. Importing this module loads no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpsearch.base import current
from hpsearch.trial.build import prepare


def choose(config: Mapping[str, Any], source: str | None, study: str, most: int) -> tuple[int, str, dict[int, float]]:
    """Choose how many trials like one are trained as one program; called in a worker, before any is trained.

    Args:
        config: a trial's resolved configuration.
        source: where `finetune.source` was found.
        study: folder of the study, where the choice is kept.
        most: at most so many.

    Returns:
        How many, 1: each by itself; why; and the time of a step of one in ms, by width, where it was measured.
    """
    from hpsearch.trial.fused.choosing import choice_of

    job = prepare(config, source=source)
    choice = choice_of(job, Path(study), most, current.process.fuse == "auto")
    return choice.width, choice.why, dict(choice.step_ms)


def why_alone(config: Mapping[str, Any], source: str | None) -> str:
    """Return why a trial cannot be trained with others; empty: it can. Called in a worker.

    Args:
        config: its resolved configuration.
        source: where `finetune.source` was found.
    """
    from hpsearch.trial.fused.fusing import fault

    return fault(prepare(config, source=source))
