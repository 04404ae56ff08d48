"""A search whose journal or event files were lost, cut, damaged or are older, brought to what the record says.

The event files are the record and Optuna's study a copy. Points of the record that the study does not know are running
in it, so that a driver that resumes it tells them from the record, as it does after a kill. A point that was told and
whose trials have not all ended on record is running again: what is lost is trained again, under the same seeds.
"""

import math
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from hpsearch.base.errors import StorageError
from hpsearch.base.outcome import GIVEN_UP
from hpsearch.base.types import TrialId
from hpsearch.base.types import TrialState as State
from hpsearch.base.widening import Widening
from hpsearch.search.ask_tell import SEARCHED_SEC, AskTell
from hpsearch.search.auto_pruner import AutoPruner
from hpsearch.search.by_hand import SKIPPED
from hpsearch.search.open_point import WAITS_AT
from hpsearch.search.optuna_internals import given_params, is_inside
from hpsearch.search.plan import Plan
from hpsearch.search.points import TOLD
from hpsearch.search.pruners import Promoter
from hpsearch.search.space import Space
from hpsearch.search.suggested import SUGGESTED, open_space
from hpsearch.tracking.events import TrialRecord, read_study, read_trial, trial_files
from hpsearch.tracking.lines import last_state, read_events
from hpsearch.tracking.record import Record

_NAMED = 10
_DRAWS = 100
"""So many random points are drawn for a place of which nothing is known, to find one that was not tried."""


def regain(search: AskTell, record: Record, plan: Plan) -> list[str]:
    """Bring the Optuna study of a search to what the record says.

    Args:
        search: its points are those of the record afterwards, and its ranges as wide.
        record: of the study; none of its event files is damaged, see `hpsearch.tracking.damage.mend_events`.
        plan: of the search.

    Returns:
        What was done, a line each; none where record and study agree.
    """
    states, trials = _states(record.folder, plan), search.trials()
    lost = {trial.number for trial in trials if _has_lost_ends(trial, states.get(trial.number, ()))}
    unknown = {
        number: records
        for number in states
        if (number >= len(trials) or not trials[number].state.is_finished())
        and (records := _records(record.folder, number, plan))
        and _is_news(search, trials, records[0])
    }
    recorded = read_study(record.folder) if unknown else {}
    widenings = [Widening.of(each) for each in recorded.get("extensions", ())]
    if lost or unknown:
        space = _space(search.space, recorded)
        points = {number: _asked(search, space, plan, records) for number, records in unknown.items()}
        holes = set(range(len(trials), max(unknown, default=-1))) - points.keys()
        search.regain(space, lost, {**points, **_filled(search, space, holes, points)}, widenings)
    if unknown:
        known_sec = float(search.study.user_attrs.get(SEARCHED_SEC, 0.0))
        search.study.set_user_attr(SEARCHED_SEC, max(known_sec, searched_sec(record.folder)))
    return [*_lines(search, lost, unknown)]


def _lines(search: AskTell, lost: Collection[int], unknown: Collection[int]) -> Iterator[str]:
    if unknown:
        told = "not known to the search any more, told again from the event files"
        yield f"{_named(unknown)}: {told}{_forgotten(search)}"
    if lost:
        yield f"{_named(lost)}: an end is missing in the event files, trained again"


def _forgotten(search: AskTell) -> str:
    """Return what is said of what only the journal held."""
    generations = ["generations of the sampler"] if search.has_generations else []
    hedges = ["hedges of the pruner"] if isinstance(search.study.pruner, AutoPruner) else []
    return f"; {' and '.join([*generations, *hedges])} begin anew" if generations or hedges else ""


def _named(points: Collection[int]) -> str:
    named = ", ".join(map(str, sorted(points)[:_NAMED]))
    more = f" and {len(points) - _NAMED} more" if len(points) > _NAMED else ""
    return f"point{'s' if len(points) > 1 else ''} {named}{more}"


# What is on record


def _states(folder: Path, plan: Plan) -> dict[int, list[State]]:
    """Return the last states of the trials of every point, those over fresh seeds left out."""
    known: dict[int, list[State]] = {}
    for path in trial_files(folder):
        point, *replicate = map(int, path.stem.split("-"))
        if tuple(replicate) in plan.replicates:
            known.setdefault(point, []).append(last_state(path))
    return known


def _records(folder: Path, number: int, plan: Plan) -> list[TrialRecord]:
    """Return the trials of a point that say something, in the order of the plan."""
    stems = [TrialId(number, *replicate).stem for replicate in plan.replicates]
    found = (read_trial(folder / "events" / f"{stem}.jsonl") for stem in stems)
    return [record for record in found if record is not None]


def searched_sec(folder: Path) -> float:
    """Return how long at least one attempt of a study's trials ran, whatever stood between them; in seconds.

    It is the time that drivers searched, without their starts and ends: all that the record knows of it.
    """
    total, until = 0.0, -math.inf
    for began, ended in sorted(chain.from_iterable(map(_attempts, trial_files(folder)))):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total


