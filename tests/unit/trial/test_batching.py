"""The samples of an epoch, dealt out to updates."""

from functools import partial

import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.config.compose import compose
from hpsearch.data.digits import Digits
from hpsearch.data.split import training_sizes
from hpsearch.trial.batching import Batching, check_folds, check_single, takes_one
from hpsearch.trial.build import preflight, prepare
from hpsearch.trial.updates import epoch_order, take_steps
from tests.support.jobs import make_job, make_splits, same_weights, weights

NORMED = partial(nn.Sequential, nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3))
WORDS = ("data=digits", "data.train_size=97", "data.batch_size=32", "model=mlp", "model.hidden=[8]", "trainer.epochs=1")


def prepared(*words):
    return prepare(compose((*WORDS, *words)).trial({}, 0, 0).config)


@pytest.mark.parametrize(
    ("drop_last", "norm", "rows", "steps"),
    [("auto", "batch", 96, 3), ("auto", "none", 97, 4), ("true", "none", 96, 3), ("false", "none", 97, 4)],
)
def test_only_a_last_batch_that_cannot_be_trained_is_left_out(drop_last, norm, rows, steps):
    job = prepared(f"data.drop_last={drop_last}", f"model.norm={norm}")
    assert (job.batching.rows, job.steps_per_epoch, len(job.table.lr)) == (rows, steps, steps)
    assert job.facts.get("data.dropped", 0) == 97 - rows
    first, second = epoch_order(job, 1), epoch_order(job, 2)
    assert len(first) == len(second) == rows
    if rows < 97:
        assert set(first.tolist()) != set(second.tolist())  # another sample is left out in each epoch
    assert len(take_steps(job, [0.1] * steps, lambda _: False)) == steps


def test_a_short_last_batch_of_two_is_trained():
    assert prepared("data.train_size=98", "model.norm=batch").batching == Batching(98, 32)


@pytest.mark.parametrize(("size", "remedy"), [(1, "use 2 or more"), (32, "data.drop_last=auto leaves it out")])
def test_a_batch_of_one_that_cannot_be_trained_is_refused(size, remedy):
    line = rf"data\.batch_size = {size}: training has 97 samples, so a batch has 1, .*; {remedy}"
    with pytest.raises(ConfigError, match=line):
        check_single(Batching(97, size), lambda: False)
    check_single(Batching(97, size), lambda: True)
    check_single(Batching(96, 32, 1), lambda: False)


def test_every_fold_is_looked_at():
    """Of 1,437 samples 4 folds train on 1,077 and three times 1,078: one more than 3 times 359."""
    assert training_sizes(1437, 4) == (1077, 1078, 1078, 1078)
    splits = make_splits(train=1077)
    object.__setattr__(splits.valid, "x", torch.zeros(360, 6))
    object.__setattr__(splits.valid, "y", torch.zeros(360, dtype=torch.int64))
    with pytest.raises(ConfigError, match=r"so a batch has 1, .* \(fold 1\)"):
        check_folds(Digits(folds=4, batch_size=359, drop_last=False), splits, lambda: False)
    check_folds(Digits(folds=4, batch_size=359), splits, lambda: False)
    with pytest.raises(ConfigError, match=r"data\.batch_size = 1078: the training part has 1077 samples \(fold 0\)"):
        check_folds(Digits(folds=4, batch_size=1078), splits, lambda: False)


def test_the_size_of_every_fold_is_that_of_its_training_part():
    data = Digits(folds=4)
    parts = [data.read(fold=fold) for fold in range(4)]
    rows = len(parts[0].train) + len(parts[0].valid)
    assert training_sizes(rows, 4) == tuple(len(each.train) for each in parts)


def test_whether_a_model_takes_one_sample_leaves_no_trace(tmp_path):
    job = make_job(tmp_path, make_model=NORMED)
    job.model.eval()
    before, state = weights(job), torch.get_rng_state()
    assert not takes_one(job.model, (), job.splits)
    assert takes_one(job.model, (job.model[1],), job.splits)
    assert same_weights(before, weights(job)) and torch.equal(state, torch.get_rng_state())
    assert not any(module.training for module in job.model.modules())


def test_what_takes_no_two_samples_either_is_of_another_fault(tmp_path):
    normed = partial(nn.Sequential, nn.Unflatten(1, (6, 1)), nn.InstanceNorm1d(6, affine=True))
    job = make_job(tmp_path, make_model=normed)
    assert takes_one(job.model, (), job.splits)


def test_preflight_refuses_a_single_sample_of_any_fold():
    words = ("data.folds=4", "data.train_size=null", "data.batch_size=539", "model.norm=batch")
    assert preflight(compose((*WORDS, *words)).trial({}, 0, 0).config)["steps_per_epoch"] == 2
    with pytest.raises(ConfigError, match=r"\(fold 2\)$"):
        preflight(compose((*WORDS, *words, "data.drop_last=false")).trial({}, 0, 0).config)
