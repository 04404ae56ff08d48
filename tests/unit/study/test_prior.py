"""The points of an earlier study that the sampler of another one is told."""

import math

import hpsearch
from hpsearch.base.types import Objective
from hpsearch.search.space import Space
from hpsearch.study.prior import load_prior


def train(x):
    if x == 0:
        raise RuntimeError("no such size")
    yield {"valid/acc": math.nan if x == 1 else x, "memory": x}


def test_what_diverged_or_raised_is_told_as_infeasible_and_what_was_beyond_a_limit_is_scored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {
        "sampler": "grid",
        "pruner": "none",
        "tracker": "none",
        "objective": "valid/acc",
        "limits": {"memory": 3},
    }
    hpsearch.run_search(train, space={"x": "choice(0, 1, 2, 3, 4)"}, overrides=["launcher=inline"], **options)
    space = Space.parse({"args.x": "choice(0, 1, 2, 3, 4)"})
    told = load_prior("train", space, Objective("valid/acc"))
    assert {space.active(point.cell)["args.x"]: point.feasible for point in told} == {
        0: False,
        1: False,
        2: True,
        3: True,
        4: True,
    }
    assert [space.active(point.cell)["args.x"] for point in told if point.feasible] == [4, 3, 2]
