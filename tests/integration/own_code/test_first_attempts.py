"""What people write at first: it works, or the line that is printed says what to write. One table; each row is tried.

Most rows are one trial in this process, run as every launcher runs it; those about words and files end before anything
is trained. What needs a process of its own is in `test_attempts_in_workers`.
"""

import argparse
import decimal
import functools
import logging
import math
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import hpsearch
from hpsearch import run_search, run_study
from hpsearch.base.errors import ConfigError, HpsearchError
from hpsearch.base.types import Decision, TrialId, TrialSpec, TrialState
from hpsearch.launch.base import Ended
from hpsearch.launch.batch import TrialBatch
from hpsearch.study.arguments import as_function
from hpsearch.trial.generator import execute
from hpsearch.trial.given import path_of

LINES = 200_000
EXAMPLE = "such as {'valid/acc': 0.9}"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


# What works as it is written


def of_a_mapping(config):
    return config["lr"]


def of_the_arguments_of_a_parser(args: argparse.Namespace):
    assert vars(args) == {"lr": 0.5}
    args.twice = 2 * args.lr
    return args.twice / 2


def yields_an_array_by_name(lr):
    yield {"valid/acc": np.array([lr])}


def returns_a_number_of_numpy(lr):
    return np.float32(lr)


def returns_a_tensor_with_its_graph(lr):
    return torch.tensor([lr], requires_grad=True) * 1


def reports_a_tensor(lr):
    hpsearch.report({"valid/acc": torch.tensor([[lr]])})


def reports_by_keyword(lr):
    hpsearch.report(acc=lr, epoch=1)
    return lr


def reports_epochs_from_0(lr):
    for epoch in range(3):
        hpsearch.report({"valid/acc": lr}, epoch)


def reports_epochs_that_are_floats(lr):
    for epoch in np.linspace(1, 3, 3):
        hpsearch.report({"valid/acc": lr}, epoch=epoch)


def swallows_exceptions(lr):
    try:
        hpsearch.report({"valid/acc": lr}, epoch=1)
        hpsearch.report({"valid/acc": lr}, epoch=2)
    except Exception:
        return -1.0


def yields_a_number_by_name(lr):
    yield {"valid/acc": lr}


def returns_a_generator(lr):
    return yields_a_number_by_name(lr)


def returns_after_its_yields(lr):
    yield {"train/loss": 1.0}
    return lr


def parses_no_command_line(lr):
    return argparse.ArgumentParser().parse_args() and lr


def sets_defaults(lr):
    torch.set_default_device("meta")
    torch.set_default_dtype(torch.float64)
    hpsearch.report({"valid/acc": lr}, epoch=1)
    assert torch.zeros(1).device.type == "meta" and torch.get_default_dtype() is torch.float64
    return lr


def sets_up_logging(lr):
    logging.basicConfig(level=logging.DEBUG)
    return lr


def takes_any(**settings):
    return settings["lr"]


def has_a_default(lr=0.1):
    return lr


def returns_a_decimal(lr):
    return decimal.Decimal(lr)


def reports_nothing_that_is_a_number(lr):
    hpsearch.report({"valid/acc": lr, "train/loss": math.nan}, epoch=1)


def reports_far_below(lr, depth=200):
    return reports_far_below(lr, depth - 1) if depth else hpsearch.report({"valid/acc": lr}, epoch=1)


def yields_from_another(lr):
    yield from returns_after_its_yields(lr)
    return {"valid/acc": lr, "size": 3}


def decorated(function):
    return lambda *args, **kwargs: function(*args, **kwargs)


class Trainer:
    def fit(self, lr):
        return lr

    def __call__(self, lr):
        return lr

    @classmethod
    def of_its_class(cls, lr):
        return cls().fit(lr)


WORKS = {
    **{
        each.__name__: each
        for each in (
            of_a_mapping, of_the_arguments_of_a_parser, yields_an_array_by_name, returns_a_number_of_numpy,
            returns_a_tensor_with_its_graph, reports_a_tensor, reports_by_keyword, reports_epochs_from_0,
            reports_epochs_that_are_floats, swallows_exceptions, returns_a_generator, returns_after_its_yields,
            parses_no_command_line, sets_defaults, sets_up_logging, takes_any, has_a_default, returns_a_decimal,
            reports_nothing_that_is_a_number, reports_far_below, yields_from_another,
        )
    },
    "a lambda": lambda lr: lr,
    "a partial": functools.partial(lambda width, lr: lr, 8),
    "a partial of a generator": functools.partial(yields_a_number_by_name),
    "a bound method": Trainer().fit,
    "a method of its class": Trainer.of_its_class,
    "a decorated function": decorated(returns_a_number_of_numpy),
    "a decorated generator": torch.no_grad()(yields_a_number_by_name),
    "an object": Trainer(),
}  # fmt: skip


