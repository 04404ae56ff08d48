"""What every sampler and pruner owes a study whose files were lost, cut, damaged or are older: all of it, once."""

import shutil
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from optuna.trial import TrialState

from hpsearch.search.samplers import seed_after
from hpsearch.search.space import Space
from hpsearch.tracking.damage import mend_events
from tests.contracts.test_pruners import PRUNERS, SPACE, curve, pruner, random_at
from tests.contracts.test_samplers import SAMPLERS, made
from tests.support.driver import Setup, resumes

POINTS = 8
CASES = [*(("random", name) for name in PRUNERS), *((name, "none") for name in SAMPLERS if name != "random")]
NUMBERS = {"lr": "interval(0.0, 1.0)", "depth": "int(interval(1, 9))"}


SMALL = {"lr": "choice(0.0, 0.2, 0.4, 0.6)", "depth": "range(2, 4)"}


def make(folder, sampler, rule):
    if sampler == "random":
        return Setup(folder, SPACE, random_at, pruner(rule), points=POINTS, seeds=(0, 1))
    space = Space.parse(SMALL if sampler in ("grid", "brute_force") else NUMBERS)
    sampled = lambda known: made(sampler, space, seed_after(made(sampler, space, 0), 7, known))  # noqa: E731
    return Setup(folder, space, sampled, pruner(rule), points=POINTS, seeds=(0, 1))


@cache
def finished(sampler, rule):
    """A finished study, and the same one halfway."""
    folder = TemporaryDirectory()
    whole, half = Path(folder.name, "whole"), Path(folder.name, "half")
    whole.mkdir()

    def copy(poll):
        if len(list((whole / "events").glob("*-*.jsonl"))) >= POINTS and not half.exists():
            shutil.copytree(whole, half)

    make(whole, sampler, rule).run(resumes(curve), slots=2, on_poll=copy)
    return folder, whole, half


def record_of(folder):
    found = make(folder, "random", "none").records()
    return {record.id: (record.state, record.params, record.score, [(r.epoch, r.metrics) for r in record.reports])
            for record in found}  # fmt: skip


def an_end(folder):
    """An event file of a trial that is complete."""
    return next(p for p in sorted((folder / "events").glob("*-*.jsonl")) if '"state":"COMPLETE"' in p.read_text())


def flipped(path):
    data = bytearray(path.read_bytes())
    place = data.rindex(b'"valid/acc":0.') + len('"valid/acc":0.')
    data[place] = ord("1") if data[place] != ord("1") else ord("2")
    path.write_bytes(data)


def cut(path, lines):
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:lines]))


DAMAGES = {
    "journal removed": lambda new, half: (new / "optuna.journal").unlink(),
    "journal emptied": lambda new, half: (new / "optuna.journal").write_bytes(b""),
    "journal of zeros": lambda new, half: (new / "optuna.journal").write_bytes(bytes(500)),
    "journal cut": lambda new, half: cut(new / "optuna.journal", 40),
    "journal older": lambda new, half: shutil.copy(half / "optuna.journal", new),
    "event file removed": lambda new, half: an_end(new).unlink(),
    "event file emptied": lambda new, half: an_end(new).write_bytes(b""),
    "event file of zeros": lambda new, half: (p := an_end(new)).write_bytes(bytes(p.stat().st_size)),
    "event file without its end": lambda new, half: cut(an_end(new), -1),
    "event file cut in a line": lambda new, half: (p := an_end(new)).write_bytes(p.read_bytes()[:-30]),
    "event file cut at its beginning": lambda new, half: cut(an_end(new), 2),
    "event file with another byte": lambda new, half: flipped(an_end(new)),
    "event files older": lambda new, half: shutil.copytree(half / "events", new / "events", dirs_exist_ok=True),
    "both older": lambda new, half: shutil.copytree(half, new, dirs_exist_ok=True),
    "journal removed and an event file": lambda new, half: (an_end(new).unlink(), (new / "optuna.journal").unlink()),
    "study's events removed": lambda new, half: (new / "events" / "study.jsonl").unlink(),
}


LONG = pytest.mark.long
SHORT = (("grid", "none"), ("random", "auto"))
MATRIX = [
    pytest.param(damage, *case, id=f"{damage}-{'-'.join(case)}", marks=() if case in SHORT or is_first else LONG)
    for is_first, damage in ((damage == "journal older", damage) for damage in DAMAGES)
    for case in CASES
]


@pytest.mark.parametrize(("damage", "sampler", "rule"), MATRIX)
def test_what_the_record_knows_is_told_again_and_what_is_lost_is_trained_again(tmp_path, damage, sampler, rule):
    _, whole, half = finished(sampler, rule)
    new = tmp_path / "new"
    shutil.copytree(whole, new)
    DAMAGES[damage](new, half)
    mend_events(new)
    before, left = record_of(whole), record_of(new)
    setup = make(new, sampler, rule)
    outcome = setup.run(resumes(curve), slots=2)
    after = record_of(new)
    for trial, known in left.items():
        if known[0].finished:
            assert after[trial] == known, "what had ended on record is as it was"
    trained = [spec.id for spec in setup.launcher.submitted]
    assert not {trial for trial in trained if trial in left and left[trial][0].finished}, "nothing ended trains again"
    assert outcome.counts == Counter(state for state, *_ in after.values()), "each is counted once"
    told = [trial for trial in setup.study().trials if trial.state is not TrialState.WAITING]
    assert all(trial.state.is_finished() for trial in told) and len(told) == len({id.point for id in after})
    if rule == "none" and damage != "journal removed and an event file":
        assert {id: each for id, each in after.items() if id in before} == before, "the same as undisturbed"
        assert after.keys() == before.keys()
