import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import TrialState
from hpsearch.config.compose import compose
from hpsearch.models.mlp import MLP
from hpsearch.nn.dropout import Dropout
from hpsearch.trial.build import preflight, prepare
from hpsearch.trial.evaluate import evaluate
from hpsearch.trial.finetune import FineTune, blocks
from hpsearch.trial.loop import train
from tests.support.jobs import drive


class Normed(nn.Module):
    """Two convolutions with batch normalization, one of them without weights of its own, and a head."""

    def __init__(self, in_shape, num_outputs, width=4):
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(nn.Conv2d(in_shape[0], width, 3), nn.BatchNorm2d(width), nn.ReLU()),
            nn.Sequential(nn.Conv2d(width, width, 3), nn.BatchNorm2d(width, affine=False), nn.Dropout(0.5)),
        )
        self.flatten = nn.Flatten()
        self.output = nn.Linear(width * (in_shape[1] - 4) * (in_shape[2] - 4), num_outputs)

    def forward(self, x):
        return self.output(self.flatten(self.features(x)))


def tuned(mode, file, model=None, **options):
    torch.manual_seed(3)
    model = model or Normed((1, 8, 8), 10)
    return model, FineTune(mode=mode, source=str(file), **options).apply(model)


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(1)
    path = tmp_path / "best.safetensors"
    safetensors.torch.save_file(Normed((1, 8, 8), 10).state_dict(), path)
    return path


def small(*overrides, classes=10):
    words = ("data.train_size=100", "data.batch_size=25", "trainer.epochs=2", "trainer.device=cpu", "seed=4")
    return compose((*words, *overrides)).trial({}, 4, 0).config


def job(folder, mode, file, *overrides, model=Normed):
    """A trial on digits whose model is `Normed`."""
    words = ("optimizer=sgd", "optimizer.lr=0.1", f"finetune={mode}", f"finetune.source={file}")
    config = small(*words, *overrides)
    config["plugins"] = ["tests"]
    config["model"] = {"_target_": f"{__name__}.{model.__name__}", "_partial_": True}
    return prepare(config, "key", folder / "run")


def names(modules, model):
    by_id = {id(module): name for name, module in model.named_modules()}
    return [by_id[id(module)] for module in modules]


def test_blocks_go_from_the_input_to_the_head():
    model = Normed((1, 8, 8), 10)
    assert [names(part, model) for part in blocks(model)] == [
        ["features.0.0", "features.0.1", "features.0.2"],
        ["features.1.0", "features.1.1", "features.1.2", "flatten"],
        ["output"],
    ]


def test_what_stands_before_the_first_weights_and_what_wraps_a_model_makes_no_block():
    inner = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4), nn.Linear(4, 4), Dropout(0.1), nn.Linear(4, 2))
    wrapped = nn.Module()
    wrapped.net = inner
    assert [names(part, wrapped) for part in blocks(wrapped)] == [["net.0", "net.1", "net.2", "net.3"], ["net.4"]]
    assert blocks(nn.Linear(3, 2))
    with pytest.raises(ConfigError, match="has no weights"):
        blocks(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(4)))


def test_a_checkpoint_is_loaded_statistics_included(file):
    wanted = safetensors.torch.load_file(file)
    for mode in ("predict", "head", "last_k", "all"):
        model, _ = tuned(mode, file)
        assert all(torch.equal(value, wanted[name]) for name, value in model.state_dict().items())
    fresh, nothing = tuned("none", file)
    assert not torch.equal(fresh.output.weight, wanted["output.weight"])
    assert nothing.frozen == () and not nothing.facts


TRAINED = {
    ("predict", 1): set(),
    ("head", 1): {"output"},
    ("last_k", 1): {"output", "features.1.0"},
    ("last_k", 2): {"output", "features.1.0", "features.0.0", "features.0.1"},
    ("all", 1): {"output", "features.1.0", "features.0.0", "features.0.1"},
}


