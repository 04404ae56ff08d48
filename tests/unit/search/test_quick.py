"""Faster forms of Optuna's computations against Optuna's own."""

import numpy as np
import optuna
import pytest
from optuna.samplers._tpe import _truncnorm

from hpsearch.search import quick

SPACE = {
    "lr": optuna.distributions.FloatDistribution(1e-4, 1, log=True),
    "width": optuna.distributions.IntDistribution(8, 512),
    "kind": optuna.distributions.CategoricalDistribution(["a", "b"]),
}


@pytest.fixture
def own():
    """Optuna's own function, in place before and after the test."""
    own = _truncnorm._log_ndtr
    slow = own if own is not quick.log_ndtr else None
    _truncnorm._log_ndtr = slow or (
        lambda a: np.asarray([_truncnorm._log_ndtr_single(x) for x in np.ravel(a)]).reshape(a.shape)
    )
    yield _truncnorm._log_ndtr
    _truncnorm._log_ndtr = own


def test_log_phi_is_optunas_to_rounding(own):
    a = np.concatenate([-np.logspace(-8, 3, 500), [0.0], np.logspace(-8, 0.7, 500)])
    np.testing.assert_allclose(quick.log_ndtr(a), own(a), rtol=1e-9, atol=1e-15)


def test_tpe_proposes_the_same_points(own):
    def proposals():
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1, n_startup_trials=5, multivariate=True))
        for _ in range(40):
            trial = study.ask(SPACE)
            study.tell(trial, abs(np.log10(trial.params["lr"]) + 2) + trial.params["width"] / 512)
        return [(t.params["lr"], t.params["width"], t.params["kind"]) for t in study.trials]

    slow = proposals()
    quick.quicken_tpe()
    assert _truncnorm._log_ndtr is not own
    for ours, theirs in zip(proposals(), slow, strict=True):
        assert ours[1:] == theirs[1:]
        assert ours[0] == pytest.approx(theirs[0], rel=1e-9)
