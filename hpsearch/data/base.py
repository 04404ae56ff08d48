"""What every data source shares: its fields, the seeded splits, the scaling, the digest."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, ClassVar

from hpsearch.base.contents import Place, named_in
from hpsearch.base.errors import ConfigError, check_choice
from hpsearch.base.limits import check_fields
from hpsearch.data.arrays import (
    NOTHING,
    Arrays,
    Parts,
    Whole,
    check_class_weights,
    check_classes,
    checked,
    digest_of,
    keep_classes,
    weigh_classes,
)
from hpsearch.data.columns import notes_of, ordering, unresolved_in
from hpsearch.data.labels import completed, positive_class
from hpsearch.data.limits import LIMITS
from hpsearch.data.missing import FILLING, MISSING, filled, without_gaps
from hpsearch.data.part import Part, Split
from hpsearch.data.parting import apart, check_split_seed, fold_of, hold_out, split_seeds
from hpsearch.data.sampling import check_sampling
from hpsearch.data.scaling import LINEAR, SCALINGS, Scaling, fit, inputs, scaled, targets
from hpsearch.data.split import stratified
from hpsearch.data.units import ALONE, Units

if TYPE_CHECKING:
    import torch

    from hpsearch.data.streamed import Shape


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set, split and scaled.

    Attributes:
        train: what models are trained on.
        valid: what a search compares them by.
        test: None unless it was asked for.
        in_shape: shape of one input, (C, H, W) or (F,), of words (T,); of inputs that are a dict of tensors, one each.
        num_outputs: number of classes, or of targets of a regression.
        task: ``classification`` or ``regression``.
        class_names: one name per class, empty for a regression.
        digest: first 16 hex digits of the SHA-256 of the training and validation samples, before scaling, and of
            the scalings' names.
        class_weights: weight of each class in the loss, None where all count alike.
        notes: what was guessed or left out, and what is wrong with single columns, a sentence each.
        ordering: inputs that count the rows of data in the order of its classes, see `hpsearch.data.columns.ordering`.
        unresolved: inputs whose values float32 cannot tell apart, see `hpsearch.data.columns.unresolved`.
        whole: what the source reads in all.
        target_scaling: how the targets of a regression were scaled; None where they were not.
        positive: number of the positive class.
        units: which samples of the parts that are scored belong together.
        vocabulary: how many different words there are, each of which has a label; 0 where inputs are no words.
    """

    train: Part
    valid: Part
    test: "Part | None"
    in_shape: "Shape"
    num_outputs: int
    task: str
    class_names: tuple[str, ...]
    digest: str
    class_weights: tuple[float, ...] | None = None
    notes: tuple[str, ...] = ()
    ordering: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    whole: Whole = NOTHING
    target_scaling: "Scaling | None" = None
    positive: int = 1
    units: Units = ALONE
    vocabulary: int = 0

    def to(self, device: "torch.device | str") -> "Splits":
        """Return the same splits on a device."""
        test = None if self.test is None else self.test.to(device)
        return replace(self, train=self.train.to(device), valid=self.valid.to(device), test=test)


