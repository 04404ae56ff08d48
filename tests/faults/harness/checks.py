"""What must hold after every fault, once the same command has completed the study: one function per promise."""

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.harness.facts import Curve, Facts
from tests.faults.harness.surroundings import Same


@dataclass(frozen=True)
class Evidence:
    """Everything that the checks look at."""

    now: Facts
    calm: Facts
    before: dict[str, Curve]
    """Trials that had ended and their curves, as the record had them when the fault came."""
    again: frozenset[str]
    """Trials of these that were trained again, with another number of others in their epochs."""
    same: Same
    twins: tuple[str, ...] = ()
    """Names of further studies, which must be like the first one, ``s``."""
    codes: tuple[int, ...] = (0,)
    orphans: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    output: str = ""
    """What was printed."""
    logs: dict[str, str] = field(default_factory=dict)
    """What trials and workers printed, by file."""


def completes(found: Evidence) -> Iterator[str]:
    """Yield whether the same command completed the study."""
    if found.codes[-1] != 0:
        yield f"not complete: the last command ended with exit code {found.codes[-1]} (all: {list(found.codes)})"
    yield from (f"load_trials warns: {warning[:200]}" for warning in found.now.warned)


def totals_are_exact(found: Evidence) -> Iterator[str]:
    """Yield studies with more or fewer trials than undisturbed, in the table, in trials.csv, and in the store."""
    counts = _per_study(found.calm.rows)
    for study, wanted in sorted({**counts, **dict.fromkeys(found.twins, counts["s"])}.items()):
        if (have := _per_study(found.now.rows)[study]) != wanted:
            yield f"{study}: {have} trials instead of {wanted}"
    for study, names in sorted(found.now.written.items()):
        if names != {name for name in found.now.rows if _study(name) == study}:
            yield f"{study}: trials.csv has other trials than load_trials: {len(names)}"
    open_ended = [name for name, row in found.now.rows.items() if row["state"] in ("WAITING", "RUNNING", "PAUSED")]
    yield from (f"{name} has not ended: {found.now.rows[name]['state']}" for name in open_ended)


def ended_trials_stay(found: Evidence) -> Iterator[str]:
    """Yield trials that had ended when the fault came, and are lost or have another curve now."""
    for name, curve in found.before.items():
        if name not in found.now.recorded:
            yield f"{name} had ended and is lost"
        elif not _like(name in found.again and name in found.now.half_plain)(found.now.recorded[name], curve):
            yield f"{name} had ended and has another curve now"


def nothing_is_there_twice(found: Evidence) -> Iterator[str]:
    """Yield rows of tables and runs of the store that are there more than once, or that only one of the two knows."""
    yield from (f"twice: {name}" for name in found.now.twice)
    runs = Counter(name for name, _, _ in found.now.runs)
    yield from (f"{times} runs of {name} in the store" for name, times in sorted(runs.items()) if times > 1)
    children = {name for name in runs if " " in name}
    yield from (f"{name} has no run in the store" for name in sorted(set(found.now.rows) - children))
    yield from (f"{name} has a run in the store but no row" for name in sorted(children - set(found.now.rows)))


def no_run_is_left_running(found: Evidence) -> Iterator[str]:
    """Yield runs of the store that are not finished, or whose state is another one than the table's."""
    for name, status, state in found.now.runs:
        if status not in ("FINISHED", "FAILED"):
            yield f"the run of {name} is {status}"
        elif name in found.now.rows and state != found.now.rows[name]["state"]:
            yield f"the run of {name} says {state or 'nothing'}, the table {found.now.rows[name]['state']}"


def no_orphan(found: Evidence) -> Iterator[str]:
    """Yield processes of the run that outlive it."""
    yield from (f"still running: {process}" for process in found.orphans)


def nothing_is_left_over(found: Evidence) -> Iterator[str]:
    """Yield temporary files and folders that nobody needs any more."""
    yield from (f"left over: {name}" for name in found.leftovers)


def nothing_is_printed_but_sentences(found: Evidence) -> Iterator[str]:
    """Yield tracebacks that were printed."""
    yield from (f"traceback: {error}" for error in _errors(found.output))


def no_traceback_is_logged(found: Evidence) -> Iterator[str]:
    """Yield logs with a traceback: of trials that failed by themselves, which most faults make none do."""
    yield from (f"traceback in {name}: {error}" for name, said in found.logs.items() for error in _errors(said))


