"""From Optuna's values to a trial's overrides, to the configuration they compose, and back."""

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.base.plain import get
from hpsearch.config.compose import compose
from hpsearch.search.space import Space

pytestmark = pytest.mark.long

WORDS = (
    "+study=lr_sweep",
    "space.model=choice(mlp, lenet, softmax)",
    "space[model=mlp].model.hidden=choice([], [8], [16, 8])",
    "space[model=mlp].model.norm=choice(none, batch)",
    "space[model=lenet].model.kernel_size=choice(3, 5)",
    "space.optimizer=choice(momentum, adam)",
    "space[optimizer=momentum].optimizer.momentum=interval(0, 0.99)",
    "space[optimizer=momentum].optimizer.nesterov=choice(true, false)",
    "space[optimizer=adam,model=mlp].optimizer.betas=choice([0.9, 0.99], [0.5, 0.999])",
    "space[optimizer=adam,model=lenet].optimizer.amsgrad=choice(false, true)",
    "space.trainer.clip_norm=choice(null, 1, 0.5)",
    "space.trainer.epochs=int(interval(1, 30))",
    "space.data.batch_size=range(16, 129, step=16)",
    "space.scheduler=choice(constant, cosine)",
)


@cache
def study():
    composition = compose(WORDS)
    return composition, Space.parse(composition.space, composition.where)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_values_overrides_configuration_and_back(seed):
    composition, space = study()
    flat = space.draw(random.Random(seed))
    params = space.active(flat)
    trial = composition.trial(params, seed=3)
    again = compose(trial.overrides)
    read = {key: again.choices[key] if "." not in key else get(again.config, key) for key in params}
    assert {key: type(value) for key, value in read.items()} == {key: type(value) for key, value in params.items()}
    assert read == params
    assert space.flat(read) == space.flat(params)
    assert space.cell(read).items() <= flat.items()
    assert all(again.config[group] == part for group, part in trial.config.items() if group in ("model", "optimizer"))
