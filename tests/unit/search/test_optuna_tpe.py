"""TPE as it is quickened, against Optuna's own; each of these fails where a later Optuna is different."""

import math

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import HyperbandPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.samplers._tpe import _truncnorm
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.probability_distributions import _MixtureOfProductDistribution
from optuna.samplers._tpe.sampler import default_weights
from optuna.trial import TrialState

from hpsearch.search import optuna_tpe

SPACES = {
    "numbers": {"lr": FloatDistribution(1e-4, 1, log=True), "momentum": FloatDistribution(0, 1)},
    "one": {"rate": FloatDistribution(-3, 5)},
    "steps": {
        "width": IntDistribution(8, 512, log=True), "depth": IntDistribution(1, 40),
        "drop": FloatDistribution(0, 0.5, step=0.05),
    },
    "mixed": {
        "lr": FloatDistribution(1e-4, 1, log=True), "momentum": FloatDistribution(0, 1),
        "decay": FloatDistribution(0, 9), "depth": IntDistribution(1, 9),
        "kind": CategoricalDistribution(("a", "b", "c")),
    },
    "choices": {"kind": CategoricalDistribution(tuple(range(30))), "other": CategoricalDistribution(tuple(range(40)))},
}  # fmt: skip


class Optunas(TPESampler):
    """Optuna's own, whatever is replaced in its class."""

    infer_relative_search_space = optuna_tpe._optuna_infer_relative_search_space
    _sample_relative = optuna_tpe._optuna_sample_relative
    _sample = optuna_tpe._optuna_sample


@pytest.fixture
def optunas_density(monkeypatch):
    """Let mixtures have Optuna's own density, that is over all kernels."""
    monkeypatch.setattr(_MixtureOfProductDistribution, "log_pdf", optuna_tpe._optuna_log_pdf)


@pytest.fixture(autouse=True)
def quickened(monkeypatch):
    """Replace what is replaced, for the test alone."""
    for owner, name in (
        (_truncnorm, "_log_ndtr"), (_MixtureOfProductDistribution, "log_pdf"),
        (TPESampler, "infer_relative_search_space"), (TPESampler, "_sample_relative"), (TPESampler, "_sample"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, getattr(owner, name))
    optuna_tpe.quicken_tpe()


def test_log_phi_is_optunas_to_rounding():
    a = np.concatenate([-np.logspace(-8, 3, 500), [0.0], np.logspace(-8, 0.7, 500)])
    optunas = [_truncnorm._log_ndtr_single(each) for each in a]
    np.testing.assert_allclose(_truncnorm._log_ndtr(a), optunas, rtol=1e-9, atol=1e-15)


def searched(sampler, space, directions, pruner=None, points=60):
    """Return what a sampler proposes in a study in which some trials run, wait, are pruned, fail and are infeasible."""
    study = optuna.create_study(sampler=sampler, directions=directions, pruner=pruner, study_name="s")
    rng, running = np.random.default_rng(0), []
    study.enqueue_trial({name: each.low for name, each in space.items() if hasattr(each, "low")})
    for number in range(points):
        trial = study.ask(space if number != 30 else dict(list(space.items())[:1]))  # one lacks some
        running.append(trial)
        if len(directions) == 1 and number % 4:
            trial.report(math.nan if number % 5 == 0 else rng.random(), 1 + number % 3)
        while len(running) > 8:
            each = running.pop(int(rng.integers(len(running))))
            if each.number % 3 == 0:
                each.set_constraint("infeasible", 1.0 if each.number % 7 == 0 else -1.0)
            fate = rng.random()
            if fate < 0.2:
                study.tell(each, state=TrialState.PRUNED if fate < 0.15 else TrialState.FAIL)
            else:
                study.tell(each, [rng.choice([0.5, rng.random()]) for _ in directions])
    return [each.params for each in study.get_trials(deepcopy=False)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "directions", "options"),
    [
        ("mixed", ["minimize"], {}),
        ("steps", ["maximize"], {"constant_liar": False}),
        ("mixed", ["minimize", "maximize"], {}),
        ("mixed", ["maximize"], {"multivariate": False}),
        ("mixed", ["minimize"], {"group": True}),
    ],
)
def test_tpe_proposes_the_same_points_bit_for_bit(name, directions, options):
    options = {"seed": 1, "n_startup_trials": 5, "multivariate": True, "constant_liar": True, **options}
    space = {**SPACES[name], "fixed": FloatDistribution(2, 2)}
    ours, optunas = (searched(kind(**options), space, directions) for kind in (TPESampler, Optunas))
    assert ours == optunas