def trained(function, folder):
    """Run one trial of a function in this process, as a launcher does."""
    path = path_of(as_function(function))
    config = {
        "trainer": {"_target_": path},
        "plugins": [path.partition(".")[0]],
        "objective": {"metric": "valid/acc"},
        "args": {"lr": 0.5},
        "seed": 0,
        "fold": 0,
    }
    spec = TrialSpec("s", TrialId(0, 0), config, {}, (), "key", str(folder))
    batch, events = TrialBatch(execute, (spec,)), []
    while not batch.ended:
        events += batch.advance((Decision.CONTINUE,))
    *messages, end = events
    assert isinstance(end, Ended)
    return [each.message for each in messages[1:]], end.result


@pytest.mark.parametrize("name", WORKS)
def test_it_works(name, tmp_path):
    before = sys.argv[:], logging.getLogger().handlers[:]
    reports, result = trained(WORKS[name], tmp_path)
    logging.getLogger().handlers[:] = before[1]
    assert (result.state, result.reason) == (TrialState.COMPLETE, "")
    assert result.score == 0.5 or reports[-1].metrics["valid/acc"] == 0.5
    assert [each.epoch for each in reports] in ([1], [0, 1, 2], [1, 2], [1, 2, 3])
    assert (torch.zeros(1).device.type, torch.get_default_dtype()) == ("cpu", torch.float32)
    assert sys.argv == before[0]


# What fails, and the line that is printed


def yields_an_array(lr):
    yield np.array([lr])


def yields_a_number(lr):
    yield lr


def yields_the_epoch_too(lr):
    yield 1, {"valid/acc": lr}


def yields_groups(lr):
    yield {"train": {"loss": 1.0}}


def returns_none(lr):
    torch.zeros(1)


def returns_a_text(lr):
    return "0.9"


def returns_two(lr):
    return lr, 1.0


def returns_a_model_after_its_yields(lr):
    yield {"valid/acc": lr}
    return torch.nn.Identity()


def reports_a_number(lr):
    hpsearch.report(lr)


def reports_a_name(lr):
    hpsearch.report("valid/acc", lr)


def reports_a_text(lr):
    hpsearch.report({"train/loss": 1.0, "valid/acc": "good"}, epoch=1)


def reports_half_an_epoch(lr):
    hpsearch.report({"valid/acc": lr}, epoch=1.5)


def reports_twice(lr):
    hpsearch.report({"train/loss": 0.1}, epoch=1)
    hpsearch.report({"valid/acc": 0.1}, epoch=1)


def reports_in_a_generator(lr):
    hpsearch.report({"valid/acc": lr})
    yield {"valid/acc": lr}


def raises_several_lines(lr):
    raise ValueError("\n  sizes do not match:\n   3 and 4\n")


def misspells_an_argument(args):
    return args.lrr


def takes_no_arguments():
    return 0.1


def parses_a_command_line(lr):
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    return parser.parse_args() and lr


def exhausts_an_iterator(lr):
    hpsearch.report({"valid/acc": lr}, epoch=1)
    next(iter([]))


def leaves(lr):
    sys.exit("no data in ./data")


def ends_as_a_program(lr):
    hpsearch.report({"valid/acc": lr}, epoch=1)
    sys.exit(0)


def takes_it_by_its_place(lr, /):
    return lr


def goes_back(lr):
    hpsearch.report({"valid/acc": lr}, epoch=3)
    hpsearch.report({"valid/acc": lr}, epoch=2)


def reports_none(lr):
    hpsearch.report({"valid/acc": None}, epoch=1)


def reports_more_than_a_float(lr):
    hpsearch.report({"valid/acc": 10**400}, epoch=1)


def returns_a_function(lr):
    return takes_any


def reports_in_a_thread(lr):
    failed = []
    thread = threading.Thread(target=lambda: failed.append(_raised(lambda: hpsearch.report(acc=lr))), name="other")
    thread.start()
    thread.join()
    raise failed[0]


def _raised(call):
    try:
        call()
    except BaseException as error:
        return error


def runs_away(lr):
    return runs_away(lr)


