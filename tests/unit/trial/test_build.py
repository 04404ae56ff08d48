import subprocess
import sys
from pathlib import Path

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, TrialId, TrialSpec, TrialState
from hpsearch.config.compose import compose
from hpsearch.data.digits import Digits
from hpsearch.launch.base import Ended
from hpsearch.launch.batch import TrialBatch
from hpsearch.models.mlp import MLP
from hpsearch.trial.build import execute, preflight, prepare
from hpsearch.trial.reading import forget
from tests.support.jobs import curve, drive, same_weights, weights


def config(*overrides):
    small = ("data.train_size=100", "trainer.epochs=2", "trainer.device=cpu", "model.hidden=[8]")
    return compose((*small, *overrides)).trial({}, 0, 0).config


def spec(folder, *overrides):
    return TrialSpec("study", TrialId(3, 0), config(*overrides), {}, (), "key", str(folder))


def job(*overrides):
    return prepare(config(*overrides), "key", Path("nowhere"))


def test_importing_it_loads_no_torch():
    code = "import sys, hpsearch.trial.build; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_trial_trains_from_its_configuration(tmp_path):
    messages, result = drive(execute((spec(tmp_path, "trainer.test=true"),)))
    assert [m.epoch for m in messages] == [None, 0, 1, 2]
    assert result.state is TrialState.COMPLETE
    assert messages[-1].metrics["train/loss"] < messages[1].metrics["valid/loss"]
    assert "test/acc" in messages[-1].metrics
    facts = messages[0].facts
    assert facts["parameters"] == 65 * 8 + 9 * 10
    assert (facts["data.train_size"], facts["data.valid_size"]) == (100, 288)
    assert len(facts["data.digest"]) == 16
    assert facts["torch"] == torch.__version__
    assert facts["threads"] == torch.get_num_threads()
    assert facts["device"]


def test_the_same_configuration_is_the_same_trial_bit_for_bit(tmp_path):
    first, _ = drive(execute((spec(tmp_path / "a", "model.dropout=0.2"),)))
    torch.rand(5)
    second, _ = drive(execute((spec(tmp_path / "b", "model.dropout=0.2"),)))
    assert curve(first) == curve(second)


def test_initialization_is_addressed_by_the_seed():
    state = torch.get_rng_state()
    first, other = job(), prepare({**config(), "seed": 1}, "key", Path("nowhere"))
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    assert same_weights(weights(first), weights(job()))
    assert not same_weights(weights(first), weights(other))


def test_weights_are_drawn_by_the_init_group_from_the_seed():
    first, again, other = (
        prepare({**config("init=he_normal", "init.bias=0.25"), "seed": seed}, "key", Path("nowhere")).model
        for seed in (0, 0, 1)
    )
    std = (2 / 64) ** 0.5
    assert first.hidden[0][0].weight.std().item() == pytest.approx(std, rel=0.05)
    assert torch.equal(first.hidden[0][0].weight, again.hidden[0][0].weight)
    assert not torch.equal(first.hidden[0][0].weight, other.hidden[0][0].weight)
    assert (first.output.bias == 0.25).all()


def test_the_output_bias_can_be_the_log_prior_of_the_training_split():
    built = job("init=zeros", "init.output_bias=log_prior")
    shares = torch.bincount(built.splits.train.y) / len(built.splits.train)
    torch.testing.assert_close(built.model(built.splits.train.x[:1]).softmax(1)[0], shares)
    entropy = -(shares * shares.log()).sum()
    torch.testing.assert_close(built.loss(built.model(built.splits.train.x), built.splits.train.y), entropy)


def test_options_of_ours_do_not_reach_torch():
    built = job("optimizer=adamw", "optimizer.weight_decay=0.3", "scheduler=cosine", "scheduler.warmup_steps=2")
    groups = built.optimizer.param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(2, 0.3), (2, 0.0)]
    assert built.table.lr[:3].tolist() == pytest.approx([0.001 / 3, 0.002 / 3, 0.001])
    assert built.table.momentum is None
    assert len(built.table.lr) == 2 * built.steps_per_epoch == 4
    every = job("optimizer=adamw", "optimizer.decay_bias_and_norm=true")
    assert len(every.optimizer.param_groups) == 1


def test_regularizers_are_built_by_name():
    assert job().regularizers == {}
    assert job("regularizer=l2", "regularizer.l2.strength=0.5").regularizers["l2"].strength == 0.5


def test_a_full_batch_is_one_step_per_epoch():
    built = job("data.batch_size=full")
    assert (built.batching.size, built.steps_per_epoch) == (100, 1)