def _attempts(path: Path) -> list[tuple[float, float]]:
    """Return when each attempt of a trial began and was heard of last."""
    heard: list[tuple[float, float]] = []
    for event in read_events(path)[0]:
        if event["event"] == "start":
            heard.append((event["time"], event["time"]))
        elif heard and event["event"] in ("report", "state"):
            heard[-1] = (heard[-1][0], max(heard[-1][1], event["time"]))
    return heard


def _has_lost_ends(trial: FrozenTrial, states: Sequence[State]) -> bool:
    """Return whether fewer trials of a point have ended on record than when it was told."""
    told = trial.user_attrs.get(TOLD)
    if not trial.state.is_finished() or told is None:
        return False
    is_outside = trial.state is TrialState.FAIL and told["state"] != State.FAILED  # of ranges that were taken back
    return not is_outside and sum(told["trials"].values()) > sum(state.finished for state in states)


def _is_news(search: AskTell, trials: Sequence[FrozenTrial], known: TrialRecord) -> bool:
    """Return whether a point on record has not begun in the study, or is another one there."""
    if known.id.point >= len(trials) or (trial := trials[known.id.point]).state is TrialState.WAITING:
        return True
    return not search.space.is_open and search.space.active(trial.params) != dict(known.params)


# What the study is told of it


def _space(space: Space, recorded: Mapping[str, Any]) -> Space:
    """Return the ranges that the record knows to be wider."""
    if space.is_open:
        known = {each.name: each.distribution for each in space.parameters}
        recalled = {each.name: each.distribution for each in Space.parse(recorded.get(SUGGESTED, {})).parameters}
        return open_space({**known, **recalled})
    wider = {each["name"]: each["expression"] for each in recorded.get("extensions", ())}
    return Space.parse({**space.to_dict(), **wider}) if wider else space


def _asked(search: AskTell, space: Space, plan: Plan, records: Sequence[TrialRecord]) -> FrozenTrial:
    """Return a point as one that was asked, with what its first trial reported.

    Raises:
        StorageError: it is none of the space.
    """
    first, objective = records[0], plan.objective
    judged = (first.id.seed, first.id.fold) == plan.replicates[0]
    curve = first.curve(objective.metric) if judged and not objective.others else {}
    reached = {int(epoch): value for epoch, value in curve.items() if epoch > 0 and epoch == int(epoch)}
    attrs: dict[str, Any] = {}
    if any(record.reason == GIVEN_UP for record in records):
        attrs[SKIPPED] = True
    if judged and reached and first.state is State.PAUSED and isinstance(search.study.pruner, Promoter):
        attrs[WAITS_AT] = max(reached)
    flat = _flat(space, first.params)
    if flat is None:
        raise StorageError(
            f"point {first.id.point} of the event files, {dict(first.params)}, is none of the space: restore "
            "the study's folder, or study.restart=true to start again"
        )
    return _running(space, first.id.point, flat, attrs, reached, first.queued)


def _flat(space: Space, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return Optuna's values of hyperparameters by dotted key; None where a space does not hold them."""
    distributions = space.distributions()
    try:
        flat = space.flat(params)
        inside = all(is_inside(distributions[name], value) for name, value in flat.items())
        return flat if inside and (space.is_open or space.active(flat) == dict(params)) else None
    except (ValueError, KeyError, TypeError):  # of another kind than what the space has there
        return None


def _running(
    space: Space,
    number: int,
    flat: Mapping[str, Any],
    attrs: Mapping[str, Any],
    reached: Mapping[int, float],
    began: float,
) -> FrozenTrial:
    distributions = space.distributions()
    params = dict(flat) if space.is_open else {**space.draw(random.Random(number)), **flat}
    return FrozenTrial(
        number=number,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=datetime.fromtimestamp(began),
        datetime_complete=None,
        params=params,
        distributions={name: distributions[name] for name in params},
        user_attrs=dict(attrs),
        system_attrs={},
        intermediate_values=dict(reached),
        trial_id=number,
    )


def _filled(
    search: AskTell, space: Space, holes: Collection[int], points: Mapping[int, FrozenTrial]
) -> dict[int, FrozenTrial]:
    """Return points for numbers of which neither knows anything: cells of the queue that are left, else random ones."""
    taken = {space.key(given_params(trial)) for trial in chain(search.trials(), points.values())}
    filled: dict[int, FrozenTrial] = {}
    for number in sorted(holes):
        rng = random.Random(number)
        drawn = ({} if space.is_open else space.draw(rng) for _ in range(_DRAWS))
        found = next((each for each in chain(search.cells(), drawn) if space.key(each) not in taken), {})
        flat = space.flat(space.active(found or space.draw(rng))) if not space.is_open else {}
        taken.add(space.key(flat))
        filled[number] = _running(space, number, flat, {}, {}, 0.0)
    return filled
