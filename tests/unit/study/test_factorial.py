"""The design of an ablation: what its words make of factors, arms and reference."""

import pytest

from hpsearch.base.errors import ConfigError, HpsearchError, SpaceError
from hpsearch.config.compose import compose
from hpsearch.study.factorial import factorial_of

WORDS = (
    "+study=batch_momentum",
    "space.data.batch_size=choice(16,32)",
    "space.optimizer.momentum=choice(0,0.9)",
    "ablation.reference={data.batch_size: 32, optimizer.momentum: 0}",
    "study.seeds=4",
)


def test_arms_are_the_grid_of_the_factors_in_the_order_of_the_space():
    found = factorial_of(compose(WORDS))
    assert found.keys == ("data.batch_size", "optimizer.momentum") and found.replicates == 4 and found.retuned
    assert list(found.arms.values()) == [
        {"data.batch_size": size, "optimizer.momentum": momentum} for size in (16, 32) for momentum in (0, 0.9)
    ]
    assert found.arms[found.reference] == {"data.batch_size": 32, "optimizer.momentum": 0}
    assert {name.rpartition("/")[2] for name in found.nuisance} == {"optimizer.lr"}


def test_constraints_leave_arms_out_and_an_order_says_where_a_key_is_retuned():
    words = ["space.where=data.batch_size * (1 - optimizer.momentum) < 20", "~nuisance"]
    orders = {"<0.5": "choice(0.1)", ">=0.5": "choice(0.2)", ">0.95": "choice(0.3)"}
    # the last branch is met by no arm
    words += [f"nuisance[optimizer.momentum{order}].optimizer.lr={text}" for order, text in list(orders.items())[:2]]
    found = factorial_of(compose([*WORDS[:3], *words]))
    assert [tuple(arm.values()) for arm in found.arms.values()] == [(16, 0), (16, 0.9), (32, 0.9)]
    assert list(found.nuisance) == ["optimizer.momentum<0.5/optimizer.lr", "optimizer.momentum>=0.5/optimizer.lr"]
    idle = f"nuisance[optimizer.momentum>0.95].optimizer.lr={orders['>0.95']}"
    with pytest.raises(SpaceError, match=r"optimizer.momentum is never >0.95 \(searched: 0, 0.9\)"):
        factorial_of(compose([*WORDS[:3], "~nuisance", idle]))


def test_its_words_name_factors_and_reference_for_a_stage():
    told = compose([*WORDS[:1], *factorial_of(compose(WORDS)).words]).config["ablation"]
    assert told["factors"] == ["data.batch_size", "optimizer.momentum"]
    assert told["reference"] == {"data.batch_size": 32, "optimizer.momentum": 0}


def test_a_recipe_that_is_none_has_no_design():
    assert factorial_of(compose(["+study=recipe"])) is None


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (
            ["nuisance[data.batch_size=32].optimizer.momentum=choice(0,0.9)"],
            SpaceError,
            "is a factor, so it",
        ),
        (["space.data.batch_size=choice(64)"], SpaceError, "never varies compares nothing; fix it with data.batch_siz"),
        (["ablation.reference={data.batch_sise: 32}"], ConfigError, "no factor, did you mean 'data.batch_size'"),
        (["ablation.reference={data.batch_size: 48}"], ConfigError, "no arm has data.batch_size = 48"),
        (["ablation.factors=[data.batch_size]"], ConfigError, "are the keys of its space"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(words, error, message):
    with pytest.raises(HpsearchError) as raised:
        factorial_of(compose([WORDS[0], *words]))
    assert raised.type is error and message in str(raised.value) and "\n" not in str(raised.value)
