"""What a study held fixed, and what it took."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from hpsearch.base import words
from hpsearch.base.keys import ARGS
from hpsearch.base.plain import flatten
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.reports.kit.space import plain
from hpsearch.reports.kit.spent import spent_sec

_GROUPS = ("data", "model", "init", "finetune", "loss", "optimizer", "scheduler", "regularizer", "trainer", ARGS)
_EPOCHS, _STEPS = "trainer.epochs", "trainer.steps"
_HEADLINE = (
    *("data", "model", "optimizer", "optimizer.lr", "optimizer.momentum", "optimizer.weight_decay", "scheduler"),
    *("regularizer", "data.batch_size", _EPOCHS, _STEPS),
)


def fixed_settings(table: TrialTable) -> dict[str, Any]:
    """Return what the study held fixed, by dotted key; a group's own key names the class or function it selects.

    Args:
        table: the study.

    Returns:
        Every setting of the groups that decide a result, less the searched ones.
    """
    config = dict(table.study.get("config") or {})
    taken = {str(name).rsplit("/", 1)[-1] for name in dict(table.study.get("space") or {})}
    flat = {k: v for group in _GROUPS if group in config for k, v in settings_of(group, config[group]).items()}
    return {
        k: v for k, v in flat.items() if not any(f"{k}.".startswith(f"{t}.") or t.startswith(f"{k}[") for t in taken)
    }


def headline(fixed: Mapping[str, Any]) -> str:
    """Write the settings that a result depends on most.

    Args:
        fixed: from `fixed_settings`.

    Returns:
        ``model MLP, optimizer.lr 0.05``; of a user's own function all of its arguments, by its own names.
    """
    keys = [*_HEADLINE, *(key for key in fixed if key.startswith(f"{ARGS}."))]
    unused = _STEPS if fixed.get(_STEPS) is None else _EPOCHS
    shown = [key for key in keys if key in fixed and key != unused]
    return ", ".join(f"{words.bare(key)} {words.number(fixed[key])}" for key in shown)


def settings_of(group: str, value: Any) -> dict[str, Any]:
    """Return the settings below a group by dotted key; under its own key stands the last part of its ``_target_``."""
    settings: dict[str, Any] = {}
    for key, setting in flatten({group: value}).items():
        owner, _, name = key.rpartition(".")
        if name == "_target_":
            settings[owner] = str(setting).rsplit(".", 1)[-1]
        elif name not in ("_partial_", "_convert_") and setting != {}:
            settings[key] = setting
    return settings


def took(stages: Mapping[str, TrialTable]) -> str:
    """Say what trials cost, and why there are no more of them.

    Args:
        stages: studies by what they are called in the sentence, ``the search``; the empty name needs no words.

    Returns:
        Sentences: trials, their time added up, the time from the first one's start to the last one's end, the device;
        why each study ended.
    """
    ended = {stage: table.trials[table.trials["ended"].notna()] for stage, table in stages.items()}
    ended = {stage: trials for stage, trials in ended.items() if len(trials)}
    if not ended:
        return "Nothing has been trained yet."
    parts = [
        f"{words.count(len(trials), 'trial')}{stage and ' of '}{stage}, {words.duration(spent_sec(trials))} added up"
        for stage, trials in ended.items()
    ]
    span = max(t["ended"].max() for t in ended.values()) - min(t["started"].min() for t in ended.values())
    devices = [str(name) for t in ended.values() if "device" in t for name in t["device"].dropna().unique()]
    on = f", on {' and '.join(dict.fromkeys(devices))}" if devices else ""
    cost = f"{'; '.join(parts)}; {words.duration(float(span))} from the first one's start to the last one's end{on}."
    whys = {stage or "the search": why_ended(table.study) for stage, table in stages.items()}
    end = "; ".join(f"{stage} ended because {why}" for stage, why in whys.items() if why)
    return f"{cost} {words.capitalized(end)}." if end else cost


_NO_FACTS = {
    *("point", "seed", "fold", "state", "attempts", "reason", "run_id", "key", "command", "score", "arm"),
    *("purpose", "started", "ended", "duration_sec"),
}


def environment_of(table: TrialTable) -> list[tuple[str, str]]:
    """Return what a study recorded of code, software and machine, and the facts that are the same in every trial.

    Args:
        table: the study.

    Returns:
        Dotted keys and texts.
    """
    taken = _NO_FACTS | {str(name).rsplit("/", 1)[-1] for name in dict(table.study.get("space") or {})}
    columns = [c for c in table.trials if c not in taken and c not in table.curves]
    facts = {c: plain(table.trials[c].dropna().iloc[0]) for c in columns if table.trials[c].nunique() == 1}
    recorded = {name: table.study[name] for name in ("git", "environment") if table.study.get(name)}
    return [(key, words.exact(value)) for part in (recorded, facts) for key, value in flatten(part).items()]


def why_ended(study: Mapping[str, Any]) -> str:
    """Return why a study ended, with its numbers; empty where it has not, or goes on when it is started again."""
    state = study.get("state") or {}
    return str(state.get("why") or "") if state.get("state") == TrialState.COMPLETE else ""


def code_versions(table: TrialTable) -> int:
    """Return how many versions of the user's own code trained a study's COMPLETE trials; other functions are none."""
    if "code" not in table.trials:
        return 1
    known = table.study.get("codes", {})
    digests = table.trials.loc[table.trials["state"] == TrialState.COMPLETE.value, "code"].dropna().unique()
    return max(Counter(tuple(known[each]["targets"]) for each in digests if each in known).values(), default=1)
