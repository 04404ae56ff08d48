import dataclasses
import math
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hpsearch.base import rng
from hpsearch.base.errors import ConfigError
from hpsearch.base.files import LAYERS
from hpsearch.base.types import Decision, Objective, TrialState
from hpsearch.metrics.auroc import Auroc
from hpsearch.metrics.f1_macro import F1Macro
from hpsearch.nn.dropout import address_dropout, advance
from hpsearch.regularizers import L1, L2, MaxNorm, Mixup
from hpsearch.schedules.plateau import Plateau
from hpsearch.trial import checkpoint, watch
from hpsearch.trial.loop import Trainer, train
from hpsearch.trial.reference import divergence_limit
from tests.support.jobs import at, curve, drive, make_job, make_splits, same_weights, weights

CONF = Path(__file__).parents[3] / "conf" / "trainer"


def textbook(job, epochs, penalty=lambda model: 0.0, clip=lambda model: None, before_step=lambda step: None):
    """The slow obvious loop: returns losses per step, gradient norms and update ratios per step."""
    train = job.splits.train
    losses, gradients, changes, norms = [], [], [], []
    step = 0
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(train), generator=rng.seeded(torch.Generator(), job.seed, "order", epoch))
        for start in range(0, len(order), job.batching.size):
            rows = order[start : start + job.batching.size]
            before_step(step)
            job.optimizer.zero_grad()
            loss = job.loss(job.model(train.x[rows]), train.y[rows])
            (loss + penalty(job.model)).backward()
            old = torch.cat([p.detach().flatten().clone() for p in job.model.parameters()])
            gradients.append(torch.cat([p.grad.flatten() for p in job.model.parameters()]).norm().item())
            clip(job.model)
            job.optimizer.step()
            new = torch.cat([p.detach().flatten() for p in job.model.parameters()])
            losses.append(loss.item())
            changes.append((new - old).norm().item())
            norms.append(old.norm().item())
            step += 1
    return losses, gradients, changes, norms


def test_weights_equal_a_hand_written_loop(tmp_path):
    fast, slow = make_job(tmp_path, epochs=2, log_every=1), make_job(tmp_path, epochs=2)
    messages, _ = drive(train(fast))
    losses, *_ = textbook(slow, 2)
    assert same_weights(weights(fast), weights(slow))
    assert [value for m in messages[1:] for _, value in m.steps] == losses


def test_epoch_metrics_equal_a_slow_computation(tmp_path):
    fast, slow = make_job(tmp_path, epochs=2), make_job(tmp_path, epochs=2)
    report = drive(train(fast))[0][-1]
    losses, gradients, changes, norms = textbook(slow, 2)
    steps = len(losses) // 2
    sizes = [len(fast.splits.train) % 16 if i == steps - 1 else 16 for i in range(steps)]
    chosen = [steps + i for i in sorted(watch.measured_steps(steps))]
    assert report.metrics["train/loss"] == pytest.approx(
        sum(a * n for a, n in zip(losses[steps:], sizes, strict=True)) / sum(sizes)
    )
    assert report.metrics["grad_norm"] == pytest.approx(sum(gradients[i] for i in chosen) / len(chosen))
    assert report.metrics["update_ratio"] == pytest.approx(
        sum(changes[i] for i in chosen) / sum(norms[i] for i in chosen), rel=1e-5
    )
    valid = slow.splits.valid
    slow.model.eval()
    outputs = slow.model(valid.x)
    assert report.metrics["valid/loss"] == pytest.approx(slow.loss(outputs, valid.y).item())
    assert report.metrics["valid/acc"] == pytest.approx((outputs.argmax(1) == valid.y).float().mean().item())


def test_train_accuracy_is_running_over_the_epoch(tmp_path):
    job = make_job(tmp_path, epochs=1)
    seen = []
    forward = job.model.forward

    def spy(x):
        outputs = forward(x)
        if job.model.training:
            seen.append((x, outputs.detach().argmax(1)))
        return outputs

    job.model.forward = spy
    report = drive(train(job))[0][-1]
    # the first six batches are those of the untrained model, see `divergence_limit`
    labels = {tuple(x.tolist()): y.item() for x, y in zip(job.splits.train.x, job.splits.train.y, strict=True)}
    right = [labels[tuple(x.tolist())] == c.item() for xs, cs in seen[6:] for x, c in zip(xs, cs, strict=True)]
    assert len(right) == 90
    assert report.metrics["train/acc"] == pytest.approx(sum(right) / 90)


