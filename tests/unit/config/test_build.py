"""Only what a group is for can be built from a configuration."""

import functools

import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.config.build import KINDS, build
from hpsearch.config.compose import compose
from hpsearch.config.groups import describe_groups
from tests.support.vision import install

OURS = {
    "optimizer": {"decay_bias_and_norm", "initial_momentum", "initial_momentum_steps"},
    "scheduler": {"per", "warmup", "warmup_steps", "metric"},
    "sampler": {"first", "prior"},
}
BY_THE_USER = {("trainer", "own"), ("trainer", "outside"), ("trainer", "command")}
"""Options of which nothing is built: the user fills them in, or trains."""
OPTIONS = [(g, o) for g, options in describe_groups().items() if g in KINDS and g != "stage" for o in options]
OPTIONS = [pair for pair in OPTIONS if pair not in BY_THE_USER]
NEEDED = {
    "table": {"path": "table.csv", "target": "kind"},
    "npz": {"path": "arrays.npz"},
    "conll": {"path": "train.conll"},
    "images": {"folder": "images"},
    "dataset": {"dataset": {"_target_": "torch.utils.data.TensorDataset", "_args_": []}},
}
"""What a user must say of an option."""
RUN_TIME = {"sampler": {"seed": 3}, "model": {"in_shape": (1, 28, 28), "num_outputs": 10}}
OF_MODEL = {"logistic": {"num_outputs": 2}, "encoder": {"in_shape": (12,), "vocabulary": 7}}
"""What a model is for that is not for ten kinds of images."""
ALONE = ("trainer=outside", "trainer=command")
"""Read no other group, and refuse words that set one."""


@functools.cache
def composed(place):
    """Compose the option at one place of every group, the first where a group has fewer."""
    groups = {group: options for group, options in describe_groups().items() if group in KINDS}
    words = [
        f"{group}={(options + options[:1] * place)[place]}" for group, options in groups.items() if group != "stage"
    ]
    return compose([word for word in words if word not in ALONE]).config


@pytest.mark.parametrize("option", sorted({*describe_groups()["stage"]} - {"none"}))
def test_every_stage_composes_and_builds(option):
    stages = compose([f"stage=[{option}]"]).config["stages"]
    assert list(stages) == [option]
    assert build("stage", stages[option]).on_fail in ("stop", "continue")


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_builds(group, option, monkeypatch, tmp_path):
    if (group, option) == ("launcher", "ray"):
        pytest.importorskip("ray")
    config = composed(describe_groups()[group].index(option))[group]
    if option in ("torchvision", "timm"):  # with stand-ins for the libraries
        install(monkeypatch, tmp_path)
        config["name"] = "small"
    parts = [config] if "_target_" in config else list(config.values())
    for part in parts:
        arguments = {key: value for key, value in part.items() if key not in OURS.get(group, ())}
        arguments |= NEEDED.get(option, {}) if group == "data" else {}
        extra = RUN_TIME.get(group, {}) | OF_MODEL.get(option, {})
        made = build(group, arguments, **extra)
        assert isinstance(made, functools.partial) == bool(part.get("_partial_") and group not in RUN_TIME)


def refused(kind, config, plugins=(), **extra):
    with pytest.raises(ConfigError) as error:
        build(kind, config, plugins, **extra)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "target",
    [
        "torch.load",
        "torch.serialization.load",
        "torch.hub.load",
        "torch.jit.load",
        "torch.nn.functional.relu",
        "torch.nn.init.orthogonal_",
        "torch.nn.Linear.forward",
        "torch.nn.Embedding.from_pretrained",
        "torch.Tensor",
        "torch.optim.SGD",
        "torch.float32",
        "optuna.load_study",
        "hpsearch.study.api.run_study",
        "hpsearch.config.compose.compose",
        "hpsearch.search.samplers.Grid",
    ],
)
def test_what_is_not_of_the_kind_is_refused(target):
    message = refused("model", {"_target_": target})
    assert target in message
    assert "is not torch.nn.Module" in message or "is no class" in message


@pytest.mark.parametrize(
    ("target", "package"),
    [
        ("os.system", "os"),
        ("builtins.eval", "builtins"),
        ("subprocess.Popen", "subprocess"),
        ("torch.os.system", "posix"),
        ("hpsearch.config.groups.Path", "pathlib"),
        ("torchvision.models.resnet18", "torchvision"),
        ("hpsearch_evil.Net", "hpsearch_evil"),
    ],
)
def test_what_is_of_another_package_is_refused(target, package):
    message = refused("model", {"_target_": target})
    assert f"package {package} may not be used (allowed: hpsearch, torch, optuna; yours go into `plugins`)" in message


