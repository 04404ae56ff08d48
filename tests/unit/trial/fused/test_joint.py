"""A trial of a group is its plain twin."""

from pathlib import Path

import pytest
import torch
from torch import nn

from hpsearch.base.widths import WIDTHS
from hpsearch.regularizers import L2
from hpsearch.trial.fused import fusing
from tests.support.fused import DIGITS, alone, assert_same, doubled, make, together
from tests.support.jobs import make_job, make_splits

CONF = Path(__file__).parents[4] / "conf"
MLP = (*DIGITS, "model=mlp", "model.hidden=[8]")
MOMENTUM = (*MLP, "optimizer=momentum")


def compare(folder, words, members, folds=None):
    """Train members, each of a seed of its own, together and alone."""
    jobs, twins = (
        [
            make([*words, *more], folder / f"{name}{k}", k, fold=0 if folds is None else folds[k])
            for k, more in enumerate(members)
        ]
        for name in ("fused", "plain")
    )
    assert [fusing.fault(job) for job in jobs] == [""] * len(jobs)
    assert len({fusing.key_of(job) for job in jobs}) == 1
    for found, twin in zip(together(jobs), twins, strict=True):
        assert_same(found, alone(twin))
        assert f"*{len(jobs)}" in found.result.facts[WIDTHS]


OPTIMIZERS = sorted(file.stem for file in (CONF / "optimizer").glob("*.yaml"))
RATES = {"sgd": 0.1, "momentum": 0.05, "momentum_warmup": 0.05, "nesterov": 0.05, "adadelta": 1.0, "lion": 0.001}
UNMOVED = ("sgd", "momentum_warmup", "adadelta", "adagrad", "rmsprop")
"""Without a momentum that one-cycle may move."""
SCHEDULES = {
    "constant": ["scheduler=constant"],
    "one_cycle": ["scheduler=one_cycle"],
    "cosine_restarts": ["scheduler=cosine_restarts", "scheduler.T_0=7", "scheduler.per=step"],
    "cosine with warm-up": ["scheduler=cosine", "scheduler.warmup_steps=9"],
}
NORMS = ("l1", "l2", "lp")
STRENGTHS = {"none": (0, 0, 0), "l1": (0.001, 0, 0), "l2": (0, 0.01, 0), "lp": (0, 0, 0.01)}