def test_the_schedule_sets_lr_and_momentum_of_every_step(tmp_path):
    schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.5, total_steps=3)
    fast, slow = (make_job(tmp_path, epochs=3, make_scheduler=schedule) for _ in range(2))

    def set_rates(step):
        slow.optimizer.param_groups[0].update(lr=slow.table.lr[step].item(), momentum=slow.table.momentum[step].item())

    messages, _ = drive(train(fast))
    textbook(slow, 3, before_step=set_rates)
    assert same_weights(weights(fast), weights(slow))
    assert [m.metrics["lr"] for m in messages[2:]] == slow.table.lr[[5, 11, 17]].tolist()
    assert len(set(slow.table.momentum.tolist())) > 1


def test_a_cycled_momentum_is_adams_first_beta(tmp_path):
    schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.5, total_steps=3)
    job = make_job(tmp_path, make_scheduler=schedule, make_optimizer=lambda p: torch.optim.Adam(p, betas=(0.9, 0.99)))
    drive(train(job))
    assert job.optimizer.param_groups[0]["betas"] == (job.table.momentum[-1].item(), 0.99)


@pytest.mark.parametrize(
    ("fields", "clip"),
    [
        ({"clip_norm": 0.3}, lambda model: nn.utils.clip_grad_norm_(model.parameters(), 0.3)),
        ({"clip_value": 0.02}, lambda model: [p.grad.clamp_(-0.02, 0.02) for p in model.parameters()]),
    ],
    ids=["norm", "value"],
)
def test_clipping(tmp_path, fields, clip):
    fast, slow, free = make_job(tmp_path, **fields), make_job(tmp_path), make_job(tmp_path)
    messages, _ = drive(train(fast))
    _, gradients, *_ = textbook(slow, 3, clip=clip)
    drive(train(free))
    assert same_weights(weights(fast), weights(slow))
    assert not same_weights(weights(fast), weights(free))
    chosen = [12 + i for i in sorted(watch.measured_steps(6))]
    assert messages[-1].metrics["grad_norm"] == pytest.approx(sum(gradients[i] for i in chosen) / 4)  # before clipping


def test_regularizers_add_to_the_gradient_and_not_to_the_loss(tmp_path):
    fast, slow = make_job(tmp_path, regularizers={"l2": L2(strength=0.1)}, log_every=1), make_job(tmp_path)
    messages, _ = drive(train(fast))
    losses, *_ = textbook(
        slow, 3, penalty=lambda model: 0.05 * sum((p**2).sum() for p in model.parameters() if p.ndim > 1)
    )
    for name, value in weights(slow).items():
        torch.testing.assert_close(weights(fast)[name], value)
    assert [value for m in messages[1:] for _, value in m.steps] == pytest.approx(losses)


@pytest.mark.parametrize("seed", range(4))
def test_divergence_is_found_at_the_step_of_a_slow_loop(tmp_path, seed):
    def job():
        return make_job(tmp_path, seed=seed, lr=40.0, batch_size=1, epochs=2, diverge_factor=100)

    _, result = drive(train(job()))
    losses, *_ = textbook(job(), 1)
    limit = divergence_limit(job())
    step = next(i for i, loss in enumerate(losses) if not loss <= 100 * limit.reference)
    assert result.state is TrialState.INFEASIBLE
    assert result.reason == (
        f"diverged at step {step + 1}: loss {losses[step]:.6g}, more than 100 times {limit.of}'s {limit.reference:.6g}"
    )
    assert result.facts["diverged_step"] == step + 1


def test_the_limit_is_remembered_across_a_resume(tmp_path):
    def job():
        return make_job(tmp_path, epochs=3, diverge_factor=2.0, lr=0.01)

    drive(train(job()), at(1, Decision.PAUSE))
    resumed = job()

    def spoil(*_):
        for parameter in resumed.model.parameters():
            parameter.data.mul_(30)

    resumed.optimizer.register_step_pre_hook(spoil)
    limit = divergence_limit(job())
    assert torch.load(tmp_path / checkpoint.LAST, weights_only=True)["limit"] == dataclasses.asdict(limit)
    _, result = drive(train(resumed))
    assert f"more than 2 times {limit.of}'s {limit.reference:.6g}" in result.reason


