"""What is set while something needs it is put back, whoever goes first."""

import logging
import os
import warnings

import pytest

from hpsearch.base.borrowed import environment, quiet, still_quiet, unheard

LOGGER = "hpsearch.of.a.test"


def test_variables_are_put_back_by_the_last_block_and_those_of_the_user_stay(monkeypatch):
    monkeypatch.setenv("HPSEARCH_A", "mine")
    before = dict(os.environ)
    values = {"HPSEARCH_A": "1", "HPSEARCH_B": "2"}
    first, second = environment(values), environment(values | {"HPSEARCH_B": "3"})
    with pytest.raises(KeyboardInterrupt), first:
        assert (os.environ["HPSEARCH_A"], os.environ["HPSEARCH_B"]) == ("mine", "2")
        second.__enter__()
        raise KeyboardInterrupt
    assert os.environ["HPSEARCH_B"] == "2", "the second block needs it"
    second.__exit__(None, None, None)
    assert dict(os.environ) == before


def test_a_variable_that_the_user_sets_meanwhile_stays(monkeypatch):
    monkeypatch.delenv("HPSEARCH_B", raising=False)
    with environment({"HPSEARCH_B": "2"}):
        monkeypatch.setenv("HPSEARCH_B", "mine")
    assert os.environ["HPSEARCH_B"] == "mine"
    with environment({"HPSEARCH_B": "2"}):
        assert os.environ["HPSEARCH_B"] == "mine"


def test_loggers_speak_again_as_they_did_or_as_their_library_made_them_meanwhile():
    logger, levels = logging.getLogger(LOGGER), {LOGGER: logging.CRITICAL}
    logger.setLevel(logging.DEBUG)
    outer = quiet(levels)
    outer.__enter__()
    with quiet(levels):
        assert logger.level == logging.CRITICAL
    assert logger.level == logging.CRITICAL
    outer.__exit__(None, None, None)
    assert logger.level == logging.DEBUG
    with quiet(levels):
        logger.setLevel(logging.INFO)  # as the import of a library does
        still_quiet(levels)
        assert logger.level == logging.CRITICAL
    assert logger.level == logging.INFO
    still_quiet(levels)
    assert logger.level == logging.INFO, "nothing holds it"


def test_a_logger_that_the_user_silenced_stays_so():
    logger = logging.getLogger(f"{LOGGER}.silent")
    logger.setLevel(logging.CRITICAL)
    with quiet({logger.name: logging.CRITICAL}):
        pass
    assert logger.level == logging.CRITICAL


def test_a_warning_is_not_shown_and_then_it_is():
    before = list(warnings.filters)
    with pytest.warns(UserWarning, match="seen") as seen:
        outer = unheard("not to be")
        outer.__enter__()
        with unheard("not to be"):
            warnings.warn("not to be seen", stacklevel=1)
        warnings.warn("not to be seen", stacklevel=1)
        outer.__exit__(None, None, None)
        warnings.warn("seen", stacklevel=1)
    assert [str(each.message) for each in seen] == ["seen"] and list(warnings.filters) == before
