"""Broken set-ups are caught by the right gate with the right cause; sound ones pass every gate."""

import sys
from pathlib import Path

import pytest

from hpsearch.base.errors import ConfigError, HpsearchError
from hpsearch.config.build import build
from hpsearch.config.compose import compose
from hpsearch.config.groups import describe_groups
from hpsearch.launch.inline import InlineLauncher
from hpsearch.study.recipe_context import RecipeContext
from hpsearch.study.run_stages import run_stages
from hpsearch.study.stages.base import Verdict, check_stages

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[1] / "mistakes"
GATES = ("data_check", "initial_loss", "determinism", "input_baseline", "gradient_isolation", "overfit_small")
FIXED = "~space.optimizer.lr"


def model(name):
    return ("model=mistaken", f"model._target_=my_mistakes.models.{name}")


def data(mistake):
    return ("data=broken", f"data.mistake={mistake}")


BROKEN = {
    "softmax applied twice": (model("SoftmaxTwice"), "initial_loss", "softmax applied twice"),
    "sigmoid applied twice": (
        (*model("SigmoidTwice"), "loss=binary_cross_entropy"),
        "initial_loss",
        "softmax applied twice",
    ),
    "loss summed over the batch": (("loss=summed",), "initial_loss", "loss summed over the batch"),
    "labels shuffled": (data("shuffled_labels"), "input_baseline", "inputs say nothing of the targets"),
    "labels 1 to C": (data("labels_from_one"), "data_check", "labels from 1"),
    "labels 1 to C, C + 1 classes": (data("labels_from_one_and_a_class_more"), "data_check", "labels from 1"),
    "one class": (data("one_class"), "data_check", "one class"),
    "not finite": (data("infinite"), "data_check", "not finite"),
    "inputs not scaled": ((*data("bytes"), "data.scaling=none"), "data_check", "inputs not scaled"),
    "constant inputs": (data("constant_inputs"), "data_check", "constant inputs"),
    "leak": (data("repeated"), "data_check", "leak"),
    "all-zero init": (("init=zeros",), "initial_loss", "units all alike"),
    "all weights the same": (("init=constant",), "initial_loss", "units all alike"),
    "init 100 times too large": (model("HugeWeights"), "initial_loss", "initial outputs too large"),
    "vanishing gradient": (
        ("model.hidden=[64,64,64,64,64,64,64,64]", "model.activation=sigmoid"),
        "overfit_small",
        "vanishing gradients",
    ),
    "frozen parameters": (model("Frozen"), "gradient_isolation", "frozen parameters"),
    "detached": (model("Detached"), "gradient_isolation", "parameters without gradient"),
    "optimizer without the head": (
        ("optimizer=headless",),
        "gradient_isolation",
        "parameters missing in the optimizer",
    ),
    "dropout in evaluation": (model("AlwaysDropping"), "gradient_isolation", "evaluation in training mode"),
    "batch statistics in evaluation": (model("NeverEvaluates"), "gradient_isolation", "evaluation in training mode"),
    "batch norm on one sample": (
        ("model.norm=batch", "data.batch_size=1"),
        "initial_loss",
        "batch norm on one sample",
    ),
    "rate too high": (("optimizer.lr=50", FIXED), "overfit_small", "learning rate too high"),
    "rate too low": (("optimizer.lr=5e-5", FIXED), "overfit_small", "learning rate too low"),
    "model too small": (("model.hidden=[1]",), "overfit_small", "model too small"),
    "loss mixes samples": (("loss=centred",), "gradient_isolation", "samples mixed in the loss"),
    "layer mixes samples": (model("NormalizesTheBatch"), "gradient_isolation", "samples mixed in the model"),
    "draws outside the seed": (model("OwnNoise"), "determinism", "draws outside the seed"),
    "imbalance": (data("imbalanced"), "data_check", "class imbalance"),
    "targets not centred": (
        ("data=diabetes", "loss=mse", "objective=valid_loss", "data.target_scaling=none"),
        "initial_loss",
        "targets not centred",
    ),
}

SOUND = {
    "MLP": (),
    "MLP of a project's own": model("Net"),
    "LeNet": ("model=lenet", "model.kernel_size=3"),
    "batch norm": ("model.norm=batch", "model.hidden=[64,64]"),
    "regression": ("data=diabetes", "loss=mse", "objective=valid_loss", "data.target_scaling=standardize"),
    "imbalanced 3:1": data("three_to_one"),
    "imbalanced 99:1, weighted": (*data("imbalanced"), "data.class_weights=balanced"),
    "dropout, augmentation, penalty and mixup": ("model.dropout=0.3", "augment=crop", "regularizer=[l2,mixup]"),
    "He init, standardized": ("init=he_normal", "data.scaling=standardize", "model.hidden=[64,64,64]"),
    "log prior, Adam": ("init.output_bias=log_prior", "optimizer=adam"),
    "binary cross-entropy": ("loss=binary_cross_entropy",),
    "softmax regression from zero": ("model=softmax", "init=zeros"),
}