@dataclass(frozen=True, kw_only=True)
class DataSource(ABC):
    """Where samples come from and how they are split; a subclass adds fields of its own and implements `arrays`.

    A source is hashable. Everything but `batch_size`, `micro_batch`, `drop_last`, `shuffle` and `sampling` decides what
    `load` returns, so a worker keeps loaded data by the other fields.

    Attributes:
        batch_size: samples per step, or ``full`` for the whole training part.
        micro_batch: samples that go through the model at once in training: a batch larger than that is put together
            from the gradients of such groups, each weighted by its samples, before the one update. ``auto``: as many as
            fit into the memory, found by halving `batch_size` where it runs out; evaluations are halved likewise.
        drop_last: whether an epoch leaves its last batch out where it is smaller: ``auto`` where it is a single sample
            that the model cannot be trained on.
        shuffle: visit the training part in a new order each epoch; without it, always in the order of the source, which
            biases training where that order means something.
        sampling: ``balanced``: an epoch draws as many samples as the training part has, with replacement, so that every
            class is expected alike, see `hpsearch.data.sampling.balanced_rows`; None: each sample once.
        valid_fraction: share of the samples that are not for testing that goes to the validation part.
        test_fraction: share of all samples that goes to the test part; None makes no test part. Only for a source
            without a test part of its own.
        folds: number of folds of a stratified cross-validation: the samples that are not for testing are dealt out to
            so many folds, and the one asked for is the validation part, whatever `valid_fraction`; None for one split.
        split_seed: seed of the splits, the folds and the subset; ``per_seed``: each trial's own, but for the test part.
        missing: what is done about inputs that are missing: ``refuse`` them, ``drop`` their rows (before anything is
            split), or fill in the ``median``, the ``most_frequent`` value or a ``constant``, fitted on the training
            part, see `hpsearch.data.missing.filled`. A target, group or time is never filled in.
        missing_value: the constant.
        missing_indicator: whether a further column of 0 and 1 says where a column's values were missing.
        train_size: train on a stratified subset of this many samples of the training part; None takes all. The
            validation and test parts do not change with it.
        classes: keep the samples of these classes only, renumbered from 0 in this order; None keeps all.
        class_weights: weight w of each class in the loss: ``balanced``, one number per class, or None. Training
            minimizes sum(w l) / (B w_mean) of a batch of B samples, with the mean weight of the training part; reports
            give ``weighted_loss``, sum(w l) / sum(w) over a part, beside ``loss``, which is not weighted. See
            `hpsearch.losses.class_weights.ClassWeighted`.
        positive: name of the class of two that metrics of one class (``f1_binary``) are of; None: the second one.
        scaling: of the inputs, see `hpsearch.data.scaling.fit`.
        target_scaling: of the targets of a regression: ``minmax``, ``standardize`` or ``none``. The loss is that of
            the scaled targets; metrics are in the units of the data.
        loader_workers: None keeps the samples on the device; a number keeps them on the host, where so many processes
            of a DataLoader (0: the training process itself) make the batches.
    """

    own_test: ClassVar[bool] = False
    files_say_all: ClassVar[bool] = False
    """Whether the samples follow from the files, so that the files alone tell one state of the data from another."""

    batch_size: int | str = 64
    micro_batch: int | str | None = None
    drop_last: bool | str = "auto"
    shuffle: bool = True
    sampling: str | None = None
    valid_fraction: float = 0.2
    test_fraction: float | None = None
    folds: int | None = None
    split_seed: int | str = 0
    missing: str = "refuse"
    missing_value: float = 0.0
    missing_indicator: bool = True
    train_size: int | None = None
    classes: Sequence[int] | None = None
    class_weights: str | Sequence[float] | None = None
    positive: str | int | None = None
    scaling: str = "minmax"
    target_scaling: str = "none"
    loader_workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse fields that no data set can satisfy.

        Raises:
            ConfigError: naming the key, its value and what is allowed.
        """
        check_fields("data", LIMITS, self)
        if self.test_fraction is not None and self.has_test():
            name = type(self).__name__
            raise ConfigError(f"data.test_fraction = {self.test_fraction!r}: {name} has its own test part, use null")
        for name in ("classes", "class_weights"):
            if isinstance(given := getattr(self, name), list):
                object.__setattr__(self, name, tuple(given))
        if self.classes is not None:
            check_classes(self.classes)
        check_class_weights(self.class_weights)
        check_sampling(self.sampling, self.shuffle, self.class_weights)
        check_split_seed(self.split_seed, self.folds, getattr(self, "time", None))
        check_choice("data.missing", self.missing, MISSING)
        check_choice("data.scaling", self.scaling, SCALINGS)
        check_choice("data.target_scaling", self.target_scaling, LINEAR)

    def has_test(self) -> bool:
        """Return whether the source has a test part of its own."""
        return self.own_test

    def places(self) -> dict[str, Place]:
        """Return the files and folders that are read: by default what a text among the fields names, by field."""
        return named_in({field.name: getattr(self, field.name) for field in fields(self)})

    def samples_digest(self, arrays: Arrays) -> str:
        """Return a digest of all samples as they were read; equal ones are the same data.

        Args:
            arrays: what `arrays` returned.
        """
        marks = [map(str, each.tolist()) for each in (arrays.groups, arrays.time) if each is not None]
        return digest_of((arrays,), *arrays.class_names, *(word for each in marks for word in each))

    @abstractmethod
    def arrays(self, test: bool) -> Arrays:
        """Read the samples.

        Args:
            test: read the source's own test part instead; only called with True when `own_test` is set.

        Returns:
            All samples of the part.
        """

    def read(self, test: bool = False, fold: int = 0, seed: int = 0) -> Parts:
        """Read and split the samples, without torch: enough to refuse a bad configuration before a run exists.

        Args:
            test: read the test part as well.
            fold: which fold is the validation part, where there are folds.
            seed: of the trial, which draws its split where `split_seed` is ``per_seed``.

        Returns:
            The samples of each part.

        Raises:
            ConfigError: where a field does not fit the number of samples, or there is no test part to read.
        """
        if test and not self.has_test() and self.test_fraction is None:
            raise ConfigError(f"data.test_fraction = None: {type(self).__name__} has no test part without it")
        if fold >= (self.folds or 1):
            raise ConfigError(f"fold = {fold}: data.folds = {self.folds} has no such fold")
        rest, tested = self._whole(test)
        whole = Whole(len(rest), rest.x.shape[1:], "" if self.files_say_all else self.samples_digest(rest))
        ordered, (first, seed) = ordering(rest), split_seeds(self.split_seed, seed)
        if self.test_fraction is not None:
            rest, held_out = hold_out(rest, self.test_fraction, first, "test")
            tested = held_out if test else None
        train, valid = self.parted(rest, fold, seed)
        named = {"train": train, "valid": valid} | ({} if tested is None else {"test": tested})
        notes = apart(named)
        named["train"] = self._subset(train, seed)
        named = dict(zip(named, self.prepared(list(named.values())), strict=True))
        parts = Parts(named["train"], named["valid"], named.get("test"), ordered, notes, whole)
        self.batch_rows(len(parts.train))
        if parts.train.class_names and self.target_scaling != "none":
            raise ConfigError(f"data.target_scaling = {self.target_scaling!r}: classes are not scaled, use none")
        if parts.train.vocabulary:
            self._check_words()
        return parts

    def parted(self, arrays: Arrays, fold: int, seed: int) -> tuple[Arrays, Arrays]:
        """Return the training and the validation part of the samples that are not for testing.

        Args:
            arrays: the samples.
            fold: which fold is the validation part, where there are folds.
            seed: of the split.
        """
        by_fold = fold_of(arrays, self.folds, fold, seed) if self.folds else None
        return by_fold or hold_out(arrays, self.valid_fraction, seed, "valid")

    def prepared(self, parts: Sequence[Arrays]) -> list[Arrays]:
        """Return the parts with what is fitted on the first one, the training part, applied to all of them.

        Args:
            parts: as they were split.
        """
        if self.missing not in FILLING:
            return list(parts)
        return filled(parts, self.missing, self.missing_value, self.missing_indicator)

    def load(self, test: bool = False, fold: int = 0, seed: int = 0) -> Splits:
        """Read, split, convert and scale the samples, on the host.

        Args:
            test: load the test part as well; otherwise it is not read.
            fold: which fold is the validation part, where there are folds.
            seed: see `read`.

        Returns:
            The splits, x in float32, scaled by what was fitted on the training part.
        """
        parts = self.read(test, fold, seed)
        weights = weigh_classes(parts.train, self.class_weights)
        train, valid, *rest = self.convert(parts)
        lost = unresolved_in(train, parts.train)
        return Splits(
            train=train,
            valid=valid,
            test=rest[0] if test else None,
            in_shape=train.in_shape,
            num_outputs=parts.train.outputs,
            task=parts.train.task,
            class_names=parts.train.class_names,
            digest=digest_of((parts.train, parts.valid), self.scaling, self.target_scaling),
            class_weights=weights,
            notes=notes_of((*(n for part in parts for n in part.notes), *parts.notes), parts.ordering, lost),
            ordering=parts.ordering,
            unresolved=lost,
            whole=parts.whole,
            target_scaling=fit(targets(parts.train), self.target_scaling),
            positive=positive_class(self.positive, parts.train.class_names),
            units=parts.units,
            vocabulary=len(parts.train.vocabulary),
        )

    def convert(self, parts: Parts) -> "Sequence[Part]":
        """Return what is trained on: tensors on the host, scaled, or a DataLoader over them.

        Args:
            parts: as read.

        Returns:
            The training, validation and, where it was read, test part.
        """
        xs = scaled([inputs(part) for part in parts], self.scaling)
        ys = scaled([targets(part) for part in parts], self.target_scaling)
        if self.loader_workers is None:
            return [Split(x, y) for x, y in zip(xs, ys, strict=True)]
        from hpsearch.data.streamed import Streamed, TensorRows

        return [
            Streamed(TensorRows(x, y), y, tuple(x.shape[1:]), self.loader_workers) for x, y in zip(xs, ys, strict=True)
        ]

    def batch_rows(self, train_rows: int) -> int:
        """Return the number of samples per step.

        Args:
            train_rows: size of the training part.

        Returns:
            `batch_size`, or `train_rows` when it is ``full``.

        Raises:
            ConfigError: when the batch is larger than the training part.
        """
        if isinstance(self.batch_size, str):
            return train_rows
        if self.batch_size > train_rows:
            raise ConfigError(f"data.batch_size = {self.batch_size}: the training part has {train_rows} samples")
        return self.batch_size

    def _whole(self, test: bool) -> tuple[Arrays, Arrays | None]:
        """Read all samples, and those of an own test part where they are asked for."""
        first = self._sound(completed(self.arrays(test=False)))
        rest = keep_classes(first, self.classes)
        if not (test and self.has_test()):
            return rest, None
        return rest, keep_classes(self._sound(completed(self.arrays(test=True), first)), self.classes)

    def _sound(self, arrays: Arrays) -> Arrays:
        if self.missing == "drop":
            arrays = without_gaps(arrays)
        return checked(arrays, gaps=self.missing in FILLING)

    def _check_words(self) -> None:
        """Refuse what is for numbers, or for samples of one class each."""
        for name, neutral in (("scaling", "none"), ("missing", "refuse"), ("sampling", None)):
            if (value := getattr(self, name)) != neutral:
                shown = "null" if neutral is None else neutral
                raise ConfigError(f"data.{name} = {value!r}: inputs are words, each with a label; use {shown}")

    def _subset(self, train: Arrays, seed: int) -> Arrays:
        if self.train_size is None:
            return train
        if self.train_size > len(train):
            raise ConfigError(f"data.train_size = {self.train_size}: the training part has {len(train)} samples")
        return train.rows(stratified(train.strata, self.train_size, seed, "train_size")[1])
