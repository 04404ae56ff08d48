"""The registry of measurements: what a name stands for, and what its function is given."""

import importlib
import inspect
import subprocess
import sys

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.config.compose import compose
from hpsearch.trial.measure import MEASUREMENTS, measure

SMALL = ("data=digits", "model.hidden=[8]", "trainer.device=cpu")


@pytest.fixture(scope="module")
def config():
    return compose(SMALL).trial({}, 0).config


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_name_is_a_function_that_asks_for_a_trial_or_its_configuration(name):
    module, _, attribute = MEASUREMENTS[name].partition(":")
    function = getattr(importlib.import_module(module), attribute)
    assert next(iter(inspect.signature(function).parameters)) in ("job", "config")


def test_a_function_that_asks_for_a_trial_is_given_one_and_its_record_comes_back_plain(config):
    found = measure("initial_loss", config, samples=64)
    assert isinstance(found, dict) and found["zero"] == pytest.approx(2.302585, rel=1e-5)


def test_a_function_that_asks_for_the_configuration_is_given_it(config):
    found = measure("determinism", config, steps=3)
    assert found["same_weights"] and found["losses"][0] == found["losses"][1] and len(found["losses"][0]) == 3
    assert found["passes"] == pytest.approx(2 * 3 / 18)


def test_a_measurement_of_a_plugin_is_named_by_its_module(config, tmp_path, monkeypatch):
    (tmp_path / "my_measurements.py").write_text("def weights(job, least):\n    return {'device': job.device.type}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    mine = {**config, "plugins": ["my_measurements"]}
    assert measure("my_measurements:weights", mine, least=1) == {"device": "cpu"}
    with pytest.raises(ConfigError, match=r"measurement 'my_measurements:weights': .* not among plugins = \[\]"):
        measure("my_measurements:weights", config, least=1)


def test_an_unknown_name_is_one_line_with_the_nearest(config):
    with pytest.raises(ConfigError, match=r"^no measurement 'initial_los', did you mean 'initial_loss'\?"):
        measure("initial_los", config)


def test_what_a_model_raises_is_one_line_for_the_user(config, monkeypatch):
    (module := type(sys)("my_sums")).add = lambda job: job + 1
    monkeypatch.setitem(sys.modules, "my_sums", module)
    with pytest.raises(ConfigError, match=r"^model, data and loss do not fit together: unsupported operand"):
        measure("my_sums:add", {**config, "plugins": ["my_sums"]})


def test_naming_a_measurement_loads_no_torch():
    code = "import sys, hpsearch.trial.measure; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
