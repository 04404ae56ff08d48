"""Models that a model contains, and how well they learn the sample that it does not."""

import math
from typing import ClassVar

import numpy as np
import pytest
import torch

from hpsearch.config.compose import compose
from hpsearch.study.stages.overfit_small import OverfitSmall
from hpsearch.trial.build import prepare
from hpsearch.trial.measure import contained, measure
from hpsearch.trial.measure.contained import _contradicting, forms

SHORT = {"samples": 16, "steps": 120, "factors": (0.1, 10.0), "goal": 0.01}
MLP = {"_target_": "hpsearch.models.mlp.MLP", "hidden": [64, 64, 64, 64]}


def words_of(model, in_shape=(1, 8, 8), outputs=10, **more):
    return [words for words, _ in forms(model, in_shape, outputs, **more)]


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (MLP, ["model.hidden=[64,64]", "one linear layer"]),
        ({**MLP, "hidden": [64]}, ["one linear layer"]),
        ({**MLP, "hidden": [19]}, []),  # a linear layer with 10 outputs needs 20 units
        ({**MLP, "hidden": [20]}, ["one linear layer"]),
        ({**MLP, "hidden": [64, 32]}, ["one linear layer"]),  # 32 units pass on no 64
        ({**MLP, "hidden": [64, 8]}, []),
        ({**MLP, "hidden": []}, ["one linear layer"]),
        ({"_target_": "hpsearch.models.vit.ViT", "depth": 4}, ["model.depth=2", "one linear layer"]),
        ({"_target_": "hpsearch.models.resnet.ResNet", "blocks": [2, 1]}, ["model.blocks=[1,1]", "one linear layer"]),
        ({"_target_": "hpsearch.models.recurrent.RecurrentNet", "hidden": 64, "layers": 1}, ["one linear layer"]),
        ({"_target_": "hpsearch.models.linear.SoftmaxRegression"}, []),
        ({"_target_": "hpsearch.models.polynomial.PolynomialRegression"}, []),
        ({"_target_": "hpsearch.models.torchvision.Torchvision"}, []),
        ({"_target_": "hpsearch.models.mlp_of_size.MLPOfSize", "depth": 4, "parameters": 20000}, []),
        ({"_target_": "my_package.Net", "hidden": [64, 64]}, []),
    ],
)
def test_what_a_model_contains(model, expected):
    assert words_of(model) == expected


def test_a_linear_layer_reads_no_words():
    model = {"_target_": "hpsearch.models.encoder.Encoder", "depth": 2}
    assert words_of(model, of_words=True) == ["model.depth=1"]


def test_rates_of_dropout_by_layer_are_left_out_of_a_shallower_model():
    ((_, options), _) = forms({**MLP, "dropout": [0.1, 0.2, 0.3, 0.4]}, (64,), 10)
    assert options["hidden"] == [64, 64] and options["dropout"] == 0.0


def test_samples_contradict_that_have_the_same_inputs_and_other_targets():
    x = torch.tensor([[0.0], [1.0], [1.0], [2.0], [2.0], [2.0]])
    assert _contradicting(x, torch.tensor([0, 1, 1, 2, 2, 3])) == 3
    assert _contradicting(x, torch.tensor([0, 1, 1, 2, 2, 2])) == 0


def finding(*words):
    """What the gate finds of a trial, in this process."""
    composition = compose(["trainer.device=cpu", *words])

    class Here:
        space: ClassVar = {}

        def config(self):
            return composition.trial({}, 0).config

        def measure(self, name, config, **options):
            return measure(name, config, **options)

    return OverfitSmall(samples=16, steps=120, factors=(0.1, 10.0)).run(Here())


def npz(folder, name, x, y):
    np.savez(folder / f"{name}.npz", x=x.astype("float32"), y=y)
    return (
        *("data=npz", f"data.path={folder / name}.npz", "data.batch_size=32", "data.scaling=none"),
        *("data.test_fraction=null", "data.valid_fraction=0.25"),
    )


def xor(size=128):
    x = np.random.default_rng(0).choice([-1.0, 1.0], (size, 2))
    return x, (x.prod(1) > 0).astype(int)


def test_zero_weights_are_a_failure_of_the_optimization():
    found = finding("init=zeros", "model.hidden=[32]")
    assert found.verdict == "fail" and found.cause == "bad initialization"
    assert "one linear layer, which the model contains, reaches" in found.sentence
    assert found.numbers["loss of one linear layer"] < 0.5 < found.numbers["loss"]


def test_a_deep_sigmoid_network_is_a_failure_of_the_optimization():
    found = finding("model.hidden=[32,32,32,32,32,32]", "model.activation=sigmoid")
    assert found.verdict == "fail" and found.cause in ("vanishing gradients", "optimization failure")
    assert "which the model contains, reaches" in found.sentence
    assert "it is the optimization that fails" in found.sentence


def test_a_linear_model_of_xor_falls_short_itself(tmp_path):
    data = npz(tmp_path, "xor", *xor())
    found = finding(*data, "model=softmax")
    assert (found.verdict, found.cause) == ("fail", "model too small")
    assert "it is linear" in found.sentence and "optimization fails" not in found.sentence
    assert finding(*data, "model=mlp", "model.hidden=[16]").verdict == "pass"


def test_contradicting_labels_are_neither(tmp_path):
    x, y = xor()
    y[1::2] = np.random.default_rng(1).permutation(y[1::2])
    found = finding(*npz(tmp_path, "both", x, y), "model.hidden=[16]")
    assert (found.verdict, found.cause) == ("fail", "contradicting labels")
    assert "3 of the sample have the inputs of another one" in found.sentence


@pytest.mark.parametrize(
    ("words", "convex"),
    [
        (["model=softmax"], True),
        (["model=softmax", "loss=hinge"], True),
        (["model=softmax", "loss=mse"], False),  # of probabilities: not convex in the weights
        (["model=softmax", "loss=focal"], False),
        (["model=linear", "data=diabetes", "loss=mse", "objective=valid_loss"], True),
        (["model.hidden=[1]"], False),
    ],
)
def test_a_linear_model_is_convex_with_a_convex_loss(words, convex):
    known = measure("contained", compose(["trainer.device=cpu", *words]).trial({}, 0).config, **{**SHORT, "steps": 1})
    assert known["convex"] is convex and known["forms"] == ()


def test_what_is_contained_is_trained_alike_and_its_passes_are_counted():
    config = compose(["trainer.device=cpu", "model.hidden=[32,32]"]).trial({}, 0).config
    known = measure("contained", config, **SHORT)
    assert [form["words"] for form in known["forms"]] == ["model.hidden=[32]"]  # it fits: no further one is trained
    assert known["forms"][0]["fitted"] and math.isfinite(known["forms"][0]["loss"]) and 0 < known["passes"] < 10


def test_a_model_that_starts_from_weights_is_compared_with_none(monkeypatch):
    config = compose(["trainer.device=cpu"]).trial({}, 0).config
    job = prepare(config)
    monkeypatch.setattr(contained, "prepare", lambda given: job)
    found = contained.contained({**config, "finetune": {"source": "x"}}, **SHORT)
    assert found.forms == ()
