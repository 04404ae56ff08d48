"""What a command is told of a trial."""

import json

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.study.turns import Told, told_by


def told(**said):
    return told_by([], None, None, lambda: json.dumps(said))


def test_standard_input_says_what_was_measured():
    assert told(trial="1/0", metrics={"valid/acc": 0.9}) == Told("1/0", {"valid/acc": 0.9})
    assert told(trial="1/0", failed="no memory") == Told("1/0", {}, None, "no memory")


@pytest.mark.parametrize("metrics", [True, 0.5, "0.5", [0.5]])
def test_what_was_measured_is_a_table(metrics):
    with pytest.raises(ConfigError) as error:
        told(trial="1/0", metrics=metrics)
    said = json.dumps(metrics)
    assert str(error.value) == f'standard input: metrics = {said}: must be a table such as {{"valid/acc": 0.9}}'


@pytest.mark.parametrize("epoch", ["", "1", True, 1.5, [1]])
def test_an_epoch_is_a_whole_number(epoch):
    assert told(trial="1/0", metrics={"a": 1}, epoch=2).epoch == 2
    with pytest.raises(ConfigError) as error:
        told(trial="1/0", metrics={"a": 1}, epoch=epoch)
    assert str(error.value).startswith(f"standard input: epoch = {json.dumps(epoch)}: must be a whole number")
