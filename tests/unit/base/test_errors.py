"""Values that are refused where they enter, in one line with the value and what is allowed."""

import errno
import math
import os

import pytest

from hpsearch.base.errors import (
    ConfigError,
    check_choice,
    check_float,
    check_int,
    lacking,
    nearest,
    no_room,
    out_of_memory,
)


@pytest.mark.parametrize("value", [1, 3, 10])
def test_a_whole_number_in_range_passes(value):
    check_int("n", value, 1, 10)
    check_int("n", value, 1)


@pytest.mark.parametrize("value", [0, 11, True, 2.0, "3", None])
def test_another_value_is_no_whole_number_in_range(value):
    with pytest.raises(ConfigError) as raised:
        check_int("n", value, 1, 10)
    assert str(raised.value) == f"n = {value!r}: must be a whole number from 1 to 10"
    with pytest.raises(ConfigError, match=r"n = 0: must be a whole number >= 1"):
        check_int("n", 0, 1)


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("[0, 1)", (0, 0.5), (-1e-9, 1)),
        ("(0, 1]", (1e-9, 1), (0, 1.1)),
        ("(0, inf)", (1e300,), (0, math.inf, 10**400)),
        ("[0, 1]", (0, 1), (math.nan, True, "0.5", None)),
    ],
)
def test_the_ends_of_an_interval_are_in_it_behind_a_square_bracket(interval, inside, outside):
    for value in inside:
        check_float("x", value, interval)
    for value in outside:
        with pytest.raises(ConfigError) as raised:
            check_float("x", value, interval)
        assert str(raised.value) == f"x = {value!r}: must be a number in {interval}"


def test_a_choice_has_the_type_of_what_is_allowed():
    check_choice("k", 1, [1, "a"])
    for value in (True, 1.0, "1"):
        with pytest.raises(ConfigError, match=r"k = .*: must be one of 1, a"):
            check_choice("k", value, [1, "a"])


def test_the_nearest_word_is_suggested():
    assert nearest("momentun", ["momentum", "lr"]) == ", did you mean 'momentum'?"
    assert nearest("xyz", ["momentum", "lr"]) == ""
    assert nearest("acc", ["test/acc", "train/acc", "valid/acc", "valid/loss"]) == ", did you mean 'valid/acc'?"


def test_memory_that_ran_out_is_found_behind_another_error():
    error = ValueError("outer")
    error.__cause__ = RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory")
    assert out_of_memory(error)
    assert out_of_memory(MemoryError())
    assert not out_of_memory(ValueError("other"))
    assert not out_of_memory(None)


KNOWN = ["optimizer.lr", "optimizer.dampening", "data.batch_size", "trainer.epochs", "model.dropout", "seed", "lr"]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("optimizer.learning_rate", "optimizer.lr"),
        ("optimizer.Learning_Rate", "optimizer.lr"),
        ("learning_rate", "optimizer.lr"),
        ("data.bs", "data.batch_size"),
        ("trainer.max_epochs", "trainer.epochs"),
        ("random_state", "seed"),
        ("optimizer.dampenning", "optimizer.dampening"),
    ],
)
def test_what_means_the_same_comes_first(word, hint):
    assert nearest(word, KNOWN) == f", did you mean '{hint}'?"


def test_another_part_of_the_configuration_is_no_meaning():
    assert "lr" not in nearest("model.alpha", KNOWN)


def test_a_no_room_is_found_behind_what_a_library_says_of_it():
    def save(number):
        try:
            raise OSError(number, os.strerror(number))
        finally:
            raise RuntimeError("unexpected pos 64 vs 0")  # as torch's writer closes its file

    texts = {errno.ENOSPC: "No space left", errno.EDQUOT: "quota", errno.EFBIG: "too large", errno.EACCES: ""}
    for number, said in texts.items():
        with pytest.raises(RuntimeError) as raised:
            save(number)
        assert (said in no_room(raised.value)) and bool(no_room(raised.value)) == bool(said)
    assert no_room(None) == no_room(ValueError("No space left on device")) == ""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "no more memory (MemoryError)"),
        (RuntimeError("can't start new thread"), "no more threads or memory (can't start new thread)"),
        (ImportError("a.so: failed to map segment from shared object"), "no more memory (a.so: failed to map segment"),
        (OSError(errno.EMFILE, "Too many open files"), "no more files ([Errno 24] Too many open files)"),
        (OSError(errno.ENOSPC, "full"), "no more room to write ([Errno 28] full)"),
        (OSError(errno.EACCES, "denied"), ""),
        (RuntimeError("other"), ""),
    ],
)
def test_what_the_machine_lacks_is_said_of_an_error_and_of_what_is_behind_it(error, said):
    behind = RuntimeError("a library's own")
    behind.__cause__ = error
    for one in (error, behind):
        assert (said in lacking(one)) and bool(lacking(one)) == bool(said)