@pytest.mark.parametrize(("mode", "k"), TRAINED)
def test_frozen_weights_and_statistics_stay_bit_identical(tmp_path, file, mode, k):
    built = job(tmp_path, mode, file, f"finetune.k={k}")
    before = {name: value.clone() for name, value in built.model.state_dict().items()}
    messages, result = drive(train(built))
    assert result.state is TrialState.COMPLETE
    assert messages[-1].epoch == (0 if mode == "predict" else 2)
    moved = {name for name, value in built.model.state_dict().items() if not torch.equal(value, before[name])}
    parameters = {name for name, _ in built.model.named_parameters()}
    assert {name.rpartition(".")[0] for name in moved & parameters} == TRAINED[mode, k]
    statistics = {name.rpartition(".")[0] for name in moved - parameters}
    assert statistics == {
        norm
        for norm, block in (("features.0.1", "features.0.0"), ("features.1.1", "features.1.0"))
        if block in TRAINED[mode, k]
    }
    sizes = {name: p.numel() for name, p in built.model.named_parameters()}
    trained = {name: size for name, size in sizes.items() if name.rpartition(".")[0] in TRAINED[mode, k]}
    assert messages[0].facts["finetune.trained"] == sum(trained.values())


def test_predicting_evaluates_the_checkpoint_and_nothing_else(tmp_path, file):
    built = job(tmp_path, "predict", file, "trainer.test=true", "trainer.eval_initial=false", "trainer.epochs=7")
    messages, _ = drive(train(built))
    assert [message.epoch for message in messages] == [None, 0]
    valid, test = (
        evaluate(built.model, built.model, built.loss, s, 1000, built.metrics)
        for s in (built.splits.valid, built.splits.test)
    )
    assert messages[-1].metrics == {f"valid/{k}": v for k, v in valid.items()} | {
        f"test/{k}": v for k, v in test.items()
    }
    config = small("finetune=predict", f"finetune.source={tmp_path / 'mlp.safetensors'}")
    safetensors.torch.save_file(MLP((1, 8, 8), 10).state_dict(), tmp_path / "mlp.safetensors")
    assert set(preflight(config)["metrics"]) == {"valid/loss", "valid/acc"}


def test_the_pretrained_part_has_a_rate_of_its_own(tmp_path, file):
    """One step of gradient descent moves weights by their own rate times their gradient."""
    words = ("data.batch_size=full", "trainer.epochs=1", "trainer.eval_initial=false")
    moved = {}
    for factor in (1.0, 0.25):
        built = job(tmp_path, "all", file, f"finetune.rate_factor={factor}", *words)
        before = {name: p.detach().clone() for name, p in built.model.named_parameters()}
        drive(train(built))
        moved[factor] = {name: p.detach() - before[name] for name, p in built.model.named_parameters()}
    for name, change in moved[1.0].items():
        scale = 1 if name.startswith("output") else 0.25
        torch.testing.assert_close(moved[0.25][name], scale * change, rtol=1e-3, atol=1e-6)


def test_rates_compose_with_decay(tmp_path, file):
    words = ("optimizer.weight_decay=0.1", "finetune.rate_factor=0.5")
    groups = job(tmp_path, "all", file, *words).optimizer.param_groups
    kinds = {(group["weight_decay"], group.get("rate_factor", 1.0)): len(group["params"]) for group in groups}
    assert kinds == {(0.1, 0.5): 2, (0.0, 0.5): 4, (0.1, 1.0): 1, (0.0, 1.0): 1}


@pytest.mark.parametrize("mode", ["head", "last_k", "all"])
def test_a_head_of_another_shape_starts_afresh(file, mode):
    wanted = safetensors.torch.load_file(file)
    torch.manual_seed(5)
    model = Normed((1, 8, 8), 3)
    fresh = model.output.weight.detach().clone(), model.output.bias.detach().clone()
    FineTune(mode=mode, source=str(file)).apply(model)
    assert torch.equal(model.output.weight, fresh[0]) and torch.equal(model.output.bias, fresh[1])
    assert torch.equal(model.features[0][0].weight, wanted["features.0.0.weight"])


def test_a_head_for_as_many_other_classes_starts_afresh_when_asked(file):
    model, _ = tuned("all", file, fresh_head=True)
    fresh, _ = tuned("none", file)
    assert torch.equal(model.output.weight, fresh.output.weight)
    assert not torch.equal(model.features[0][0].weight, fresh.features[0][0].weight)


def test_predicting_needs_the_head(file):
    with pytest.raises(ConfigError, match="has no head for these classes"):
        tuned("predict", file, model=Normed((1, 8, 8), 3))
    with pytest.raises(ConfigError, match=r"finetune\.fresh_head = True: finetune=predict trains nothing"):
        tuned("predict", file, fresh_head=True)


