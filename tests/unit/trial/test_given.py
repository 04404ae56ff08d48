import pickle
import sys
from functools import partial

import pytest

from hpsearch.base.commands import LOCAL_MODULE
from hpsearch.base.errors import ConfigError
from hpsearch.trial.generator import execute
from hpsearch.trial.given import Carried, carried, name_of, path_of


@pytest.fixture(autouse=True)
def nothing_given(monkeypatch):
    monkeypatch.delitem(sys.modules, LOCAL_MODULE, raising=False)
    yield
    sys.modules.pop(LOCAL_MODULE, None)


def at_the_top(x):
    yield {"y": x}


def inner():
    def train(x):
        yield {"y": x}

    return train


class Callable:
    def __call__(self, x):
        yield {"y": x}


def test_what_others_can_import_has_its_own_path_and_nothing_is_carried():
    assert path_of(at_the_top) == f"{__name__}.at_the_top"
    assert carried(execute, path_of(at_the_top)) is execute and LOCAL_MODULE not in sys.modules


@pytest.mark.parametrize(
    ("function", "name"),
    [(inner(), "train"), (lambda x: x, "function"), (partial(at_the_top, 1), "at_the_top"), (Callable(), "Callable")],
)
def test_what_others_cannot_import_is_kept_by_name_and_left_as_it_is(function, name):
    before = getattr(function, "__module__", None)
    assert (path_of(function), name_of(function)) == (f"{LOCAL_MODULE}.{name}", name)
    assert getattr(sys.modules[LOCAL_MODULE], name) is function and getattr(function, "__module__", None) == before


def test_a_function_takes_the_place_of_an_earlier_one_of_its_name():
    path_of(inner())
    last = inner()
    assert getattr(sys.modules[LOCAL_MODULE], path_of(last).rpartition(".")[2]) is last


def test_a_carried_function_arrives_where_it_is_asked_for():
    sent = pickle.dumps(carried(execute, path_of(inner())))
    del sys.modules[LOCAL_MODULE]
    assert pickle.loads(sent) is execute
    assert list(sys.modules[LOCAL_MODULE].train(2)) == [{"y": 2}]
    assert not hasattr(sys.modules[LOCAL_MODULE], "other")


class OnlyHere:
    made = 0

    def __setstate__(self, state):
        raise OSError("no such device\nmore")


def test_what_cannot_be_made_again_is_said_by_whoever_asks_for_it():
    here = OnlyHere()
    here.made = 1

    def train(x):
        yield {"y": here.made}

    assert pickle.loads(pickle.dumps(Carried(execute, "train", train))) is execute
    with pytest.raises(ConfigError, match=r"^train cannot be made again in .* \(OSError: no such device\)"):
        sys.modules[LOCAL_MODULE].train  # noqa: B018


def test_a_script_that_is_imported_again_by_a_trials_own_process_does_not_search():
    again = inner()
    again.__module__ = "__mp_main__"
    with pytest.raises(ConfigError, match="if __name__ == '__main__'"):
        path_of(again)