def test_a_model_that_breaks_in_its_last_update_is_infeasible(tmp_path):
    job = make_job(tmp_path, epochs=1)
    updates = []

    def break_the_last(*_):
        updates.append(1)
        if len(updates) == 6:
            next(job.model.parameters()).data.fill_(math.inf)

    job.optimizer.register_step_post_hook(break_the_last)
    _, result = drive(train(job))
    assert (result.state, result.reason) == (
        TrialState.INFEASIBLE,
        "diverged at step 6: validation loss nan after it",
    )


def test_the_test_split_is_not_touched_without_being_asked_for(tmp_path):
    messages, _ = drive(train(make_job(tmp_path)))
    assert not any(name.startswith("test/") for m in messages[1:] for name in m.metrics)


def test_a_stopped_trial_does_not_evaluate_the_test_split(tmp_path):
    job = make_job(tmp_path, test=True)
    job.splits.test.x.fill_(math.nan)
    messages, _ = drive(train(job), at(2, Decision.STOP))
    assert not any(name.startswith("test/") for m in messages[1:] for name in m.metrics)


def test_the_test_split_sees_the_best_weights_when_the_objective_takes_the_best(tmp_path):
    objective = Objective("valid/loss", "minimize", reduce="best")
    job = make_job(tmp_path, test=True, epochs=6, lr=1.0, objective=objective)
    messages, result = drive(train(job))
    best = min(messages[2:], key=lambda m: m.metrics["valid/loss"])
    assert best.epoch == result.facts["best_epoch"] < 6
    again = make_job(tmp_path, test=True, epochs=best.epoch, lr=1.0)
    assert messages[-1].metrics["test/loss"] == drive(train(again))[0][-1].metrics["test/loss"]


def test_of_equal_epochs_the_first_is_the_best(tmp_path, monkeypatch):
    monkeypatch.setattr("hpsearch.trial.engine.evaluate", lambda *_: {"loss": 1.0, "acc": 0.5})
    after = {}
    job = make_job(tmp_path, epochs=3)

    def remember(message):
        after[message.epoch] = weights(job)
        return Decision.CONTINUE

    _, result = drive(train(job), remember)
    assert result.facts == {"best_epoch": 1, "best_score": 0.5}
    checkpoint.load_weights(tmp_path / checkpoint.BEST, job.key, job.model)
    assert same_weights(weights(job), after[1]) and not same_weights(after[1], after[3])


def test_the_best_weights_are_those_of_the_best_epoch(tmp_path):
    from safetensors.torch import load_file

    job = make_job(tmp_path, epochs=6, lr=1.0)
    messages, result = drive(train(job))
    scores = [m.metrics["valid/acc"] for m in messages[2:]]
    epoch = 1 + scores.index(max(scores))
    assert result.facts == {"best_epoch": epoch, "best_score": max(scores)}
    assert result.artifacts == (LAYERS, checkpoint.BEST)
    again = make_job(tmp_path / "again", epochs=epoch, lr=1.0)
    drive(train(again))
    assert same_weights(load_file(tmp_path / checkpoint.BEST), weights(again))


def test_layers_that_draw_from_torchs_generator_are_addressed_too(tmp_path):
    def model():
        return nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))

    state = torch.get_rng_state()
    whole, _ = drive(train(make_job(tmp_path / "a", make_model=model)))
    assert torch.equal(torch.get_rng_state(), state)
    drive(train(make_job(tmp_path / "b", make_model=model)), at(1, Decision.PAUSE))
    torch.rand(3)
    resumed, _ = drive(train(make_job(tmp_path / "b", make_model=model)))
    assert curve(resumed) == curve(whole)


def test_dropout_is_addressed_by_seed_and_step(tmp_path):
    fast, slow = make_job(tmp_path, dropout=0.5), make_job(tmp_path, dropout=0.5)
    drive(train(fast))
    address_dropout(slow.model, 1)
    textbook(slow, 3, before_step=partial(advance, slow.model))
    assert same_weights(weights(fast), weights(slow))


