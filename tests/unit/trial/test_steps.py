"""Trials whose targets are a label per word: padding has no part in what is trained, measured and kept."""

import copy
import json
import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.nn import functional

from hpsearch.base.errors import ConfigError
from hpsearch.base.files import LAYERS
from hpsearch.base.samples import SAMPLES, read_samples
from hpsearch.base.steps import NO_LABEL, PADDING, UNKNOWN, labels
from hpsearch.base.types import Decision, TrialState, end_values
from hpsearch.config.compose import compose
from hpsearch.data.part import Split
from hpsearch.losses.steps import StepLoss
from hpsearch.trial.build import preflight, prepare
from hpsearch.trial.groups import Groups
from hpsearch.trial.loop import train
from hpsearch.trial.measure.checks import gradient_isolation, initial_loss
from hpsearch.trial.measure.loss_surface import LossSurface
from hpsearch.trial.measure.short_runs import _emptied, _linear_errors, overfit_small
from hpsearch.trial.model import prior
from hpsearch.trial.reference import constant_facts, divergence_limit
from hpsearch.trial.updates import _backward, trained_parameters
from tests.support.jobs import at, curve, drive, same_weights, weights

MODELS = {
    "elman": ("model=elman", "model.hidden=6", "model.bidirectional=true"),
    "jordan": ("model=jordan", "model.hidden=6", "model.bidirectional=true"),
    "lstm": ("model=lstm", "model.hidden=6", "model.bidirectional=true", "model.layers=2", "model.embedding=5"),
    "gru": ("model=gru", "model.hidden=6"),
    "encoder": ("model=encoder", "model.size=8", "model.heads=2"),
}
SMALL = ("data=tagging", "data.sentences=60", "data.batch_size=12", "trainer.epochs=2", "trainer.device=cpu")


def config_of(*words, model="gru"):
    return compose((*SMALL, *MODELS[model], *words)).trial({}, 0, 0).config


def job_of(folder, *words, model="gru"):
    return prepare(config_of(*words, model=model), "key", folder)


def wider(part, by=3):
    """The same sentences with more padding behind them."""
    x = torch.cat([part.x, torch.full((len(part), by), PADDING)], 1)
    return Split(x, torch.cat([part.y, torch.full((len(part), by), NO_LABEL)], 1))


def gradients(job, x, y, at_once=100):
    """Return the loss of a batch, and the gradient of all parameters, one after the other."""
    named = trained_parameters(job)
    _, loss, penalty = _backward(job, named, x, y, at_once)
    flat = torch.cat([torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for _, p in named])
    return loss + (0 if penalty is None else penalty), flat


@pytest.mark.parametrize(
    ("model", "loss"),
    [*((name, "cross_entropy") for name in MODELS), *(("gru", loss) for loss in ("focal", "hinge", "mse"))],
)
def test_a_padded_batch_is_its_sentences_one_by_one(tmp_path, model, loss):
    job = job_of(tmp_path, f"loss={loss}", "data.class_weights=[1,2,3,4,5]", model=model)
    job.model.double(), job.loss.double()
    x, y = job.splits.train.x[:6], job.splits.train.y[:6]
    lengths = (x != PADDING).sum(1).tolist()
    assert len(set(lengths)) > 2
    found, gradient = gradients(job, x, y)
    alone = [gradients(job, x[i : i + 1, :n], y[i : i + 1, :n]) for i, n in enumerate(lengths)]
    share = torch.tensor(lengths, dtype=torch.float64) / sum(lengths)
    expected = sum(s * each for s, (each, _) in zip(share, alone, strict=True))
    assert found.item() == pytest.approx(expected.item(), abs=1e-10)
    torch.testing.assert_close(
        gradient, sum(s * each for s, (_, each) in zip(share, alone, strict=True)), rtol=0, atol=1e-10
    )
    more = wider(Split(x, y))
    torch.testing.assert_close(gradients(job, more.x, more.y)[1], gradient, rtol=0, atol=1e-10)


