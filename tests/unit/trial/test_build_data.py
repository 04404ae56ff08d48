"""What a trial does with its data: folds, weights, order, augmentation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, TrialId, TrialSpec, TrialState
from hpsearch.config.compose import compose
from hpsearch.data.picture import FILE
from hpsearch.data.sampling import balanced_rows
from hpsearch.trial.build import execute, preflight, prepare
from hpsearch.trial.evaluate import evaluate
from hpsearch.trial.loop import train
from hpsearch.trial.updates import epoch_order, training_batches
from tests.support.jobs import at, curve, drive, same_weights, weights

SMALL = (
    "data.train_size=100",
    "trainer.epochs=3",
    "trainer.device=cpu",
    "model.hidden=[8]",
    "trainer.checkpoint_sec=0",
)
AUGMENT = "augment=[flip,crop,rotation,resized_crop,colour_jitter,erasing]"


def config(*overrides, seed=0, fold=0):
    return compose((*SMALL, *overrides)).trial({}, seed, fold).config


def job(*overrides, **replicate):
    return prepare(config(*overrides, **replicate), "key", Path("nowhere"))


def spec(folder, *overrides, seed=0):
    return TrialSpec("study", TrialId(3, seed), config(*overrides, seed=seed), {}, (), "key", str(folder))


def test_the_fold_of_the_configuration_is_the_validation_part():
    first, second = (job("data.folds=4", fold=fold).splits for fold in (0, 3))
    assert len(first.valid) == 360 and len(second.valid) == 359
    assert first.digest != second.digest


def test_a_fold_there_is_not_is_refused_before_training():
    with pytest.raises(ConfigError, match=r"fold = 4: data\.folds = 4 has no such fold"):
        preflight(config("data.folds=4", fold=4))
    with pytest.raises(ConfigError, match=r"data\.folds = 2000: there are 1438 samples"):
        preflight(config("data.folds=2000"))


def test_balanced_sampling_is_what_every_epoch_and_every_reader_of_samples_sees():
    words = ("data.sampling=balanced", "data.batch_size=30", "data.drop_last=true", "data.classes=[0,1,5]")
    built, streamed = job(*words), job(*words, "data.loader_workers=0")
    assert built.facts["data.dropped"] == 100 - 90 and built.steps_per_epoch == 3
    for epoch in (1, 2):
        expected = balanced_rows(built.splits.train.y, built.seed, epoch)[:90]
        assert torch.equal(epoch_order(built, epoch), expected)
        pairs = zip(training_batches(built, epoch), training_batches(streamed, epoch), strict=True)
        for place, ((x, y), (other_x, other_y)) in enumerate(pairs):
            rows = expected[30 * place : 30 * place + 30]
            assert torch.equal(x, built.splits.train.x[rows]) and torch.equal(y, built.splits.train.y[rows])
            assert torch.equal(x, other_x) and torch.equal(y, other_y)


def test_of_balanced_samples_the_classes_shares_are_alike():
    words = ("data.sampling=balanced", "data.classes=[0,1,5]", "init.output_bias=log_prior", "loss.weight=[1,2,6]")
    built = job(*words)
    *_, bias = built.model.parameters()
    torch.testing.assert_close(bias.data, torch.full((3,), 1 / 3).log())
    assert built.loss.mean == 3
    assert built.splits is job(*words[1:3]).splits, "the data are loaded once"


def test_visits_to_one_image_are_augmented_apart():
    built = job("data.sampling=balanced", "augment=crop")
    order = epoch_order(built, 1)
    row, count = order.unique(return_counts=True)
    twice = row[count.argmax()]
    images = torch.cat([x for x, _ in training_batches(built, 1)])[order == twice]
    assert len(images.flatten(1).unique(dim=0)) > 1


def test_class_weights_are_put_into_the_loss():
    built = job("data.class_weights=balanced", "data.classes=[0,1,5]")
    counts = built.splits.train.y.bincount()
    torch.testing.assert_close(built.loss.weight, 100 / (3 * counts))
    outputs, y = torch.randn(4, 3), torch.tensor([0, 1, 2, 1])
    losses = torch.nn.functional.cross_entropy(outputs, y, reduction="none")
    weight = built.loss.weight[y]
    torch.testing.assert_close(built.loss(outputs, y), (losses * weight).mean())  # their mean over the part is 1
    assert job().loss.weight is None


@pytest.fixture
def rare_class(tmp_path):
    """100 samples, one of them of the second class, which the training part has."""
    y = np.zeros(100, np.int64)
    y[3] = 1
    np.savez(tmp_path / "rare.npz", x=np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32), y=y)
    return ("data=npz", f"data.path={tmp_path / 'rare.npz'}", "data.train_size=null", "metric=[auroc,f1_binary]")


def test_a_metric_that_the_validation_part_leaves_undefined_is_no_objective(rare_class):
    with pytest.raises(ConfigError, match=r"^objective\.metric = 'valid/auroc': valid/auroc is not defined: all 20"):
        preflight(config(*rare_class, "objective.metric=valid/auroc"))
    assert preflight(config(*rare_class))["notes"][-1].startswith("valid/auroc is not defined: all 20 samples are of")


def test_weights_that_the_loss_does_not_take():
    with pytest.raises(ConfigError, match=r"data\.class_weights: the loss L1Loss takes no weights"):
        job("data.class_weights=balanced", "loss=l1")


def test_a_fixed_order_is_that_of_the_source(tmp_path):
    built = prepare(config("data.shuffle=false"), "key", tmp_path)
    seen = []
    forward = built.model.forward
    built.model.forward = lambda x: seen.append(x) or forward(x)
    drive(train(replace(built, trainer=replace(built.trainer, eval_initial=False))))
    steps = [x for x in seen if len(x) in (64, 36)]
    for epoch in range(3):
        assert torch.equal(torch.cat(steps[2 * epoch : 2 * epoch + 2]), built.splits.train.x)


def test_data_is_not_loaded_again_for_another_order():
    assert job("data.shuffle=false").splits is job("data.batch_size=10").splits


def test_augmentation_changes_training_batches_only(tmp_path):
    built = prepare(config(AUGMENT), "key", tmp_path)
    plain = prepare(config(), "key", tmp_path / "plain")
    assert plain.augment is None and built.augment is not None
    seen = []
    forward = built.model.forward
    built.model.forward = lambda x: seen.append((built.model.training, x)) or forward(x)
    drive(train(built))
    valid = [x for training, x in seen if not training]
    assert len(valid) == 4 and all(torch.equal(x, plain.splits.valid.x) for x in valid)
    trained = [x for training, x in seen if training][2:]  # the first two are those of the untrained model
    epochs = [torch.cat(trained[2 * e : 2 * e + 2]) for e in range(3)]
    for epoch, x in enumerate(epochs, 1):
        rows = epoch_order(plain, epoch)
        for place in (0, 41, 99):
            alone = built.augment(plain.splits.train.x[rows[place : place + 1]], rows[place : place + 1], epoch)
            torch.testing.assert_close(x[place], alone[0], atol=1e-6, rtol=0)


def test_a_resumed_trial_sees_the_same_augmented_batches(tmp_path):
    whole, _ = drive(execute((spec(tmp_path / "a", AUGMENT),)))
    drive(execute((spec(tmp_path / "b", AUGMENT),)), at(1, Decision.PAUSE))
    resumed, result = drive(execute((spec(tmp_path / "b", AUGMENT),)))
    assert result.state is TrialState.COMPLETE
    assert curve(resumed) == curve(whole)
    other, _ = drive(execute((spec(tmp_path / "c"),)))
    assert curve(other) != curve(whole)


def test_the_picture_is_an_artifact_of_one_replicate(tmp_path):
    results = [drive(execute((spec(tmp_path / f"3-{s}-0", AUGMENT, seed=s),)))[1] for s in range(2)]
    assert [FILE in result.artifacts for result in results] == [True, False]
    assert [(tmp_path / f"3-{s}-0" / FILE).exists() for s in range(2)] == [True, False]
    _, plain = drive(execute((spec(tmp_path / "plain"),)))
    assert FILE not in plain.artifacts


def test_views_change_evaluations_only(tmp_path):
    plain, views = (
        prepare(config(*words), "key", tmp_path / str(len(words))) for words in ((), ("trainer.eval_views=flip",))
    )
    reports = [drive(train(each))[0][-1].metrics for each in (plain, views)]
    assert same_weights(weights(plain), weights(views))
    assert reports[0]["train/loss"] == reports[1]["train/loss"]
    assert reports[0]["valid/loss"] != reports[1]["valid/loss"]
    x, y = plain.splits.valid.x, plain.splits.valid.y
    plain.model.eval()
    with torch.no_grad():
        mean = (plain.model(x).softmax(1) + plain.model(x.flip(-1)).softmax(1)) / 2
    assert reports[1]["valid/acc"] == pytest.approx((mean.argmax(1) == y).float().mean().item())
    assert reports[1]["valid/loss"] == pytest.approx(torch.nn.functional.nll_loss(mean.log(), y).item(), rel=1e-5)


@pytest.mark.parametrize("words", [("augment=flip", "data=wine"), ("trainer.eval_views=flip", "data=wine")])
def test_features_are_not_augmented(words):
    with pytest.raises(ConfigError, match="needs images"):
        preflight(config(*words, "data.train_size=null"))


def predicting_the_mean(built):
    """Return what is measured of a model that predicts the mean of the training part's targets."""
    mean = built.splits.train.y.mean(0)
    valid = built.splits.valid
    return evaluate(built.model, lambda x: mean.expand(len(x), 1), built.loss, valid, 30, built.metrics)


