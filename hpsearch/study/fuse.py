"""How many trials a worker of a study trains as one program."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from optuna.samplers import QMCSampler, RandomSampler

from hpsearch.base.clock import time_of_day
from hpsearch.base.errors import ConfigError
from hpsearch.base.keys import SILENT_SECONDS, TRIAL_SECONDS
from hpsearch.base.replicates import MEASURED
from hpsearch.base.types import TrialSpec
from hpsearch.base.widths import FUSE
from hpsearch.config.compose import Composition
from hpsearch.launch.base import Launcher
from hpsearch.launch.limits import fuse_word
from hpsearch.search.pruners import PruneRule
from hpsearch.search.samplers import QueueSampler, Sobol
from hpsearch.study.plan import POINTS, Search
from hpsearch.study.session import StudySession
from hpsearch.study.specs import find_source, tracking_uri
from hpsearch.study.workers import runner_of
from hpsearch.tracking.events import read_study
from hpsearch.trial import build as ours
from hpsearch.trial.build import objective_of
from hpsearch.trial.choose import choose, why_alone

PLAIN = ("off", 1)
"""What of `launcher.fuse` trains every trial by itself."""
WITHOUT_MODEL = (RandomSampler, QMCSampler, Sobol, QueueSampler)
"""Samplers whose proposals do not depend on how the points before did."""
SHARE = 20
"""A sampler that learns is asked for at most this part of its points at a time: of 60, TPE then needs 6 % more epochs
than one by one, 4 at a time 17 %. Where a pruner judges epochs as well, for one at a time: with two the search costs a
tenth more. See tests/benchmarks/bench_search.md."""
MOST = 512
"""Widest group that is tried."""
TRIED = 3
"""Configurations of different branches for which the width is measured at the start."""


def widen(session: StudySession, search: Search, left: int | None) -> None:
    """Let the workers of a study train as many trials at once as is fastest, and record it.

    Args:
        session: is open; its workers have started.
        search: what is searched.
        left: trials that are to be trained; None where that is not known.
    """
    launcher = session.workers.launcher
    launcher.widen(1)
    if not _allowed(session, search):
        return
    width = _width_before(session) if launcher.fuse == "auto" else None
    if width is None:
        most = widest(session, search, left)
        width = _chosen(session, search, most) if most > 1 else 1
    if width > 1:
        launcher.widen(width)


def check_fuse(composition: Composition) -> None:
    """Refuse to train trials as one program that go by a time of their own, or by the order in which they report.

    Args:
        composition: of a search, or of a recipe of several.

    Raises:
        ConfigError: they do, and `launcher.fuse` asks for it.
    """
    fuse = fuse_word(composition.config["launcher"].get("fuse", "off"))
    if fuse in ("auto", *PLAIN) or runner_of(composition.config) is not ours:
        return
    if reason := _in_the_way(composition):
        raise ConfigError(f"{FUSE} = {fuse}: {reason} (from {composition.where(FUSE)})")


def _allowed(session: StudySession, search: Search) -> bool:
    """Return whether trials may be trained together: not the arms of an ablation, whose times are compared."""
    if session.workers.launcher.fuse in PLAIN or search.plan.rounds:
        return False
    return runner_of(search.composition.config) is ours and not _in_the_way(search.composition)


def _width_before(session: StudySession) -> int | None:
    """Return the width that was chosen when the study began, for whoever goes on with it; None where none was."""
    chosen: int | None = read_study(session.folder).get("fused", {}).get("width")
    return chosen


def _chosen(session: StudySession, search: Search, most: int) -> int:
    """Return the width that a worker chooses, and record it."""
    launcher, chosen = session.workers.launcher, dict[str, Any]()
    for words, config in list(search.representatives().items())[:TRIED]:
        source = find_source(config, tracking_uri(search.composition))
        found = launcher.call(choose, config, source, str(session.folder), most)
        chosen[words] = dict(zip(("width", "why", "step_ms"), found, strict=True))
    width: int = min(most, max(each["width"] for each in chosen.values()))
    if width == 1 and launcher.fuse != "auto":
        why = "; ".join(dict.fromkeys(each["why"] for each in chosen.values()))
        session.observer.line(f"{FUSE} = {launcher.fuse}: the trials are trained one by one: {why}")
    session.record.study("fused", time_of_day(), width=width, most=most, chosen=chosen)
    return width


def check_copies(session: StudySession, config: Mapping[str, Any]) -> None:
    """Refuse a number for a single trial that cannot be trained beside copies of itself.

    Args:
        session: whose workers run.
        config: of the trial.

    Raises:
        ConfigError: it cannot.
    """
    launcher, composition = session.workers.launcher, session.composition
    if not _copies(launcher) or runner_of(config) is not ours:
        return
    if reason := launcher.call(why_alone, config, find_source(config, tracking_uri(composition))):
        raise ConfigError(
            f"{FUSE} = {launcher.fuse}: a trial like this is trained by itself: {reason} "
            f"(from {composition.where(FUSE)})"
        )


def beside_copies(spec: TrialSpec, launcher: Launcher) -> TrialSpec:
    """Return a single trial that is trained beside copies of itself, where a number says so."""
    return replace(spec, replayed=str(launcher.fuse)) if _copies(launcher) else spec


def _copies(launcher: Launcher) -> bool:
    return isinstance(launcher.fuse, int) and launcher.fuse > 1


def widest(session: StudySession, search: Search, left: int | None) -> int:
    """Return how many trials a worker may train as one program.

    Args:
        session: whose workers they are.
        search: what is searched.
        left: trials that are to be trained; None where that is not known.
    """
    launcher = session.workers.launcher
    workers = launcher.slots // launcher.width
    limits = [launcher.fuse if isinstance(launcher.fuse, int) else MOST]
    if left is not None:
        limits.append(-(-left // workers))
    if not isinstance(search.sampler, WITHOUT_MODEL):
        limits.append(_asked_at_once(search, launcher.fuse == "auto") // workers)
    return max(1, min(limits))


def _asked_at_once(search: Search, auto: bool) -> int:
    """Return how many trials a sampler that learns is asked for at a time: more replicates where none is judged."""
    rule, share = PruneRule(search.pruner, search.objective), (search.plan.points or POINTS) // SHARE
    if rule.by_epoch:
        return 1 if auto else share
    return share if rule.by_replicate else share * len(search.plan.replicates)


def _in_the_way(composition: Composition) -> str:
    """Return what goes by the time of a trial of its own, or by the order in which trials report; empty: nothing."""
    config: Any = composition.config
    objective = objective_of(config)
    timed = [key for key in (TRIAL_SECONDS, SILENT_SECONDS) if config["budget"][key.partition(".")[2]] is not None]
    timed += [each.metric for each in objective.each if each.metric.endswith(MEASURED)]
    timed += [name for name in objective.limits if name.endswith(MEASURED)]
    if timed:
        return f"trials that are trained as one program have no time of their own, which {timed[0]} is about"
    rounds = config["launcher"]["lockstep"]
    return "the order of trials in one program is not that of rounds: launcher.lockstep=false" if rounds else ""
