"""Keras, skorch, XGBoost and LightGBM as trials, each with the real library; `.ci/callbacks` installs them."""

import os

import numpy as np
import pytest

from hpsearch import load_curves, load_trials, run_search
from hpsearch.base.types import TrialState

os.environ.setdefault("KERAS_BACKEND", "torch")
pytestmark = pytest.mark.filterwarnings("ignore")
X = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
Y = (X[:, 0] > 0.1).astype(np.int64)
EPOCHS = 6


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def keras(lr):
    library = pytest.importorskip("keras")
    from hpsearch.callbacks.keras import ReportCallback

    model = library.Sequential([library.layers.Dense(8, "tanh"), library.layers.Dense(2)])
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(library.optimizers.SGD(lr), loss)
    model.fit(X, Y, validation_split=0.25, epochs=EPOCHS, verbose=0, callbacks=[ReportCallback()])
    return 1e-9 if model.stop_training else model.evaluate(X[48:], Y[48:], verbose=0)


def skorch(lr):
    library = pytest.importorskip("skorch")
    from torch import nn

    from hpsearch.callbacks.skorch import ReportCallback

    module = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 2))
    options = {"criterion": nn.CrossEntropyLoss, "max_epochs": EPOCHS, "lr": lr, "verbose": 0}
    net = library.NeuralNetClassifier(module, callbacks=[ReportCallback()], **options).fit(X, Y)
    return net.history[-1]["valid_loss"] if len(net.history) == EPOCHS else 1e-9


def xgboost(lr):
    library = pytest.importorskip("xgboost")
    from hpsearch.callbacks.xgboost import ReportCallback

    data = library.DMatrix(X, Y)
    params = {"eta": lr, "objective": "binary:logistic", "nthread": 1}
    model = library.train(
        params, data, EPOCHS, evals=[(data, "valid")], verbose_eval=False, callbacks=[ReportCallback()]
    )
    return 0.5 if model.num_boosted_rounds() == EPOCHS else 1e-9


def lightgbm(lr):
    library = pytest.importorskip("lightgbm")
    from hpsearch.callbacks.lightgbm import ReportCallback

    data = library.Dataset(X, Y)
    params = {"learning_rate": lr, "objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 2}
    model = library.train(params, data, EPOCHS, valid_sets=[data], valid_names=["valid"], callbacks=[ReportCallback()])
    return 0.5 if model.current_iteration() == EPOCHS else 1e-9


@pytest.mark.parametrize(
    ("train", "metric"),
    [(keras, "val_loss"), (skorch, "valid_loss"), (xgboost, "valid/logloss"), (lightgbm, "valid/binary_logloss")],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_a_library_reports_each_epoch_and_is_stopped_by_its_own_means(train, metric):
    pytest.importorskip(train.__name__)
    options = {"objective": metric, "direction": "minimize", "tracker": "none", "sampler": "grid", "pruner": "median"}
    words = ["launcher=inline", "pruner.n_startup_trials=1", "pruner.n_warmup_steps=1"]
    run_search(train, space={"lr": [0.3, 1e-3, 1e-4]}, overrides=words, **options)
    trials, curves = load_trials(train.__name__), load_curves(train.__name__)
    assert trials["state"].tolist() == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED]
    first = curves[curves["point"] == 0]
    assert first["epoch"].tolist() == [*range(1, EPOCHS + 1)] and first[metric].is_monotonic_decreasing
    assert curves["point"].value_counts().to_dict() == {0: EPOCHS, 1: 1, 2: 1}