FAILS = {
    yields_an_array: f"the training generator yielded array([0.5]): it must be numbers by name, {EXAMPLE}",
    yields_a_number: f"the training generator yielded 0.5: it must be numbers by name, {EXAMPLE}",
    yields_the_epoch_too: "the training generator yielded (1, {'valid/acc': 0.5}): it must be numbers by name,",
    yields_groups: "the training generator yielded 'train': {'loss': 1.0}: each must be a number, by its name,",
    returns_none: "the function returned None and reported nothing: return its valid/acc, or call hpsearch.report(",
    returns_a_text: f"the function returned '0.9': it must be a number, or numbers by name, {EXAMPLE}",
    returns_two: "the function returned 2 values; objectives are 1 (valid/acc)",
    returns_a_model_after_its_yields: "the training generator returned Identity(): it must be a number, or",
    reports_a_number: f"hpsearch.report was given 0.5: it must be numbers by name, {EXAMPLE}",
    reports_a_name: f"hpsearch.report was given 'valid/acc': it must be numbers by name, {EXAMPLE}",
    reports_a_text: f"hpsearch.report was given 'valid/acc': 'good': each must be a number, by its name, {EXAMPLE}",
    reports_half_an_epoch: "hpsearch.report: epoch = 1.5: must be a whole number >= 0",
    reports_twice: "epoch 1 was reported before; report epochs in order, each once and with all that was measured",
    reports_in_a_generator: "hpsearch.report: this trial's function is a generator: it must yield what it measured",
    raises_several_lines: "ValueError: sizes do not match:",
    misspells_an_argument: "there is no argument lrr, did you mean 'lr'? (there are: lr)",
    takes_no_arguments: "nothing reads lr: the function takes no arguments and did not call hpsearch.params(); write `",
    parses_a_command_line: "SystemExit: argparse: the following arguments are required: data; the function of a trial",
    exhausts_an_iterator: "RuntimeError: the function raised StopIteration, as next() does where there is nothing",
    leaves: "SystemExit: no data in ./data",
    ends_as_a_program: "SystemExit: sys.exit(0): return from the function of a trial instead",
    takes_it_by_its_place: "takes_it_by_its_place takes it by its place alone: take `/` out of its arguments",
    goes_back: "hpsearch.report: epoch = 2: epoch 3 was reported before; report epochs in order, each once and with",
    reports_none: f"hpsearch.report was given 'valid/acc': None: each must be a number, by its name, {EXAMPLE}",
    returns_a_function: "the function returned <function takes_any at ",
    reports_in_a_thread: "hpsearch.report was called in thread 'other': call it in the thread of the trial's function",
    runs_away: "RecursionError: maximum recursion depth exceeded",
}  # fmt: skip


def test_a_truth_is_a_number_and_what_is_not_finite_makes_a_point_infeasible(tmp_path):
    assert trained(lambda lr: np.bool_(True), tmp_path / "0")[0][0].metrics == {"valid/acc": 1.0}
    _, result = trained(lambda lr: math.nan, tmp_path / "1")
    assert (result.state, result.reason) == (TrialState.INFEASIBLE, "valid/acc is nan after epoch 1")
    _, result = trained(reports_more_than_a_float, tmp_path / "2")
    assert (result.state, result.reason) == (TrialState.INFEASIBLE, "valid/acc is inf after epoch 1")


@pytest.mark.parametrize("function", FAILS, ids=lambda function: function.__name__)
def test_the_line_says_what_to_write(function, tmp_path):
    _, result = trained(function, tmp_path)
    assert result.state is TrialState.FAILED
    assert FAILS[function] in result.reason and len(result.reason.splitlines()) == 1


# What ends before anything is trained


async def a_coroutine(lr):
    return lr


def needs_another(learning_rate):
    return learning_rate


STUDY = "study:\n  question: Which rate?\nspace:\n  args.lr: choice(1, 2)\n"
REFUSED = {
    "a class": (lambda: search(Trainer), "Trainer'>: is a class: pass a function that makes one, trains it, and"),
    "a call": (lambda: search(needs_another(1)), "trial_fn = 1: is no function: pass the function itself, not what it"),
    "a coroutine": (lambda: search(a_coroutine), "is async: pass a function that calls asyncio.run on it"),
    "another name": (lambda: search(needs_another), "needs_another takes no such argument (it takes: learning_rate)"),
    "a list as space": (lambda: search(of_a_mapping, space=["lr"]), "space = ['lr']: must be a mapping by the"),
    "an array": (
        lambda: search(of_a_mapping, arguments={"data": np.ones(3)}),
        "arguments.data: holds a ndarray: must be None, true or false, numbers, texts, lists and mappings of them; let",
    ),
    "another metric": (
        lambda: search(yields_a_number_by_name, objective="val_acc"),
        "objective.metric = 'val_acc': no report has it, did you mean 'valid/acc'? (reported: valid/acc)",
    ),
    "space.lr": (
        lambda: search(needs_another, space={"learning_rate": [1]}, overrides=["space.learning_rate=choice(1, 2)"]),
        "does not read it; it takes args.learning_rate, write space.args.learning_rate (from the command line)",
    ),
    "no first line": (
        lambda: study("my_conf/study/mine.yaml", STUDY),
        "mine.yaml: its first line must be `# @package _global_`; without it all of it is options of study",
    ),
    "a comment above it": (
        lambda: study("my_conf/study/mine.yaml", f"# mine\n# @package _global_\n{STUDY}"),
        "mine.yaml: its first line must be `# @package _global_`",
    ),
}  # fmt: skip


def search(function, **given):
    options = {"space": {"lr": [1, 2]}, "sampler": "grid", "tracker": "none", "overrides": ["launcher=inline"]}
    run_search(function, **options | given)


def study(file, text):
    Path(file).parent.mkdir(parents=True)
    Path(file).write_text(text)
    run_study(["+study=mine", "tracker=none"], config_dirs=["my_conf"])


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_what_to_write(name, here):
    call, line = REFUSED[name]
    with pytest.raises(HpsearchError) as refused:
        call()
    assert isinstance(refused.value, ConfigError) and line in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