def _errors(said: str) -> Iterator[str]:
    """Yield the first line after each traceback that is not a part of it."""
    for after in said.split("Traceback")[1:]:
        yield next((line for line in after.splitlines()[1:] if line[:1].strip()), "")[:200]


def result_is_the_undisturbed_one(found: Evidence) -> Iterator[str]:
    """Yield trials that differ from those of an undisturbed run, as far as the surroundings promise."""
    if found.same is Same.ALL:
        for twin in (None, *found.twins):
            plain = {name for name in found.now.half_plain if _by_another_path(found, name, name)}
            yield from _differences(_as_calm(found.now.rows, found, twin), found.calm.rows, "row", plain)
            yield from _differences(_as_calm(found.now.curves, found, twin), found.calm.curves, "curve", plain)
        return
    calm = {_setting(row): name for name, row in found.calm.rows.items()}
    for name, row in found.now.rows.items():
        twin = calm.get(_setting(row))
        like = _like(bool(twin) and _by_another_path(found, name, twin))
        if twin and not _begins(found.now.curves.get(name, {}), found.calm.curves.get(twin, {}), like):
            yield f"{name} has another curve than the same configuration undisturbed"


ROUNDING = 0.02
"""What two orders of the same sums may make of a curve, relative and absolute."""

CHECKS: dict[str, Callable[[Evidence], Iterator[str]]] = {
    check.__name__: check
    for check in (
        completes,
        totals_are_exact,
        ended_trials_stay,
        nothing_is_there_twice,
        no_run_is_left_running,
        no_orphan,
        nothing_is_left_over,
        nothing_is_printed_but_sentences,
        no_traceback_is_logged,
        result_is_the_undisturbed_one,
    )
}


def text(value: Any) -> str:
    """Return a value as text that is the same for the same bits, not-a-numbers included."""
    return json.dumps(value, sort_keys=True, default=str)


def _differences(
    now: dict[str, Any], calm: dict[str, Any], what: str, half_plain: Collection[str] = ()
) -> Iterator[str]:
    for name in sorted(set(now) | set(calm)):
        if not _like(name in half_plain)(now.get(name), calm.get(name)):
            yield f"{name}: another {what} than undisturbed: {_first(now.get(name), calm.get(name))}"


def _as_calm(now: dict[str, Any], found: Evidence, twin: str | None) -> dict[str, Any]:
    """Return the part of one twin under the name that the undisturbed study has; None: the study itself."""
    if twin is None:
        return {name: value for name, value in now.items() if _study(name) not in found.twins}
    return {name.replace(twin, "s", 1): value for name, value in now.items() if _study(name) == twin}


def _first(now: Any, calm: Any) -> str:
    for key in sorted({*(now or {}), *(calm or {})}):
        ours, theirs = (now or {}).get(key), (calm or {}).get(key)
        if text(ours) != text(theirs):
            return f"{key}: {text(ours)[:80]} instead of {text(theirs)[:80]}"
    return "nothing"


def _study(name: str) -> str:
    return name.split()[0]


def _per_study(rows: dict[str, Any]) -> Counter[str]:
    return Counter(map(_study, rows))


def _setting(row: dict[str, Any]) -> tuple[str, Any, Any]:
    return row["key"], row["seed"], row["fold"]


def _begins(one: Curve, other: Curve, like: Callable[[Any, Any], bool]) -> bool:
    return all(like(one[epoch], other[epoch]) for epoch in one.keys() & other.keys())


def _by_another_path(found: Evidence, name: str, calm: str) -> bool:
    """Return whether the plain loop took a trial over that was trained otherwise undisturbed."""
    here = found.now.half_plain.get(name)
    return here is not None and here != found.calm.half_plain.get(calm)


def _like(rounded: bool) -> Callable[[Any, Any], bool]:
    return _nearly if rounded else _alike


def _alike(one: Any, other: Any) -> bool:
    return text(one) == text(other)


def _nearly(one: Any, other: Any) -> bool:
    """Return whether two values, or all parts of two tables, are the same but for what roundings become."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_nearly(one[name], other[name]) for name in one)
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=ROUNDING, abs_tol=ROUNDING) or _alike(one, other)
    return _alike(one, other)