def few(cases):
    """Return the cases, all but every sixth for the long tests."""
    return [case if place % 6 == 0 else pytest.param(case, marks=pytest.mark.long) for place, case in enumerate(cases)]


@pytest.fixture(autouse=True)
def mine(monkeypatch):
    """Import the package with the mistakes here, as a run from its folder does."""
    monkeypatch.syspath_prepend(str(PROJECT))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_mistakes"]:
        del sys.modules[name]


class Quiet:
    def line(self, text):
        pass


def found(*words, gates=GATES):
    """What the gates found up to the first that failed, in the order of the recipe."""
    composition = compose(["+study=recipe", f"stage=[{','.join(gates)}]", *words], [PROJECT / "my_conf"])
    stages = {name: build("stage", options) for name, options in composition.config["stages"].items()}
    assert list(stages) == list(gates)
    check_stages(stages, describe_groups()["sampler"])

    context = RecipeContext(composition, InlineLauncher(), Quiet(), {"name": "gates", "uid": "1"}, None)
    return run_stages(stages, {}, context, lambda name, finding: None)


@pytest.mark.parametrize("case", few(BROKEN))
def test_a_mistake_is_caught_by_its_gate(case):
    words, gate, cause = BROKEN[case]
    upto = GATES[: GATES.index(gate) + 1]
    findings = found(*words, gates=upto)
    wrong = {name: each.cause for name, each in findings.items() if each.verdict is not Verdict.PASS}
    if gate == "overfit_small" and wrong.get("input_baseline") == "nothing learnt":
        del wrong["input_baseline"]  # what cannot be learnt is seen there too, and named here
    assert wrong == {gate: cause}, findings
    assert findings[gate].action and findings[gate].sentence


@pytest.mark.parametrize("case", few(SOUND))
def test_a_sound_setup_passes_every_gate(case):
    findings = found(*SOUND[case])
    assert {name: each.cause for name, each in findings.items()} == dict.fromkeys(GATES, ""), findings
    assert all(each.verdict is Verdict.PASS for each in findings.values())


def test_a_rate_that_is_searched_is_only_a_warning():
    finding = found(*data("bytes"), "data.scaling=none", gates=["overfit_small"])["overfit_small"]
    assert (finding.verdict, finding.cause) == (Verdict.WARN, "learning rate too high")
    assert "lr_find" in finding.action


@pytest.mark.parametrize("gate", GATES[1:])
def test_a_model_without_parameters_is_refused_in_one_line(gate):
    with pytest.raises(ConfigError, match=r"^model: .*parameter.* train") as refused:
        found(*model("Empty"), gates=[gate])
    assert "\n" not in str(refused.value)


def test_numbers_to_predict_are_refused_where_classes_are_expected():
    with pytest.raises(ConfigError, match=r"objective.metric = 'valid/acc': no report has it.*valid/loss"):
        found("data=diabetes", "loss=mse", gates=["data_check"])
    for gate in GATES[1:]:
        with pytest.raises(ConfigError, match=r"CrossEntropyLoss is for classes, the data has numbers.*loss=mse"):
            found("data=diabetes", "objective=valid_loss", gates=[gate])


def test_a_stage_that_needs_what_no_stage_before_gave_names_the_giver():
    with pytest.raises(
        ConfigError, match=r"^stage: fine needs fine_space, which no stage before it gives: put coarse in front"
    ):
        found(gates=["data_check", "fine"])


@pytest.mark.parametrize("words", [("stage=[data_chek]",), ("stages.data_chek.on_fail=continue",)])
def test_unknown_stages_are_refused_in_one_line(words):
    with pytest.raises(HpsearchError, match="data_chek") as refused:
        compose(["+study=recipe", *words])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("stages.data_check.leak=2", r"stages.data_check.leak = 2: must be a number in \[0, 1\]"),
        ("stages.initial_loss.excess=0", "stages.initial_loss.excess = 0"),
        ("stages.determinism.steps=0", "stages.determinism.steps = 0: must be a whole number >= 1"),
        ("stages.input_baseline.factors=1", "stages.input_baseline.factors = 1: must be a list of numbers"),
        ("stages.input_baseline.factors=[-1]", "stages.input_baseline.factors = -1"),
        ("stages.gradient_isolation.samples=1", "stages.gradient_isolation.samples = 1"),
        ("stages.overfit_small.goal=1", "stages.overfit_small.goal = 1"),
        ("stages.overfit_small.on_fail=never", "stages.overfit_small.on_fail = 'never': must be one of stop, continue"),
    ],
)
def test_a_threshold_out_of_range_is_refused(word, message):
    with pytest.raises(ConfigError, match=message):
        found(word)