def test_a_frozen_parameter_stays(tmp_path):
    job = make_job(tmp_path)
    frozen = next(job.model.parameters()).requires_grad_(False)
    before = frozen.clone()
    _, result = drive(train(job))
    assert result.state is TrialState.COMPLETE
    assert torch.equal(frozen, before)


def test_bf16_trains_float32_weights(tmp_path):
    low, full = make_job(tmp_path, epochs=10, precision="bf16"), make_job(tmp_path, epochs=10)
    rough, _ = drive(train(low))
    exact, _ = drive(train(full))
    assert all(p.dtype is torch.float32 for p in low.model.parameters())
    assert not same_weights(weights(low), weights(full))
    assert rough[-1].metrics["train/loss"] == pytest.approx(exact[-1].metrics["train/loss"], rel=0.1)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses what torch deprecates
@pytest.mark.filterwarnings("ignore:Guards may run slower")  # of Python 3.13.0 alone
def test_a_compiled_model_trains_alike_and_is_compiled_once_for_all_trials(tmp_path):
    compiled, plain = make_job(tmp_path, compile=True), make_job(tmp_path)
    fast, _ = drive(train(compiled))
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    drive(train(make_job(tmp_path / "another", seed=2, compile=True, lr=0.02)))
    assert 0 < graphs == torch._dynamo.utils.counters["stats"]["unique_graphs"]
    slow, _ = drive(train(plain))
    assert fast[-1].metrics["train/loss"] == pytest.approx(slow[-1].metrics["train/loss"], rel=1e-4)
    assert weights(compiled).keys() == weights(plain).keys()


def test_deterministic_kernels_are_asked_for_only_while_training(tmp_path):
    job = make_job(tmp_path, deterministic=True)
    seen = []
    job.optimizer.register_step_pre_hook(lambda *_: seen.append(torch.are_deterministic_algorithms_enabled()))
    drive(train(job), lambda message: seen.append(torch.are_deterministic_algorithms_enabled()) or Decision.CONTINUE)
    assert seen == [False, False, *[True] * 6, False, *[True] * 6, False, *[True] * 6, False]


def test_a_regression_reports_its_own_metrics(tmp_path):
    splits = make_splits()
    pairs = [(part.x, part.x[:, :1] * 2) for part in (splits.train, splits.valid)]
    parts = [dataclasses.replace(splits.train, x=x, y=y) for x, y in pairs]
    splits = dataclasses.replace(splits, train=parts[0], valid=parts[1], num_outputs=1, task="regression")
    job = make_job(tmp_path, splits=splits, lr=0.02, objective=Objective("valid/loss", "minimize"))
    job = dataclasses.replace(job, loss=nn.MSELoss())
    messages, _ = drive(train(job))
    parts = {name.partition("/")[2] for name in messages[-1].metrics if name.startswith("valid/")}
    assert parts == {"loss", "rmse", "mae", "r2"}
    assert messages[-1].metrics["valid/rmse"] == pytest.approx(messages[-1].metrics["valid/loss"] ** 0.5)
    assert messages[-1].metrics["valid/loss"] < messages[1].metrics["valid/loss"]


def test_the_mean_penalty_of_the_epoch_is_reported(tmp_path):
    regularizers = {"l2": L2(strength=0.1), "l1": L1(strength=0.01)}
    fast, slow = make_job(tmp_path, epochs=1, regularizers=regularizers), make_job(tmp_path, epochs=1)
    report = drive(train(fast))[0][-1]
    penalties = []

    def penalty(model):
        weights = [p for p in model.parameters() if p.ndim > 1]
        value = 0.05 * sum((p**2).sum() for p in weights) + 0.01 * sum(p.abs().sum() for p in weights)
        penalties.append(value.item())
        return value

    textbook(slow, 1, penalty=penalty)
    assert report.metrics["train/penalty"] == pytest.approx(sum(penalties) / len(penalties), rel=1e-5)
    assert "train/penalty" not in drive(train(make_job(tmp_path / "plain")))[0][-1].metrics


def test_a_constraint_holds_after_every_update(tmp_path):
    limit = MaxNorm(limit=0.3)
    fast, slow = make_job(tmp_path, more={"constraints": (limit,)}), make_job(tmp_path)
    drive(train(fast))
    slow.optimizer.register_step_post_hook(lambda *_: limit.apply_(slow.model.named_parameters()))
    textbook(slow, 3)
    assert same_weights(weights(fast), weights(slow))