@pytest.mark.filterwarnings("ignore")
def test_it_proposes_the_same_points_where_a_pruner_shows_a_part_of_the_study():
    options = {"seed": 1, "n_startup_trials": 2, "multivariate": True, "constant_liar": True}
    pruner = HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
    ours, optunas = (searched(kind(**options), SPACES["mixed"], ["minimize"], pruner) for kind in (TPESampler, Optunas))
    assert ours == optunas


@pytest.mark.filterwarnings("ignore")
def test_a_sampler_that_is_seeded_again_proposes_what_a_new_one_does():
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    space = SPACES["mixed"]
    for number in range(40):
        study.tell(study.ask(space), (number * 7) % 11)
    kept = TPESampler(n_startup_trials=2, multivariate=True)
    for seed in range(6):
        trial = study.ask(space)
        new = TPESampler(n_startup_trials=2, multivariate=True, seed=seed)
        ours, optunas = (
            each.sample_relative(study, trial, each.infer_relative_search_space(study, trial))
            for each in (optuna_tpe.reseeded(kept, seed), new)
        )
        assert ours == optunas
        study.tell(trial, seed)


@pytest.mark.filterwarnings("ignore")
def test_all_that_is_replaced_is_what_optuna_calls(monkeypatch):
    names, called = ("log_ndtr", "log_pdf", "infer_relative_search_space", "_sample_relative", "_sample"), set()

    def noting(name, kept):
        return lambda *args, **options: called.add(name) or kept(*args, **options)

    for name in names:
        monkeypatch.setattr(optuna_tpe, name, noting(name, getattr(optuna_tpe, name)))
    optuna_tpe.quicken_tpe()
    searched(TPESampler(seed=1, n_startup_trials=5, multivariate=True), SPACES["steps"], ["minimize"], points=24)
    assert called == set(names)


def mixture(space, kernels, rng, near=None):
    """Return a density with so many kernels, drawn evenly or around a place."""

    def drawn(each):
        if isinstance(each, CategoricalDistribution):
            return rng.integers(len(each.choices), size=kernels)
        low, high = (math.log(end) if each.log else end for end in (each.low, each.high))
        shares = rng.random(kernels) if near is None else np.clip(rng.normal(near, 0.01, kernels), 0, 1)
        values = np.exp(low + shares * (high - low)) if each.log else low + shares * (high - low)
        if each.step:
            values = each.low + np.round((values - each.low) / each.step) * each.step
        return np.clip(values, each.low, each.high)

    options = _ParzenEstimatorParameters(1.0, True, False, default_weights, True)
    return _ParzenEstimator({name: drawn(each) for name, each in space.items()}, space, options)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("near", [None, 0.3])
def test_a_density_of_many_kernels_is_that_of_all(name, near):
    rng = np.random.default_rng(1)
    space = SPACES[name]
    many = mixture(space, 3000, rng, near)._mixture_distribution
    some = mixture(space, 20, rng).sample(np.random.RandomState(2), 24)
    x = np.array([some[name] for name in space]).T
    found, wanted = optuna_tpe.log_pdf(many, x), optuna_tpe._optuna_log_pdf(many, x)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12)
    assert np.ptp(wanted) > 0.1


@pytest.mark.parametrize("name", ["numbers", "steps"])
def test_what_is_left_out_is_more_than_half_of_the_kernels(name, monkeypatch):
    reckoned = []
    kept = optuna_tpe._Axes.near
    monkeypatch.setattr(optuna_tpe._Axes, "near", lambda *args: reckoned.append(kept(*args)) or reckoned[-1])
    many = mixture(SPACES[name], 3000, np.random.default_rng(1))
    many.log_pdf(many.sample(np.random.RandomState(2), 24))
    assert len(reckoned[0][0]) < 24 * 3000 / 2


def test_kernels_at_the_very_ends_are_within_the_range(monkeypatch):
    low = 0.00034390792738969424  # whose logarithm is another one by NumPy than by math
    space = {"lr": FloatDistribution(low, 0.7, log=True), "depth": IntDistribution(3, 9)}
    ends = {"lr": np.resize([low, 0.7, 1e-3], 600), "depth": np.resize([3, 9], 600)}
    options = _ParzenEstimatorParameters(1.0, True, False, default_weights, True)
    many = _ParzenEstimator(ends, space, options)
    monkeypatch.setattr(optuna_tpe, "_optuna_log_pdf", None)
    assert np.isfinite(many.log_pdf({"lr": np.array([1e-3]), "depth": np.array([4])})).all()


def test_kernels_beyond_the_range_count_as_they_do_for_optuna():
    wide = mixture(SPACES["numbers"], 3000, np.random.default_rng(1))._mixture_distribution
    many = wide._replace(distributions=[each._replace(high=each.low * 1.5 + 0.1) for each in wide.distributions])
    x = np.array([[1e-4, 0.05], [1.2e-4, 0.02]])
    assert np.array_equal(optuna_tpe.log_pdf(many, x), optuna_tpe._optuna_log_pdf(many, x))