def test_a_refused_package_is_not_even_imported(tmp_path, monkeypatch):
    (tmp_path / "booby_trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "package booby_trap may not be used" in refused("model", {"_target_": "booby_trap.Net"})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"_target_": 3}, "model._target_ = 3: must be the dotted path of a class"),
        ({"_target_": "torch"}, "must be the dotted path of a class"),
        ({}, "model._target_ = None: must be"),
        ({"_target_": "torch.nn.Lineer"}, "torch.nn has no Lineer, did you mean 'Linear'?"),
        ({"_target_": "torch.nope.X"}, "torch has no nope"),
        ({"_target_": "torch.nn.ReLU", "_recursive_": False}, "model._recursive_: is not used here"),
        ({"_target_": "torch.nn.Linear", "in_features": 1, "out_feature": 1}, "did you mean 'out_features'?"),
        ({"_target_": "torch.nn.Linear", "in_features": 1}, "model.out_features: torch.nn.Linear needs it"),
        ({"_target_": "torch.nn.Linear", "in_features": -1, "out_features": 1}, "model torch.nn.Linear: Trying to"),
    ],
)
def test_malformed_configurations(config, message):
    assert message in refused("model", config)


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        ({"_target_": "torch.load", "f": "x"}, "is not something a configuration may build"),
        ({"_target_": "os.system", "command": "true"}, "package os may not be used"),
        ({"_target_": "torch.nn.Sequential", "_args_": [{"_target_": "torch.load", "f": "x"}]}, "is not something"),
        ({"_target_": "torch.nn.ReLU", "inplaced": True}, "takes no such argument, did you mean 'inplace'?"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda c: {"_args_": [c]}, lambda c: {"_args_": [{"deep": [{"er": c}]}]}])
def test_what_is_nested_is_held_to_the_same(inner, reason, wrap):
    message = refused("model", {"_target_": "torch.nn.Sequential", **wrap(inner)})
    assert reason in message
    assert message.startswith("model._args_[0]")


def test_nested_objects_are_built():
    layers = [{"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 2}, {"_target_": "torch.nn.ReLU"}]
    model = build("model", {"_target_": "torch.nn.Sequential", "_args_": layers})
    assert [type(layer) for layer in model] == [nn.Linear, nn.ReLU]
    wrapped = {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 2}
    build("pruner", {"_target_": "optuna.pruners.PatientPruner", "patience": 1, "wrapped_pruner": wrapped})
    assert "n_startup_trials=-1" in refused(
        "pruner",
        {
            "_target_": "optuna.pruners.PatientPruner",
            "patience": 1,
            "wrapped_pruner": {**wrapped, "n_startup_trials": -1},
        },
    )


def test_run_time_arguments_reach_the_target_uncopied():
    parameters = [nn.Parameter(torch.zeros(2))]
    config = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5}
    optimizer = build("optimizer", config, params=parameters)
    assert optimizer.param_groups[0]["params"][0] is parameters[0]
    later = build("optimizer", config)(parameters)
    assert later.param_groups[0]["params"][0] is parameters[0]
    assert later.param_groups[0]["lr"] == 0.5


def test_run_time_arguments_may_not_be_configured():
    config = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5, "params": 3}
    assert "optimizer.params = 3: is given at run time" in refused("optimizer", config, params=[])


def test_lists_arrive_as_plain_lists():
    config = {"_target_": "torch.optim.Adam", "_partial_": True, "betas": [0.5, 0.6]}
    assert type(build("optimizer", config).keywords["betas"]) is list


def test_our_own_errors_pass_unchanged():
    config = {"_target_": "hpsearch.trial.loop.Trainer", "epochs": 0}
    assert refused("trainer", config) == "trainer.epochs = 0: must be a whole number >= 1"


class TestPlugins:
    """A user's own package."""

    def made(self, name, plugins=("my_net_package",), **config):
        config = {"_target_": f"my_net_package.{name}", "_partial_": True, **config}
        return build("model", config, plugins, in_shape=(1, 8, 8), num_outputs=10)

    def test_a_users_class_and_function(self, my_package):
        assert self.made("Net", width=3).shape == ((1, 8, 8), 10, 3)
        assert self.made("make_net", width=4).shape == ((1, 8, 8), 10, 4)

    def test_a_constructor_that_refuses_is_one_line(self, my_package):
        with pytest.raises(ConfigError) as error:
            self.made("Net", width=101)
        assert str(error.value) == "model my_net_package.Net: too wide"

    def test_lack_of_memory_passes(self, my_package):
        with pytest.raises(MemoryError, match="no room"):
            self.made("Huge")

    def test_the_package_must_be_named(self, my_package):
        with pytest.raises(ConfigError, match="package my_net_package may not be used"):
            self.made("Net", plugins=(), width=3)

    @pytest.mark.parametrize("name", ["forgotten", "liar"])
    def test_a_function_must_say_what_it_returns(self, my_package, name):
        with pytest.raises(ConfigError, match="nor a function of yours that is annotated to return it"):
            self.made(name)

    def test_what_a_plugin_imports_is_not_the_plugins(self, my_package):
        with pytest.raises(ConfigError, match="package _pickle may not be used"):
            self.made("loads")

    def test_a_model_that_does_not_take_the_shapes(self, my_package):
        with pytest.raises(ConfigError, match="must take an argument 'in_shape', which it is given at run time"):
            self.made("Bare")

    @pytest.mark.parametrize(
        ("source", "message"),
        [
            ("import no_such_module", "importing my_net_package failed: No module named 'no_such_module'"),
            ("1 / 0", "importing my_net_package failed: ZeroDivisionError"),
        ],
    )
    def test_a_package_that_does_not_import(self, my_package, source, message):
        my_package(source)
        with pytest.raises(ConfigError, match=message):
            self.made("Net", width=3)

    def test_a_package_that_is_not_there(self):
        with pytest.raises(ConfigError, match="no module named my_net_package"):
            self.made("Net", width=3)