def test_mixed_batches_train_and_metrics_are_of_the_samples_own_classes(tmp_path):
    mixing = Mixup(alpha=1.0)
    fast, slow = make_job(tmp_path, epochs=2, more={"mixing": mixing}), make_job(tmp_path)
    messages, _ = drive(train(fast))
    split, step = slow.splits.train, 0
    for epoch in (1, 2):
        order, right = torch.randperm(len(split), generator=rng.seeded(torch.Generator(), slow.seed, "order", epoch)), 0
        for rows in order.split(slow.batching.size):
            x, y = mixing.mix(split.x[rows], split.y[rows], 3, slow.seed, step)
            slow.optimizer.zero_grad()
            outputs = slow.model(x)
            slow.loss(outputs, y).backward()
            slow.optimizer.step()
            right += (outputs.argmax(1) == split.y[rows]).sum().item()
            step += 1
    assert same_weights(weights(fast), weights(slow))
    assert messages[-1].metrics["train/acc"] == pytest.approx(right / len(split))


def test_a_plateau_moves_the_rates_of_the_table_after_an_evaluation(tmp_path):
    plateau = Plateau(partial(ReduceLROnPlateau, mode="max", factor=0.5, patience=0, threshold=9.0), 0.1, "valid/acc")
    job = make_job(tmp_path, epochs=5, more={"plateau": plateau})
    messages, _ = drive(train(job))
    assert [m.metrics["lr"] for m in messages[2:]] == pytest.approx([0.1, 0.1, 0.05, 0.025, 0.0125])


def test_metrics_of_whole_parts_are_those_of_all_outputs(tmp_path):
    from sklearn.metrics import f1_score, roc_auc_score

    job = make_job(tmp_path, epochs=1, metrics={"f1_macro": F1Macro(), "auroc": Auroc()})
    report = drive(train(job))[0][-1]
    job.model.eval()
    with torch.no_grad():
        outputs = job.model(job.splits.valid.x)
    y = job.splits.valid.y
    assert report.metrics["valid/f1_macro"] == pytest.approx(f1_score(y, outputs.argmax(1), average="macro"))
    shares = outputs.double().softmax(1).numpy()
    assert report.metrics["valid/auroc"] == pytest.approx(roc_auc_score(y, shares, multi_class="ovr"))
    assert {"train/f1_macro", "train/auroc"} <= report.metrics.keys()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_trains_alike_and_reports_its_memory(tmp_path):
    host = make_job(tmp_path / "cpu", dropout=0.3)
    device = make_job(tmp_path / "gpu", dropout=0.3)
    device.model.to("cuda")
    device = dataclasses.replace(device, splits=device.splits.to("cuda"))
    slow, _ = drive(train(host))
    fast, _ = drive(train(device))
    assert fast[-1].metrics["train/loss"] == pytest.approx(slow[-1].metrics["train/loss"], rel=1e-3)
    assert fast[-1].metrics["gpu_memory_mib"] > 0


BAD_FIELDS = {
    "epochs": [0, -1, 1.5, True, "ten", None],
    "precision": ["float16", "bfloat16", None],
    "compile": ["yes", 1],
    "channels_last": ["true", None],
    "deterministic": [0],
    "clip_norm": [0, -1.0, math.nan, "1"],
    "clip_value": [0.0, math.inf],
    "eval_batch_size": [0, 2.0],
    "eval_initial": [None],
    "test": ["true"],
    "diverge_factor": [1, 0, math.nan],
    "checkpoint_sec": [-1, None],
    "log_every": [0, 0.5],
    "device": ["gpu", "cuda:x", 0, "meta"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD_FIELDS.items() for value in values])
def test_bad_settings_name_the_key_and_the_value(name, value):
    with pytest.raises(ConfigError, match=rf"trainer\.{name} = ") as error:
        Trainer(**{"epochs": 1, name: value})
    assert repr(value) in str(error.value)
    assert "\n" not in str(error.value)


def test_the_yaml_spells_out_every_field_with_its_default():
    options = yaml.safe_load((CONF / "default.yaml").read_text())
    assert options.pop("_target_") == "hpsearch.trial.loop.Trainer"
    assert dataclasses.asdict(Trainer(epochs=options["epochs"])) == options