@pytest.mark.parametrize("model", ["lstm", "encoder"])
def test_groups_of_a_batch_make_its_gradient_with_dropout_and_a_penalty(tmp_path, model):
    words = ("model.dropout=0.3", "regularizer=l2", "regularizer.l2.strength=0.01", "loss.label_smoothing=0.1")
    job = job_of(tmp_path, *words, model=model)
    job.model.double().train(), job.loss.double()
    x, y = job.splits.train.x[:12], job.splits.train.y[:12]
    whole, groups = gradients(job, x, y), gradients(job, x, y, at_once=5)
    assert whole[0].item() == pytest.approx(groups[0].item(), abs=1e-10)
    torch.testing.assert_close(*(gradient for _, gradient in (whole, groups)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("model", MODELS)
def test_a_trial_does_not_depend_on_how_much_padding_there_is(tmp_path, model):
    words = ("metric=[f1_macro,f1_spans,auroc,top_k]", "metric.top_k.k=2", "data.class_weights=balanced")
    job = job_of(tmp_path, *words, model=model)
    padded = replace(job, splits=replace(job.splits, train=wider(job.splits.train), valid=wider(job.splits.valid, 5)))
    padded = replace(padded, model=copy.deepcopy(job.model), folder=tmp_path / "b")
    of = {parameter: new for parameter, new in zip(job.model.parameters(), padded.model.parameters(), strict=True)}
    groups = [{**each, "params": [of[p] for p in each["params"]]} for each in job.optimizer.param_groups]
    padded = replace(padded, optimizer=type(job.optimizer)(groups, lr=job.optimizer.defaults["lr"]))
    first, second = (drive(train(each))[0] for each in (job, padded))
    assert len(first) == len(second) == 4
    for one, other in zip(first[1:], second[1:], strict=True):
        for name, value in one.metrics.items():
            if not name.endswith("_sec"):
                assert other.metrics[name] == pytest.approx(value, rel=2e-4, abs=1e-6), name
    assert {"valid/acc", "valid/f1_macro", "valid/f1_spans", "valid/top_2", "valid/weighted_loss"} <= first[
        1
    ].metrics.keys()


def test_outputs_of_activations_are_those_of_words(tmp_path):
    job = job_of(tmp_path, "trainer.epochs=1", model="encoder")
    more = replace(job.splits, valid=wider(job.splits.valid, 9))
    drive(train(job))
    again = job_of(tmp_path / "b", "trainer.epochs=1", model="encoder")
    drive(train(replace(again, splits=more)))
    first, second = (json.loads((folder / LAYERS).read_text())[-1]["outputs"] for folder in (tmp_path, tmp_path / "b"))
    assert len(first) == 2
    for name, each in first.items():
        assert each["mean"] == pytest.approx(second[name]["mean"], rel=1e-4), name
        assert each["sd"] == pytest.approx(second[name]["sd"], rel=1e-4), name


def test_what_is_reported_is_of_all_labels(tmp_path):
    job = job_of(tmp_path)
    messages, result = drive(train(job))
    assert result.state is TrialState.COMPLETE
    with torch.no_grad():
        outputs = job.model.eval()(job.splits.valid.x)
    chosen = job.splits.valid.y >= 0
    of_valid = messages[-1].metrics
    assert of_valid["valid/loss"] == pytest.approx(
        functional.cross_entropy(outputs[chosen], job.splits.valid.y[chosen]).item(), rel=1e-5
    )
    right = (outputs[chosen].argmax(1) == job.splits.valid.y[chosen]).float()
    assert of_valid["valid/acc"] == pytest.approx(right.mean().item(), rel=1e-6)


def test_the_training_loss_of_an_epoch_is_the_mean_over_its_labels(tmp_path):
    """Batches of as many sentences have other numbers of words."""
    job = job_of(tmp_path, "optimizer.lr=1e-12", "data.batch_size=5", "trainer.epochs=1")
    messages, _ = drive(train(job))
    with torch.no_grad():
        outputs = job.model(job.splits.train.x)
    chosen = job.splits.train.y >= 0
    expected = functional.cross_entropy(outputs[chosen], job.splits.train.y[chosen]).item()
    assert messages[-1].metrics["train/loss"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("metric", ["acc", "loss", "f1_macro", "f1_spans", "auroc", "top_2"])
def test_a_sentence_is_the_sample_whose_mean_is_the_score(tmp_path, metric):
    words = ("metric=[f1_macro,f1_spans,auroc,top_k]", "metric.top_k.k=2", f"objective.metric=valid/{metric}")
    direction = ("objective.direction=minimize",) if metric == "loss" else ()
    job = job_of(tmp_path, *words, *direction, "trainer.keep_predictions=all", "trainer.epochs=4")
    messages, _ = drive(train(job))
    name = job.objective.metric
    score = job.objective.score(
        {each.epoch: each.metrics[name] for each in messages[1:]}, end_values(messages[-1], name)
    )
    kept = read_samples(tmp_path / SAMPLES, "key")
    assert len(kept.values[name]) == len(job.splits.valid)
    assert kept.values[name].mean() == pytest.approx(score, rel=1e-5)
    assert "valid/acc" in kept.values


@pytest.mark.parametrize("words", [("data.loader_workers=0",), ("data.micro_batch=5",), ("trainer.eval_batch_size=7",)])
def test_streams_groups_and_small_evaluations_train_the_same(tmp_path, words):
    plain, other = (drive(train(job_of(tmp_path / name, *each)))[0] for name, each in (("a", ()), ("b", words)))
    assert len(plain) == 4
    for one, two in zip(plain[2:], other[2:], strict=True):
        for name in ("train/loss", "train/acc", "valid/loss", "valid/acc"):
            assert two.metrics[name] == pytest.approx(one.metrics[name], rel=1e-4), name


def test_a_paused_trial_goes_on_as_if_it_had_not_been(tmp_path):
    words = ("trainer.eval_every=0.5", "model.dropout=0.2")
    whole, paused = (partial(job_of, tmp_path / name, *words, model="lstm") for name in ("a", "b"))
    job = whole()
    expected, _ = drive(train(job))
    drive(train(paused()), at(1, Decision.PAUSE))
    rest = paused()
    found, result = drive(train(rest))
    assert result.state is TrialState.COMPLETE
    assert curve(found) == curve(expected)[-len(curve(found)) :]
    assert same_weights(weights(job), weights(rest))


def test_the_record_says_how_many_labels_and_how_many_even_sentences_there_are(tmp_path):
    job = job_of(tmp_path)
    count = (job.splits.valid.y >= 0).sum(1).double()
    assert job.facts["data.valid_size"] == len(count)
    assert job.facts["data.valid_steps"] == int(count.sum())
    assert job.facts["data.valid_units"] == int(count.sum() ** 2 / (count**2).sum()) < len(count)


def test_knowing_nothing_is_measured_over_labels(tmp_path):
    job = job_of(tmp_path)
    train_y, valid_y = labels(job.splits.train.y), labels(job.splits.valid.y)
    shares = torch.bincount(train_y).double() / len(train_y)
    torch.testing.assert_close(prior(job.splits, None).double(), shares, rtol=1e-6, atol=0)
    entropy = -(shares * shares.log()).sum().item()
    facts = constant_facts(job)
    assert facts["constant.train/loss"] == pytest.approx(entropy, rel=1e-5)
    assert facts["constant.valid/acc"] == pytest.approx((valid_y == shares.argmax()).double().mean().item())
    assert divergence_limit(job).reference > entropy
    found = initial_loss(job, 1000)
    assert (found.zero, found.guess) == pytest.approx((math.log(5), entropy), rel=1e-5)
    assert found.loss == pytest.approx(math.log(5), abs=0.5)
    assert (found.summed, found.normalized, found.alike) == (pytest.approx(1, rel=1e-5), False, ())
    known = initial_loss(job_of(tmp_path, "init=zeros", "init.output_bias=log_prior"), 1000)
    assert known.guess == pytest.approx(entropy, rel=1e-5)
    assert known.loss == pytest.approx(entropy, rel=0.05)


@pytest.mark.parametrize("model", ["lstm", "encoder"])
def test_no_sentence_reaches_another_one(tmp_path, model):
    found = gradient_isolation(job_of(tmp_path, model=model), 8)
    assert (found.model_leak, found.repeat, found.unreached, found.training) == (0, 0, (), ())
    assert found.company < 1e-5


class Mixed(torch.nn.Module):
    """Sees the first word of the batch in every sentence."""

    def __init__(self, model):
        super().__init__()
        self.model, self.embedding = model, torch.nn.Embedding(40, 5)

    def forward(self, x):
        return self.model(x) + self.embedding(x)[:1, :1]


def test_a_sentence_that_reaches_another_one_is_seen(tmp_path):
    job = job_of(tmp_path)
    inner = Mixed(job.model)
    inner.model.embedding = None
    inner.model.forward = lambda x: torch.zeros(*x.shape, 5)
    assert gradient_isolation(replace(job, model=inner), 8).model_leak > 0


def test_inputs_that_say_nothing_are_unknown_words(tmp_path):
    x = torch.tensor([[5, 7, PADDING]])
    assert _emptied(x).tolist() == [[UNKNOWN, UNKNOWN, PADDING]]
    assert not _emptied(torch.ones(2, 3)).any()
    job = job_of(tmp_path, "data.sentences=400")
    assert _linear_errors(job) > 5
    drawn = torch.randint(2, 20, job.splits.train.x.shape, generator=torch.Generator().manual_seed(0))
    drawn = torch.where(job.splits.train.y < 0, PADDING, drawn)
    nothing = replace(job, splits=replace(job.splits, train=Split(drawn, job.splits.train.y)))
    assert _linear_errors(nothing) < 3


def test_a_few_sentences_are_learnt_by_heart(tmp_path):
    job = job_of(tmp_path, "optimizer=adam", "optimizer.lr=0.02", "model.dropout=0.1", model="lstm")
    found = overfit_small(job, 8, 200, (), 0.1)
    assert found.samples == 8
    assert found.runs[0].fitted
    assert found.runs[0].accuracy == 1


def test_the_loss_of_a_surface_is_that_of_all_labels(tmp_path):
    job = job_of(tmp_path)
    batches = list(job.splits.train.in_order(7))
    surface = LossSurface(job.model, job.loss, batches, dtype=torch.float64)
    whole = LossSurface(job.model, job.loss, [(job.splits.train.x, job.splits.train.y)], dtype=torch.float64)
    assert surface.value() == pytest.approx(whole.value(), abs=1e-12)
    torch.testing.assert_close(surface.gradient(), whole.gradient(), rtol=0, atol=1e-12)
    direction = whole.random(0)
    torch.testing.assert_close(surface.product(direction), whole.product(direction), rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("model=mlp",), r"model: hpsearch.models.mlp.MLP reads no words, which the inputs are: model=lstm, gru"),
        (("regularizer=mixup",), r"regularizer.mixup: blends tensors, and the inputs are words"),
        (("regularizer=cutmix",), r"regularizer.cutmix: blends tensors, and the inputs are words"),
        (("augment=flip",), r"augment.flip: needs images"),
        (("trainer.eval_views=flip",), r"trainer.eval_views"),
        (("loss=l1",), r"loss: L1Loss is for numbers"),
        (("metric=[acc,f1_binary]",), r"metric.f1_binary: is for two classes, there are 5"),
        (("data.class_weights=[1,2]",), r"data.class_weights = \[1.*\]: 2 weights, but there are 5 classes"),
        (("loss.ignore_index=0",), r"loss.ignore_index = 0: must be below 0"),
    ],
)
def test_what_words_do_not_go_with_is_refused_in_one_line(words, says):
    with pytest.raises(ConfigError, match=says) as error:
        preflight(compose((*SMALL, *MODELS["gru"], *words)).trial({}, 0, 0).config)
    assert "\n" not in str(error.value)


def test_images_and_spans_do_not_go_together():
    with pytest.raises(ConfigError, match=r"metric.f1_spans: is for a label per word"):
        preflight(compose(("metric=[f1_spans]",)).trial({}, 0, 0).config)
    with pytest.raises(ConfigError, match=r"the encoder reads words"):
        preflight(compose(("model=encoder",)).trial({}, 0, 0).config)


def test_the_loss_of_samples_with_one_label_is_left_alone(tmp_path):
    assert isinstance(job_of(tmp_path).loss, StepLoss)
    digits = prepare(compose(("trainer.device=cpu",)).trial({}, 0, 0).config, "key", tmp_path)
    assert type(digits.loss) is torch.nn.CrossEntropyLoss
    assert not any(type(metric).__module__.endswith("steps") for metric in digits.metrics.values())
    assert Groups(digits).training == digits.batching.size
