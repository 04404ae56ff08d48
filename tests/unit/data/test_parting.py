import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpsearch.base.errors import ConfigError, DataError, HpsearchError
from hpsearch.data.arrays import Arrays
from hpsearch.data.parting import apart, fold_of, hold_out
from hpsearch.data.table import Table

CHEAP = settings(max_examples=40, deadline=None, derandomize=True)


def samples(y, **fields):
    y = np.asarray(y)
    return Arrays(np.arange(len(y))[:, None], y, ("a", "b", "c"), **fields)


def rows(part):
    return part.x[:, 0].tolist()


LABELS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8)), min_size=2, max_size=60)


@CHEAP
@given(LABELS, st.sampled_from([0.1, 0.3, 0.5]), st.integers(0, 3))
def test_parts_share_no_group_and_lose_no_row(drawn, fraction, seed):
    y, groups = (np.array(each) for each in zip(*drawn, strict=True))
    arrays = samples(y, groups=groups.astype(str))
    try:
        first, second = hold_out(arrays, fraction, seed, "valid")
    except ConfigError as error:
        assert len(set(groups)) == 1 or not 0 < round(fraction * len(y)) < len(y), error
        return
    assert sorted(rows(first) + rows(second)) == list(range(len(y))) and len(first) and len(second)
    assert not set(first.groups) & set(second.groups)
    assert apart({"train": first, "valid": second})


@CHEAP
@given(LABELS, st.integers(2, 5))
def test_folds_of_groups_deal_every_row_out_once(drawn, folds):
    y, groups = (np.array(each) for each in zip(*drawn, strict=True))
    arrays = samples(y, groups=groups.astype(str))
    if len(set(groups)) < folds or folds > len(y):
        with pytest.raises(ConfigError, match=rf"data.folds = {folds}: "):
            fold_of(arrays, folds, 0, 0)
        return
    parts = [fold_of(arrays, folds, fold, 0) for fold in range(folds)]
    assert sorted(row for _, part in parts for row in rows(part)) == list(range(len(y)))
    for rest, part in parts:
        assert len(part) and len(rest) and not set(rest.groups) & set(part.groups)


@CHEAP
@given(st.lists(st.integers(0, 12), min_size=2, max_size=60), st.sampled_from([0.1, 0.3, 0.5]))
def test_what_is_held_out_by_time_is_later(times, fraction):
    arrays = samples(np.zeros(len(times), int), time=np.array(times))
    try:
        first, second = hold_out(arrays, fraction, 0, "valid")
    except ConfigError:
        assert len(set(times)) == 1 or not 0 < round(fraction * len(times)) < len(times)
        return
    assert sorted(rows(first) + rows(second)) == list(range(len(times)))
    assert first.time.max() < second.time.min()


@CHEAP
@given(st.lists(st.integers(0, 30), min_size=4, max_size=60), st.integers(2, 4))
def test_folds_by_time_never_look_ahead_and_expand(times, folds):
    arrays = samples(np.zeros(len(times), int), time=np.array(times))
    try:
        parts = [fold_of(arrays, folds, fold, 0) for fold in range(folds)]
    except ConfigError:
        assert len(set(times)) < 3 * (folds + 1)
        return
    for (train, part), (later, _) in zip(parts, [*parts[1:], (arrays, None)], strict=True):
        assert len(train) and len(part) and train.time.max() < part.time.min()
        assert set(rows(later)) == set(rows(train)) | set(rows(part))


def test_groups_keep_the_shares_of_the_classes_as_nearly_as_they_can():
    y, groups = np.tile([0, 0, 0, 1], 100), np.repeat(np.arange(100), 4).astype(str)
    second = hold_out(samples(y, groups=groups), 0.25, 0, "valid")[1]
    assert len(second) == 100 and (second.y == 1).sum() == 25
    other = hold_out(samples(y, groups=groups), 0.25, 1, "valid")[1]
    assert set(other.groups) != set(second.groups)
    of_one_class = hold_out(samples(np.repeat([0, 1], 200), groups=groups), 0.25, 0, "valid")[1]
    assert all(abs(count - 50) <= 4 for count in np.bincount(of_one_class.y))


@pytest.fixture
def table(tmp_path):
    lines = ["when,who,size,kind"]
    lines += [f"2026-01-{1 + i // 2:02d},p{i % 6},{i / 7:.4f},{'ab'[i % 3 == 0]}" for i in range(60)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines[:1] + lines[:0:-1]) + "\n")
    return lambda **fields: Table(path=str(path), target="kind", batch_size=4, **fields)


def test_the_columns_of_groups_and_times_leave_the_inputs(table):
    splits = table(groups="who", drop=["when"], test_fraction=0.2).load(test=True)
    assert splits.in_shape == (1,) and splits.notes[-1].startswith("parts of whole groups: 4 in train (40 samples), ")
    parts = table(time="when", drop=["who"], test_fraction=0.2).read(test=True)
    assert parts.train.time.max() < parts.valid.time.min() and parts.valid.time.max() < parts.test.time.min()
    assert [len(part) for part in parts] == [38, 10, 12] and parts.train.columns == ("size",)
    folds = [table(time="when", drop=["who"], folds=3).read(fold=fold) for fold in range(3)]
    assert all(each.train.time.max() < each.valid.time.min() for each in folds)
    assert [len(each.train) for each in folds] == [14, 30, 44]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"groups": "who", "time": "when"}, "data.groups = 'who', data.time = 'when': parts are made by one of them"),
        ({"groups": "who", "categorical": ["who"]}, "data.groups = 'who': has another role as well"),
        ({"time": "kind"}, "data.time = 'kind': has another role as well"),
        ({"time": "who", "drop": ["when"]}, "column 'who', row 1 is 'p5': must be a number or a date such as"),
        ({"groups": "whom"}, "no column 'whom', did you mean 'who'?"),
        ({"groups": "who", "drop": ["when"], "folds": 7}, "data.folds = 7: 6 groups cannot make 7 parts"),
        ({"time": "when", "drop": ["who"], "folds": 40}, "data.folds = 40: 30 different times make no 41 parts"),
    ],
)
def test_what_cannot_go_together_is_refused(table, fields, said):
    with pytest.raises(HpsearchError) as error:
        table(**fields).read()
    assert said in str(error.value) and "\n" not in str(error.value)


def test_an_own_test_part_shares_no_group_and_begins_later():
    first = samples([0, 1], groups=np.array(["p", "q"]))
    with pytest.raises(DataError, match="group 'p' is in the train part and in another one"):
        apart({"train": first, "test": samples([0], groups=np.array(["p"]))})
    with pytest.raises(DataError, match="the test part begins at 2, before the valid part ends"):
        apart({"valid": samples([0, 1], time=np.array([1, 2])), "test": samples([0], time=np.array([2]))})