def test_metrics_of_a_regression_are_in_the_units_of_the_data():
    words = ("data=diabetes", "data.train_size=null", "loss=mse", "objective=valid_loss")
    built = {each: job(*words, f"data.target_scaling={each}") for each in ("none", "minmax", "standardize")}
    found = {scaling: predicting_the_mean(each) for scaling, each in built.items()}
    raw = built["none"].splits
    expected = (raw.valid.y.double() - raw.train.y.double().mean()).square().mean().sqrt().item()
    assert [each["rmse"] for each in found.values()] == pytest.approx([expected] * 3, rel=1e-6)
    assert found["standardize"]["mae"] == pytest.approx(found["none"]["mae"], rel=1e-6)
    assert found["standardize"]["loss"] < 3 < found["none"]["loss"]


def taken_for_the_first(x):
    return torch.tensor([[1.0, 0.0]]).expand(len(x), 2)


def test_the_positive_class_is_that_of_the_data():
    words = ("data=breast_cancer", "data.train_size=null", "metric=[f1_binary,recall_binary,precision_binary]")
    by_name = {name: job(*words, f"data.positive={name}") for name in ("malignant", "benign", "null")}
    found = {}
    for name, each in by_name.items():
        found[name] = evaluate(each.model, taken_for_the_first, each.loss, each.splits.valid, 30, each.metrics)
    assert [found[name]["recall_binary"] for name in found] == [1, 0, 0]  # malignant is the first class
    share = (by_name["null"].splits.valid.y == 0).double().mean().item()
    assert found["malignant"]["precision_binary"] == pytest.approx(share)
    with pytest.raises(ConfigError, match=r"^data\.positive = 'x': must be one of the classes malignant, benign$"):
        job(*words, "data.positive=x")


def test_the_terms_of_a_polynomial_are_scaled_over_the_training_part_alone():
    words = (
        "data=curve",
        "model=polynomial",
        "model.degree=4",
        "loss=mse",
        "objective=valid_loss",
        "trainer.device=cpu",
    )
    job = prepare(compose(words).trial({}, 0).config)
    x = job.splits.train.x
    powers = torch.cat([(x / x.abs().max()) ** power for power in range(1, 5)], 1)
    torch.testing.assert_close(job.model.largest, x.abs().amax(0))
    torch.testing.assert_close(job.model.mean, powers.mean(0))
    torch.testing.assert_close(job.model.spread, powers.std(0, correction=0))