def recipe(optimizer, schedule, penalty, k):
    """Return words of a member; the weights of all but the first decay, decoupled where the optimizer does that."""
    words = [f"optimizer={optimizer}", *SCHEDULES[schedule], "regularizer=[l1,l2,lp]"]
    words += [f"optimizer.lr={RATES.get(optimizer, 0.01) * 0.8**k}", f"optimizer.weight_decay={0.01 * k}"]
    words += ["scheduler.cycle_momentum=false"] * (schedule == "one_cycle" and optimizer in UNMOVED)
    return words + [f"regularizer.{n}.strength={each}" for n, each in zip(NORMS, STRENGTHS[penalty], strict=True)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_with_schedules_and_penalties(tmp_path, optimizer):
    pairs = enumerate(zip(SCHEDULES, STRENGTHS, strict=True))
    words = [*MLP, "trainer.eval_every=5", "trainer.watch_layers=false", "trainer.keep_end_mib=0"]
    compare(tmp_path, words, [recipe(optimizer, schedule, penalty, k) for k, (schedule, penalty) in pairs])


@pytest.mark.long
@pytest.mark.parametrize("penalty", STRENGTHS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_with_every_schedule_and_penalty(tmp_path, optimizer, penalty):
    words = [recipe(optimizer, schedule, penalty, k) for k, schedule in enumerate((*SCHEDULES, *SCHEDULES))]
    compare(tmp_path, MLP, words)


def pair(*first):
    """Return two members, the other one at another rate."""
    return [[*first, "optimizer.lr=0.05"], [*first, "optimizer.lr=0.01"]]


SHORT = ("trainer.epochs=2",)
MODELS = {
    "softmax": [],
    "mlp": ["model.hidden=[8,6]", "model.norm=batch", "model.dropout=[0.2,0.4]"],
    "lenet": ["model.kernel_size=3", "model.hidden=[8]", "model.channels=[3,4]", "model.norm=batch"],
    "small_conv": ["model.channels=[3,4]", "model.hidden=[8]", "model.norm=layer"],
    "resnet18": ["model.blocks=[1,1]", "model.width=4"],
    "spatial_transformer": ["model.kernel_size=3"],
    "gru": ["model.hidden=5"],
    "lstm": ["model.hidden=5"],
    "elman": ["model.hidden=5"],
    "jordan": ["model.hidden=5"],
    "vit": ["model.size=8", "model.depth=1", "model.heads=2", "model.dropout=0.2"],
}


@pytest.mark.parametrize("model", MODELS)
def test_every_kind_of_layer(tmp_path, model):
    words = [*DIGITS, *SHORT, f"model={model}", "optimizer=momentum", *MODELS[model]]
    compare(tmp_path, words, pair())


CASES = {
    "elastic net": ["regularizer=elastic_net"],
    "mixup": ["regularizer=mixup", "regularizer.mixup.alpha=1.0"],
    "hinge": ["loss=hinge", "loss.power=2"],
    "perceptron": ["loss=perceptron"],
    "squared error of classes": ["loss=mse"],
    "class weights": ["data.class_weights=balanced", "loss.label_smoothing=0.1"],
    "balanced sampling": ["data.sampling=balanced"],
    "a last batch of fewer, not shuffled": ["data.batch_size=33", "data.shuffle=false", "trainer.watch_layers=false"],
    "the training part too": ["trainer.eval_train=each"],
    "outputs kept": ["trainer.keep_predictions=all", "trainer.test=true", "trainer.eval_train=true"],
    "best of the curve": ["objective.reduce=best", "trainer.test=true"],
    "mean of the end": ["objective.reduce=end", "trainer.test=true"],
}


@pytest.mark.parametrize("case", CASES)
def test_what_members_share(tmp_path, case):
    compare(tmp_path, [*MOMENTUM, *SHORT], pair(*CASES[case]))


DIFFERENT = {
    "limits of gradients": [["trainer.clip_norm=0.5"], ["trainer.clip_value=0.01"], [], ["trainer.clip_norm=0.1"]],
    "smoothing": [["loss.label_smoothing=0.1"], ["loss.label_smoothing=0.0"]],
    "focus of weighted classes": [
        ["loss=focal", "data.class_weights=balanced", f"loss.gamma={gamma}"] for gamma in (1.0, 2.0)
    ],
    "weights of classes": [["data.class_weights=balanced"], [f"data.class_weights={[1, 2] * 5}"]],
    "rates of dropout": [[f"model.dropout={rate}"] for rate in (0.5, 0.0, 0.2)],
    "norms of units": [["regularizer=max_norm", f"regularizer.max_norm.limit={limit}"] for limit in (0.3, 3.0)],
    "one with a constraint": [["regularizer=max_norm", "regularizer.max_norm.limit=0.3"], ["regularizer=none"]],
    "exponents": [["regularizer=lp", f"regularizer.lp.p={p}"] for p in (1.2, 1.7)],
    "biases too": [["regularizer=l2", f"regularizer.l2.bias_and_norm={each}"] for each in ("true", "false")],
    "mixing": [["regularizer=mixup"], ["regularizer=mixup", "regularizer.mixup.alpha=1.0"]],
    "sampling": [["data.sampling=balanced"], ["data.sampling=null"]],
    "forms of momentum": [["optimizer.momentum=0.5"], ["optimizer.nesterov=true"], ["optimizer.dampening=0.3"]],
    "lengths": [["trainer.epochs=2"], ["trainer.epochs=4"], ["trainer.steps=17"], ["trainer.steps=3"]],
    "evaluations": [["trainer.eval_every=0.25"], ["trainer.eval_steps=7"], ["trainer.eval_every=2"], []],
    "views": [["trainer.eval_train=each"], ["trainer.eval_train=true"], ["trainer.eval_initial=false"]],
    "losses kept": [["trainer.log_every=1"], ["trainer.log_every=3"]],
    "a divergence": [["optimizer.lr=1000"], ["optimizer.lr=0.1"]],
    "a stop": [
        ["regularizer=early_stopping", "regularizer.early_stopping.patience=1", "optimizer.lr=2", "trainer.epochs=12"],
        ["trainer.epochs=6"],
    ],
    "a stop without a return": [
        [
            *["regularizer=early_stopping", "regularizer.early_stopping.patience=1", "optimizer.lr=2"],
            *["regularizer.early_stopping.restore_best=false", "trainer.epochs=12"],
        ],
        ["trainer.epochs=6"],
    ],
    "plateaus": [["scheduler=reduce_on_plateau", "scheduler.patience=0", "optimizer.lr=1", "trainer.epochs=6"], []],
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_members_differ_in(tmp_path, case):
    compare(tmp_path, [*MOMENTUM, *SHORT], DIFFERENT[case])


def test_augmented_images(tmp_path):
    words = [*DIGITS, *SHORT, "optimizer=momentum", "model=lenet", "model.kernel_size=3", "model.hidden=[8]"]
    compare(tmp_path, words, [["augment=rotation"], ["augment=crop"], ["augment=[flip,erasing]"], []])


def test_numbers(tmp_path):
    words = ["data=diabetes", "data.train_size=100", "model=mlp", "model.hidden=[8]", "trainer.epochs=3"]
    for loss in ("mse", "huber", "l1"):
        compare(tmp_path / loss, [*words, f"loss={loss}", "optimizer=momentum"], pair())


class Scaled(nn.Sequential):
    """A network with a parameter without axes."""

    def __init__(self):
        super().__init__(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x):
        return super().forward(x) * self.scale


class Shifted(nn.Module):
    """A network without weights."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        return x[:, :3] + self.bias


@pytest.mark.parametrize(("model", "all_of_it"), [(Scaled, True), (Shifted, False)])
def test_a_parameter_without_axes_and_nothing_to_penalize(tmp_path, model, all_of_it):
    more = {"make_model": lambda: model().double(), "regularizers": {"l2": L2(strength=0.1, bias_and_norm=all_of_it)}}
    splits = doubled(make_splits())
    jobs, twins = (
        [make_job(tmp_path / f"{name}{k}", seed=k, splits=splits, clip_norm=0.5, **more) for k in range(2)]
        for name in ("fused", "plain")
    )
    for found, twin in zip(together(jobs), twins, strict=True):
        assert_same(found, alone(twin))


def test_folds_of_equal_size(tmp_path):
    words = [*MOMENTUM, *SHORT, "data.folds=9", "data.train_size=160"]
    compare(tmp_path, words, pair(), folds=(1, 2))


TAGGING = ("data=tagging", "data.sentences=200", "trainer.epochs=2", "optimizer=momentum", "trainer.test=true")
WORDS = {
    "encoder": ["model=encoder", "model.size=8", "model.heads=2", "model.depth=1", "model.dropout=0.2"],
    "gru": ["model=gru", "model.hidden=5", "metric=f1_macro"],
    "lstm": ["model=lstm", "model.hidden=5", "model.bidirectional=true", "model.layers=2", "model.dropout=0.3"],
    "weighted": ["model=gru", "model.hidden=5", "data.class_weights=balanced"],
}


@pytest.mark.parametrize("case", WORDS)
def test_a_label_for_every_word(tmp_path, case):
    compare(tmp_path, [*TAGGING, *WORDS[case]], pair())


@pytest.mark.parametrize("model", ["logistic", "svm", "perceptron"])
def test_two_classes(tmp_path, model):
    words = ["data=breast_cancer", "data.train_size=100", f"model={model}", "trainer.epochs=2", "optimizer=sgd"]
    loss = {"logistic": ["loss=binary_cross_entropy"], "svm": ["loss=hinge"], "perceptron": ["loss=perceptron"]}
    compare(tmp_path, [*words, *loss[model]], pair())