def test_few_kernels_are_optunas_own_bit_for_bit(monkeypatch):
    few = mixture(SPACES["mixed"], optuna_tpe.MANY - 1, np.random.default_rng(1))
    x = few.sample(np.random.RandomState(2), 24)
    ours = few.log_pdf(x)
    monkeypatch.setattr(_MixtureOfProductDistribution, "log_pdf", optuna_tpe._optuna_log_pdf)
    assert np.array_equal(ours, few.log_pdf(x))


def test_a_sample_outside_the_range_has_no_density():
    many = mixture(SPACES["numbers"], 3000, np.random.default_rng(1))._mixture_distribution
    with np.errstate(all="ignore"):
        found = optuna_tpe.log_pdf(many, np.array([[2.0, 0.5], [0.1, 0.5], [1e-5, 0.5], [0.1, -0.1]]))
    assert np.isneginf(found).tolist() == [True, False, True, True]


@pytest.mark.filterwarnings("ignore")
def test_of_many_trials_it_proposes_what_optuna_does_to_rounding(optunas_density, monkeypatch):
    study, space = optuna.create_study(sampler=RandomSampler(seed=0)), SPACES["mixed"]
    rng = np.random.default_rng(3)
    for number in range(900):
        trial = study.ask(space)
        if number % 3:
            study.tell(trial, rng.random())
    trial, options = study.ask(space), {"multivariate": True, "constant_liar": True, "seed": 4}
    wanted = Optunas(**options).sample_relative(study, trial, space)
    monkeypatch.setattr(_MixtureOfProductDistribution, "log_pdf", optuna_tpe.log_pdf)
    found = TPESampler(**options).sample_relative(study, trial, space)
    assert found == wanted


def drawn(space, directions, ended, running, seed=0):
    """Return a study of so many trials, and one that is asked, all of them drawn at random."""
    study = optuna.create_study(directions=directions, sampler=RandomSampler(seed=seed))
    rng, asked = np.random.default_rng(seed), RandomSampler(seed=seed)
    for number in range(ended + running):
        params = {name: asked.sample_independent(study, None, name, each) for name, each in space.items()}
        values = rng.random(len(directions)).tolist() if number < ended else None
        state = TrialState.RUNNING if values is None else TrialState.COMPLETE
        study.add_trial(optuna.create_trial(state=state, values=values, params=params, distributions=space))
    return study, study.ask(space)


@pytest.mark.filterwarnings("ignore")
def test_of_several_objectives_all_good_trials_weigh_alike():
    study, trial = drawn(SPACES["numbers"], ["minimize", "maximize"], 320, 0)
    options = {"multivariate": True, "seed": 4}
    ours, optunas = (kind(**options).sample_relative(study, trial, SPACES["numbers"]) for kind in (TPESampler, Optunas))
    assert ours == optunas
    sampler = TPESampler(**options)
    known = optuna_tpe._observed(sampler, study)
    below, _ = optuna_tpe._estimators(sampler, study, known, SPACES["numbers"], trial.number)
    assert below._mixture_distribution.weights.tolist() == pytest.approx([1 / 33] * 33)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("liar", "kernels"), [(True, 30 - 3 + 4 + 1), (False, 30 - 3 + 1)])
def test_the_trial_that_is_asked_for_is_not_among_the_others(liar, kernels):
    study, trial = drawn(SPACES["numbers"], ["minimize"], 30, 4)
    sampler = TPESampler(multivariate=True, constant_liar=liar)
    known = optuna_tpe._observed(sampler, study)
    _, above = optuna_tpe._estimators(sampler, study, known, SPACES["numbers"], trial.number if liar else None)
    assert len(above._mixture_distribution.weights) == kernels


@pytest.mark.filterwarnings("ignore")
def test_what_points_promise_is_what_the_estimators_of_the_ended_say():
    study, space = optuna.create_study(sampler=RandomSampler(seed=0)), SPACES["mixed"]
    for number in range(50):
        trial = study.ask(space)
        if number % 4:
            study.tell(trial, (number * 7) % 11)
    points = [each.params for each in study.get_trials(deepcopy=False)[:9]]
    ended = [each for each in study.get_trials(deepcopy=False) if each.state is TrialState.COMPLETE]
    sampler = TPESampler(multivariate=True)
    split = optuna_tpe._split_trials(study, ended, 4)
    below, above = (
        sampler._build_parzen_estimator(study, space, part, handle_below=is_below)
        for part, is_below in zip(split, (True, False), strict=True)
    )
    values = {name: np.array([each.to_internal_repr(point[name]) for point in points]) for name, each in space.items()}
    wanted = (below.log_pdf(values) - above.log_pdf(values)).tolist()
    assert optuna_tpe.tpe_promise(sampler, study, space, points) == wanted
