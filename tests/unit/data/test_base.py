import importlib
import math
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource
from hpsearch.data.words import Words


@dataclass(frozen=True, kw_only=True)
class Rows(DataSource):
    """Row i is [i, -i]; its class is i % 3."""

    batch_size: int | str = "full"
    n: int = 120
    known: int = 3

    def arrays(self, test):
        assert not test
        i = np.arange(self.n)
        return Arrays(np.stack((i, -i), 1), i % 3, tuple("abc")[: self.known])


@dataclass(frozen=True, kw_only=True)
class WithTest(Rows):
    own_test = True

    def arrays(self, test):
        if not test:
            return super().arrays(test)
        i = np.arange(1000, 1030)
        return Arrays(np.stack((i, -i), 1), i % 3, tuple("abc"))


@dataclass(frozen=True, kw_only=True)
class Line(DataSource):
    batch_size: int | str = "full"

    def arrays(self, test):
        x = np.linspace(0, 1, 50)[:, None]
        return Arrays(x, 3 * x[:, 0])


def rows(split):
    return set(split.x[:, 0].int().tolist())


def test_parts_are_disjoint_stratified_and_typed():
    splits = Rows(test_fraction=0.25, valid_fraction=1 / 3, scaling="none").load(test=True)
    parts = [splits.train, splits.valid, splits.test]
    assert [len(part) for part in parts] == [60, 30, 30]
    assert set.union(*map(rows, parts)) == set(range(120))
    for part in parts:
        assert part.x.dtype == torch.float32 and part.y.dtype == torch.int64
        assert part.y.bincount().tolist() == [len(part) // 3] * 3
        assert torch.equal(part.x[:, 0].long() % 3, part.y)
    assert (splits.in_shape, splits.num_outputs, splits.task) == ((2,), 3, "classification")
    assert splits.class_names == ("a", "b", "c")


def test_the_test_part_is_left_alone_unless_asked_for():
    with_part, without = Rows(test_fraction=0.25).load(test=True), Rows(test_fraction=0.25).load()
    assert without.test is None
    assert torch.equal(with_part.train.x, without.train.x)
    assert with_part.digest == without.digest


def test_own_test_part_is_read_only_when_asked_for(monkeypatch):
    assert rows(WithTest(scaling="none").load(test=True).test) == set(range(1000, 1030))

    def refuse(self, test):
        assert not test, "the test part was read"
        return Rows.arrays(self, test)

    monkeypatch.setattr(WithTest, "arrays", refuse)
    assert WithTest().load().test is None


def test_a_regression_has_a_column_of_targets():
    splits = Line(test_fraction=None, scaling="none").load()
    assert (splits.task, splits.num_outputs, splits.class_names) == ("regression", 1, ())
    assert splits.train.y.shape == (40, 1) and splits.train.y.dtype == torch.float32
    assert torch.allclose(splits.train.y, 3 * splits.train.x)


def test_scaling_is_fitted_on_the_training_part_alone():
    raw, scaled = Rows(scaling="none").load(), Rows(scaling="minmax").load()
    low, high = raw.train.x.min(0).values, raw.train.x.max(0).values
    assert torch.allclose(scaled.valid.x, (raw.valid.x - low) / (high - low))
    assert scaled.train.x.min() == 0 and scaled.train.x.max() == 1


def test_a_subset_is_stratified_and_changes_no_other_part():
    everything = Rows(scaling="none", test_fraction=0.25).load(test=True)
    some = Rows(scaling="none", test_fraction=0.25, train_size=21).load(test=True)
    assert some.train.y.bincount().tolist() == [7, 7, 7]
    assert rows(some.train) < rows(everything.train)
    assert rows(some.valid) == rows(everything.valid) and rows(some.test) == rows(everything.test)


def test_the_validation_fraction_does_not_move_the_test_part():
    first, second = (Rows(test_fraction=0.25, valid_fraction=f).load(test=True) for f in (0.1, 0.4))
    assert torch.equal(first.test.y, second.test.y)
    assert rows(Rows(test_fraction=0.25, split_seed=1, scaling="none").load(test=True).test) != rows(
        Rows(test_fraction=0.25, scaling="none").load(test=True).test
    )


def test_a_split_of_each_seeds_own_leaves_the_test_part_as_it_is():
    source = Rows(test_fraction=0.25, split_seed="per_seed", train_size=30, scaling="none")
    first, again, second = (source.load(test=True, seed=seed) for seed in (0, 0, 5))
    assert rows(first.valid) == rows(again.valid) != rows(second.valid) and rows(first.train) != rows(second.train)
    assert rows(first.test) == rows(second.test) == rows(Rows(test_fraction=0.25, scaling="none").load(test=True).test)
    assert not rows(second.test) & (rows(second.train) | rows(second.valid))
    with pytest.raises(ConfigError, match=r"data.split_seed = per_seed: data.folds = 3 deals the samples out"):
        Rows(split_seed="per_seed", folds=3)


@pytest.mark.parametrize(
    "change", [{"split_seed": 1}, {"valid_fraction": 0.25}, {"train_size": 30}, {"scaling": "none"}, {"n": 121}]
)
def test_the_digest_follows_the_samples(change):
    assert Rows().load().digest != Rows(**change).load().digest


def test_the_digest_ignores_the_batch_size():
    assert Rows().load().digest == Rows(batch_size=7).load().digest
    assert len(Rows().load().digest) == 16


def test_sources_with_equal_fields_are_one_key():
    assert replace(Rows(batch_size=8), batch_size="full") == replace(Rows(batch_size=9), batch_size="full")
    assert len({Rows(), Rows(), Rows(n=60)}) == 2


def test_splits_move_to_a_device():
    splits = Rows(test_fraction=0.2).load(test=True).to("meta")
    assert {part.x.device.type for part in (splits.train, splits.valid, splits.test)} == {"meta"}
    assert Rows().load().to("meta").test is None


def test_batch_rows():
    assert Rows(batch_size="full").batch_rows(96) == 96
    assert Rows(batch_size=96).batch_rows(96) == 96
    with pytest.raises(ConfigError, match=r"data.batch_size = 97: the training part has 96 samples"):
        Rows(batch_size=97).load()


BAD = {
    "batch_size": [0, -1, 1.5, True, "all", None, math.nan],
    "valid_fraction": [0, 1, -0.1, math.nan, math.inf, True, "0.2", None],
    "test_fraction": [0, 1.0, True, math.nan],
    "split_seed": [-1, 0.5, True, None, "per_trial"],
    "train_size": [0, -3, 2.0, True, "full"],
    "scaling": ["minmx", None, 1],
    "target_scaling": ["log", None],
    "shuffle": [1, "yes", None],
    "folds": [0, 1, 2.0, True, "five"],
    "loader_workers": [-1, 0.5, True, "two"],
    "class_weights": ["balance", 3],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_a_bad_field_is_named_with_its_value(name, value):
    with pytest.raises(ConfigError) as error:
        Rows(**{name: value})
    assert str(error.value).startswith(f"data.{name} = {value!r}: ")
    assert "\n" not in str(error.value)


def test_the_nearest_scaling_is_suggested():
    with pytest.raises(ConfigError, match="did you mean 'standardize'"):
        Rows(scaling="standardise")


@pytest.mark.parametrize(
    ("source", "test", "message"),
    [
        (Rows(train_size=97), False, "data.train_size = 97: the training part has 96 samples"),
        (Rows(n=3, valid_fraction=0.1), False, "data.valid_fraction = 0.1: takes 0 of 3 samples"),
        (Rows(), True, "data.test_fraction = None: Rows has no test part without it"),
    ],
)
def test_fields_that_do_not_fit_the_samples(source, test, message):
    with pytest.raises(ConfigError) as error:
        source.load(test=test)
    assert str(error.value) == message


def test_a_source_with_a_test_part_takes_no_test_fraction():
    with pytest.raises(ConfigError, match=r"data\.test_fraction = 0\.2: WithTest has its own test part, use null"):
        WithTest(test_fraction=0.2)


def test_labels_beyond_the_classes():
    with pytest.raises(DataError, match="labels from 0 to 2: 2 classes need 0 to 1"):
        Rows(known=2).load()


def test_inputs_and_labels_of_different_length(monkeypatch):
    monkeypatch.setattr(Rows, "arrays", lambda self, test: Arrays(np.zeros((4, 2)), np.zeros(3), ("a",)))
    with pytest.raises(DataError, match="4 inputs but 3 labels"):
        Rows().load()


def test_each_fold_is_the_validation_part_once():
    source = Rows(folds=4, test_fraction=0.25, scaling="none")
    splits = [source.load(test=True, fold=fold) for fold in range(4)]
    assert sorted(row for each in splits for row in rows(each.valid)) == sorted(set(range(120)) - rows(splits[0].test))
    for each in splits:
        assert rows(each.train) | rows(each.valid) | rows(each.test) == set(range(120))
        assert rows(each.test) == rows(splits[0].test)
    assert len({each.digest for each in splits}) == 4


def test_folds_that_are_not_there():
    with pytest.raises(ConfigError, match=r"fold = 3: data\.folds = 3 has no such fold"):
        Rows(folds=3).load(fold=3)
    with pytest.raises(ConfigError, match=r"fold = 1: data\.folds = None has no such fold"):
        Rows().load(fold=1)
    with pytest.raises(ConfigError, match=r"data\.folds = 121: there are 120 samples to deal out"):
        Rows(folds=121).load()


def test_as_many_folds_as_samples_leave_one_out():
    splits = Rows(n=9, folds=9).load(fold=8)
    assert (len(splits.train), len(splits.valid)) == (8, 1)


def test_kept_classes_are_split_like_a_data_set_of_their_own():
    splits = Rows(classes=[2, 0], scaling="none").load()
    assert splits.class_names == ("c", "a") and splits.num_outputs == 2
    assert torch.equal(splits.train.y, (splits.train.x[:, 0] % 3 == 0).long())
    assert len(splits.train) + len(splits.valid) == 80
    assert Rows(classes=[0, 1, 2]).load().digest == Rows().load().digest


def test_class_weights_are_those_of_the_training_part():
    splits = Rows(n=100, train_size=50, class_weights="balanced").load()
    counts = splits.train.y.bincount()
    assert splits.class_weights == pytest.approx((50 / (3 * counts)).tolist())
    assert Rows().load().class_weights is None


def test_targets_are_scaled_by_the_training_part():
    raw = Line(test_fraction=None).load()
    scaled = Line(test_fraction=None, target_scaling="standardize").load()
    mean, sd = raw.train.y.mean(), raw.train.y.std(correction=0)
    torch.testing.assert_close(scaled.valid.y, (raw.valid.y - mean) / sd)
    assert raw.digest != scaled.digest
    with pytest.raises(ConfigError, match=r"data\.target_scaling = 'minmax': classes are not scaled, use none"):
        Rows(target_scaling="minmax").load()


CONF = Path(__file__).parents[3] / "conf" / "data"
FILES = sorted(CONF.glob("*.yaml"))
REGRESSIONS = ("Diabetes", "Curve")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_yaml_spells_out_every_field(file):
    options = yaml.safe_load(file.read_text())
    module, _, name = options.pop("_target_").rpartition(".")
    source = getattr(importlib.import_module(module), name)
    known = {field.name for field in fields(source)}
    own = {"target_scaling"} if "task" not in known and name not in REGRESSIONS else set()
    own |= {"classes", "class_weights", "positive"} if name in REGRESSIONS else set()
    own |= {"missing", "missing_value", "missing_indicator"} if name not in ("Table", "Npz") else set()
    own |= {"classes", "positive", "sampling", "scaling"} if issubclass(source, Words) else set()
    assert set(options) == known - own
    for field in fields(source):
        if field.name in options and field.name not in ("test_fraction", "batch_size"):
            value = options[field.name]
            assert (tuple(value) if isinstance(value, list) else value) == field.default, field.name


@dataclass(frozen=True, kw_only=True)
class Column(DataSource):
    """One column of large numbers; its classes alternate."""

    batch_size: int | str = "full"
    start: float = 0.0
    step: float = 1.0

    def arrays(self, test):
        i = np.arange(100)
        return Arrays((self.start + self.step * i)[:, None], i % 2, ("a", "b"), columns=("it",))


@pytest.mark.parametrize("scaling", ["minmax", "standardize", "log", "exponential", "arctangent"])
@pytest.mark.parametrize(("start", "step"), [(1.7e9, 1.0), (1e15, 1.0), (1e39, 1e37), (-1e150, 1e148)])
def test_large_numbers_are_scaled_before_they_become_float32(start, step, scaling):
    splits = Column(start=start, step=step, scaling=scaling).load()
    plain = Column(scaling=scaling).load()
    assert splits.unresolved == () and len(splits.train.x.unique()) == 80
    if scaling != "log":  # it is of the difference itself
        assert torch.allclose(splits.train.x, plain.train.x, atol=1e-2 if start == 1e15 else 1e-6)


def test_a_column_that_float32_cannot_tell_apart_is_named():
    splits = Column(start=1.7e9, scaling="none").load()
    assert splits.unresolved == ("it",)
    assert splits.notes == ("column 'it' is lost: float32 cannot tell its values apart; use data.scaling=standardize",)
    assert Column(start=1000.0, scaling="none").load().unresolved == ()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"start": 1e39, "step": 1e37, "scaling": "none"}, r"numbers up to 1.99e\+39 are beyond float32"),
        (
            {"start": -1e200, "step": 1e198, "scaling": "standardize"},
            r"data.scaling = 'standardize': numbers up to 1e\+200 are too large",
        ),
    ],
)
def test_numbers_that_no_scaling_saves_are_refused(fields, said):
    with pytest.raises(DataError, match=said):
        Column(**fields).load()


def test_targets_are_scaled_before_they_become_float32():
    @dataclass(frozen=True, kw_only=True)
    class Late(Line):
        def arrays(self, test):
            x = np.linspace(0, 1, 50)[:, None]
            return Arrays(x, 1e12 + np.arange(50.0))

    y = Late(scaling="none", target_scaling="minmax").load().train.y
    assert len(y.unique()) == 40


def test_an_index_in_the_order_of_the_classes_is_said_in_every_study():
    @dataclass(frozen=True, kw_only=True)
    class Saved(Column):
        def arrays(self, test):
            return replace(super().arrays(test), y=np.repeat([0, 1], 50))

    assert Saved().load().ordering == ("it",)
    assert Saved().load().notes[0].startswith("column 'it' counts the rows, and the rows are in the order of what is")


def test_a_test_part_has_the_classes_of_the_training_part():
    @dataclass(frozen=True, kw_only=True)
    class Strange(Rows):
        own_test = True

        def arrays(self, test):
            i = np.arange(30)
            return Arrays(np.stack((i, -i), 1), i % (4 if test else 3))

    with pytest.raises(DataError, match="labels from 0 to 3: 3 classes need 0 to 2"):
        Strange().load(test=True)