def test_data_is_loaded_once_per_worker(monkeypatch):
    forget()
    loads = []
    load = Digits.load
    monkeypatch.setattr(Digits, "load", lambda self, test=False, *at: loads.append(test) or load(self, test, *at))
    splits = preflight(config()) and job().splits
    assert loads == [False]
    assert job("data.batch_size=10", "optimizer.lr=1", "model.hidden=[4]").splits is splits
    assert loads == [False]
    job("trainer.test=true")
    job("data.scaling=none")
    assert loads == [False, True, False]


def test_the_test_split_is_not_loaded_without_being_asked_for():
    assert job().splits.test is None
    assert job("trainer.test=true").splits.test is not None


def test_preflight_tells_what_a_trial_will_report(tmp_path):
    told = preflight(config("trainer.test=true", "model.dropout=0.5"))
    messages, _ = drive(execute((spec(tmp_path, "trainer.test=true"),)))
    assert set(told["metrics"]) == set(messages[-1].metrics)
    assert told["steps_per_epoch"] * 2 == messages[-1].step
    known = {name: fact for name, fact in messages[0].facts.items() if not name.startswith("constant.")}  # of the data
    assert {name: told[name] for name in known} == known


FOLLOWING = {
    ("optimizer=momentum_warmup",): lambda job: job.table.momentum.tolist() == [0.5] * 4,
    ("optimizer=adam", "scheduler=one_cycle"): lambda job: job.table.momentum is not None,
    ("scheduler=reduce_on_plateau",): lambda job: job.plateau.metric == "valid/acc",
    ("scheduler=reduce_on_plateau", "objective=valid_loss"): lambda job: job.plateau.make.keywords["mode"] == "min",
    ("scheduler=halve_when_flat", "scheduler.metric=train/loss"): lambda job: job.plateau.metric == "train/loss",
    ("regularizer=[l1,max_norm,mixup,early_stopping]",): lambda job: (
        list(job.regularizers) == ["l1"] and len(job.constraints) == 1 and job.mixing and job.early_stopping
    ),
}


@pytest.mark.parametrize("overrides", FOLLOWING, ids=" ".join)
def test_what_is_configured_gets_into_the_loop(overrides):
    assert FOLLOWING[overrides](job(*overrides))


def test_preflight_tells_the_metrics_asked_for_and_the_penalty(tmp_path):
    words = ("metric=[f1_macro,top_k]", "metric.top_k.k=3", "regularizer=[l2,early_stopping]")
    told = preflight(config(*words))
    messages, _ = drive(execute((spec(tmp_path, *words),)))
    assert {"train/penalty", "valid/f1_macro", "train/top_3"} <= set(told["metrics"]) == set(messages[-1].metrics)


MISFITS = {
    ("scheduler=one_cycle", "optimizer=adagrad"): "scheduler.cycle_momentum = True: the optimizer has no momentum",
    ("scheduler=one_cycle", "optimizer=sgd"): "scheduler.cycle_momentum = True: the optimizer has no momentum",
    ("scheduler=expression", "scheduler.factor='exec(1)'"): "scheduler.factor = 'exec(1)': exec(1) may not be used",
    ("scheduler=reduce_on_plateau", "scheduler.metric=valid/los"): "scheduler.metric = 'valid/los': is not reported",
    (
        "regularizer=early_stopping",
        "regularizer.early_stopping.metric=test/acc",
    ): "early_stopping.metric = 'test/acc'",
    ("regularizer=[mixup,cutmix]",): "regularizer = [mixup, cutmix]: only one of these at a time",
    ("regularizer=cutmix", "data=wine", "data.train_size=null"): "regularizer.cutmix: needs images",
    ("metric=[top_k]", "metric.top_k.k=11"): "metric.top_k.k = 11: but there are 10 classes",
    ("metric=rmse",): "metric.rmse: is for a regression, and the data is a classification",
    ("data=diabetes", "data.train_size=null"): "loss: CrossEntropyLoss is for classes, the data has numbers to predict",
    ("loss=l1", "loss._target_=torch.nn.MSELoss"): ("loss: MSELoss is for numbers, the data has classes: loss=mse"),
    ("loss=l1",): "loss: L1Loss is for numbers, the data has classes: loss=cross_entropy",
    ("loss=hinge", "data=diabetes", "data.train_size=null"): "loss: Hinge is for classes",
    ("loss=mse", "loss.outputs=sigmoid", "data=diabetes", "data.train_size=null"): "loss.outputs = 'sigmoid': is for",
    ("model.activation_slope=0.2",): "model.activation_slope = 0.2: model.activation = 'relu' has none",
    ("model.norm=group", "model.norm_groups=5"): "model.norm_groups = 5: must divide the 8 channels of every layer",
    ("loss=focal", "loss.weight=[1, 2]"): "loss.weight: 2 weights, but there are 10 classes",
    ("model.norm=batch", "data.batch_size=99", "data.drop_last=false"): (
        "data.batch_size = 99: training has 100 samples, so a batch has 1"
    ),
    ("model.norm=batch", "data.batch_size=1"): "data.batch_size = 1: training has 100 samples, so a batch has 1",
    ("scheduler=reduce_on_plateau", "scheduler.per=step"): "scheduler.per",
    ("optimizer=nesterov", "optimizer.momentum=0"): "Nesterov momentum requires a momentum",
    ("data.batch_size=101",): "data.batch_size = 101: the training part has 100 samples",
    ("trainer.device=cuda:99",): "trainer.device = 'cuda:99': this machine has ",
    ("model=lenet", "~model.hidden", "+model.hidden=[8]"): "LeNet with model.kernel_size = 5 needs images",
    ("scheduler.warmup_steps=4",): "scheduler.warmup_steps = 4: the run has 4 steps",
}