def test_another_architecture_is_refused_by_the_differing_names(file):
    with pytest.raises(ConfigError) as error:
        tuned("head", file, MLP((1, 8, 8), 10))
    text = str(error.value)
    assert "it lacks hidden.0" in text
    assert "; it has features.0.0.bias, features.0.0.weight, features.0.1.bias and 9 more" in text
    with pytest.raises(ConfigError, match=r"other shapes of features.0.0.weight \(4x1x3x3, here 6x1x3x3\)"):
        tuned("all", file, Normed((1, 8, 8), 10, width=6))


def test_a_pickle_is_refused_and_never_read(tmp_path, monkeypatch):
    class Bomb:
        def __reduce__(self):
            return (Path(tmp_path / "exploded").touch, ())

    (tmp_path / "a.safetensors").write_bytes(pickle.dumps(Bomb()))
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Bomb()))
    torch.save({"state_dict": {"weight": torch.ones(2)}, "more": Bomb()}, tmp_path / "c.pt")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "d.pt")
    told = {
        "a.safetensors": "is what torch.save or pickle writes",
        "b.pt": "is a pickle of more",
        "c.pt": "is a pickle",
    }
    for name, message in {**told, "d.pt": "is a pickle of more than weights"}.items():
        with pytest.raises(ConfigError, match=f"{name} {message}") as error:
            tuned("all", tmp_path / name)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model.", "model._orig_mod."])
@pytest.mark.parametrize("inside", [None, "state_dict", "model"])
def test_a_state_dict_is_loaded_whatever_wrapped_the_model(tmp_path, file, prefix, inside):
    weights = safetensors.torch.load_file(file)
    state = {f"{prefix}{name}": value for name, value in weights.items()}
    torch.save(state if inside is None else {inside: state, "epoch": 3}, tmp_path / "model.pt")
    model = Normed((1, 8, 8), 10)
    tuned("all", tmp_path / "model.pt", model=model)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_a_prefix_stays_where_the_weights_do_not_fit_without_it(tmp_path):
    torch.save({"module.other": torch.ones(2)}, tmp_path / "model.pt")
    with pytest.raises(ConfigError, match=r"it has module\.other"):
        tuned("all", tmp_path / "model.pt")


def test_a_file_without_weights_is_said_in_one_line(tmp_path):
    for content in ({}, [1], {"epoch": 3}, {"state_dict": {"a": 1}}):
        torch.save(content, tmp_path / "model.pt")
        with pytest.raises(ConfigError, match=r"model\.pt holds no state dict, tensors by name"):
            tuned("all", tmp_path / "model.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "model.pt").read_bytes()[:-60])
    (tmp_path / "text.pt").write_text("no weights")
    for name in ("cut.pt", "text.pt", "none.pt"):
        with pytest.raises(ConfigError, match=f"{name} (cannot be read as|is a pickle|is no file)") as error:
            tuned("all", tmp_path / name)
        assert "\n" not in str(error.value)


def test_what_cannot_be_read_is_said_in_one_line(tmp_path, file):
    (tmp_path / "text.safetensors").write_text("no weights at all")
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:-100])
    for name, message in {"text": "cannot be read as", "cut": "cannot be read as", "none": "is no file"}.items():
        with pytest.raises(ConfigError, match=f"{name}.safetensors {message}") as error:
            tuned("all", tmp_path / f"{name}.safetensors")
        assert "\n" not in str(error.value)


BAD = {
    ("finetune=head",): "finetune.source = null: finetune=head starts from a checkpoint",
    ("finetune=last_k", "finetune.k=0"): "finetune.k = 0: must be a whole number >= 1",
    ("finetune=all", "finetune.rate_factor=0"): "finetune.rate_factor = 0: must be a number in (0, inf)",
    ("finetune=al",): "finetune=al: no such option, did you mean 'all'?",
}


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_bad_values_are_refused(words):
    with pytest.raises(ConfigError) as error:
        preflight(compose(words).trial({}, 0, 0).config)
    assert BAD[words] in str(error.value)


def test_more_blocks_than_there_are_are_refused(file):
    with pytest.raises(ConfigError, match=r"finetune.k = 3: the model has 2 blocks in front of its head"):
        tuned("last_k", file, k=3)