@pytest.mark.parametrize("overrides", MISFITS, ids=" ".join)
def test_preflight_refuses_what_does_not_fit_together_in_one_line(overrides):
    with pytest.raises(ConfigError) as error:
        preflight(config(*overrides))
    assert MISFITS[overrides] in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("model=svm",),
            "CrossEntropyLoss, but a SupportVectorMachine is trained with loss=hinge; a linear layer with",
        ),
        (("model=perceptron", "loss=hinge"), "Hinge, but a Perceptron is trained with loss=perceptron"),
    ],
)
def test_a_linear_machine_is_not_trained_with_the_loss_of_another(words, message):
    with pytest.raises(ConfigError, match=message):
        preflight(compose(("trainer.device=cpu", *words)).trial({}, 0, 0).config)


def test_a_configuration_that_cannot_be_built_is_not_tried_again(tmp_path):
    batch = TrialBatch(execute, (spec(tmp_path, "data.batch_size=101"),))
    (event,) = batch.advance(())
    assert isinstance(event, Ended)
    assert (event.result.state, event.result.retry) == (TrialState.FAILED, False)
    assert event.result.reason == "data.batch_size = 101: the training part has 100 samples"


def test_an_error_in_the_model_may_be_tried_again(tmp_path, monkeypatch):
    def broken(self, x):
        raise ValueError("no such layer")

    batch = TrialBatch(execute, (spec(tmp_path),))
    batch.advance(())
    monkeypatch.setattr(MLP, "forward", broken)
    (event,) = batch.advance((Decision.CONTINUE,))
    assert (event.result.state, event.result.retry) == (TrialState.FAILED, True)
    assert "in broken" in event.result.traceback


def through_batch(one):
    """Return what a worker hears of a trial: its messages, and the result of whatever escaped it."""
    batch, heard = TrialBatch(execute, (one,)), []
    while not batch.ended:
        heard += batch.advance((Decision.CONTINUE,))
    return heard[:-1], heard[-1].result


def test_lack_of_gpu_memory_is_infeasible(tmp_path, monkeypatch):
    def forward(self, x):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.\nmore")

    monkeypatch.setattr(MLP, "forward", forward)
    messages, result = through_batch(spec(tmp_path))
    assert len(messages) == 1
    assert result.state is TrialState.INFEASIBLE
    assert result.reason == "out of memory: CUDA out of memory. Tried to allocate 20 GiB."


def test_lack_of_memory_here_is_infeasible(tmp_path):
    _, result = through_batch(spec(tmp_path, f"model.hidden=[{10**12}]"))
    assert result.state is TrialState.INFEASIBLE
    assert result.reason.startswith("out of memory: ")


def test_another_runtime_error_is_not_taken_for_lack_of_memory(tmp_path, monkeypatch):
    def forward(self, x):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(MLP, "forward", forward)
    with pytest.raises(RuntimeError, match="mat1"):
        drive(execute((spec(tmp_path),)))


def test_weights_of_the_classes_reach_the_loss_of_torch():
    weights = [1.0] * 9 + [3.0]
    assert prepare(config(f"loss.weight={weights}"), key="", folder=Path()).loss.weight.tolist() == weights
    with pytest.raises(ConfigError, match=r"loss.weight = \[1, 2\]: must hold 10 numbers, one per output"):
        prepare(config("loss.weight=[1, 2]"), key="", folder=Path())
