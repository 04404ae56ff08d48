"""What every pruner owes the driver: the same study whatever happens to the driver, and nothing twice."""

import contextlib
import itertools
import warnings
from collections import Counter
from functools import cache, partial

import optuna
import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.rng import address
from hpsearch.base.types import Objective, Report, Started, TrialResult, TrialState
from hpsearch.config.build import build
from hpsearch.config.compose import compose
from hpsearch.config.groups import CONF
from hpsearch.study.plan import plan_search
from tests.support.driver import Killed, Setup, Uneven, resumes

PRUNERS = sorted(path.stem for path in (CONF / "pruner").glob("*.yaml"))
EPOCHS = 6
LONG = pytest.mark.long
SIZES = pytest.mark.parametrize(
    ("points", "seeds"), [pytest.param(8, (0, 1), id="short"), pytest.param(18, (0, 1, 2), id="long", marks=LONG)]
)
ACC, LOSS = Objective("valid/acc"), Objective("valid/loss", "minimize")
SPACE = {"lr": "interval(0.0, 1.0)", "kind": "choice(a, b)", "kind=b/depth": "int(interval(1, 9))"}
WORDS = {"top_k_after": ("pruner.k=2", "pruner.of=6"), "auto": ("pruner.share=4",)}


@cache
def pruner_config(name):
    return compose(["model=mlp", f"trainer.epochs={EPOCHS}", f"pruner={name}", *WORDS.get(name, ())]).config["pruner"]


def pruner(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build("pruner", pruner_config(name))


def score(spec, epoch):
    """A value that rises to a level of the point's own, and to another one for another seed."""
    level = 1 - abs(spec.params["lr"] - 0.6) + 0.02 * (address(spec.id.seed, spec.id.point) % 7) / 7
    return level * epoch / (epoch + 2)


def curve(spec):
    return [score(spec, epoch) for epoch in range(1, EPOCHS + 1)]


def random_at(points):
    return optuna.samplers.RandomSampler(seed=points)


def make(folder, name, points, seeds, **plan):
    return Setup(folder, SPACE, random_at, pruner(name), points=points, seeds=seeds, **plan)


def states(setup):
    return {trial.number: trial.state for trial in setup.study().trials}


@SIZES
@pytest.mark.parametrize("name", PRUNERS)
def test_every_point_comes_to_an_end_and_one_at_least_completes(tmp_path, name, points, seeds):
    setup = make(tmp_path, name, points, seeds)
    outcome = setup.run(resumes(curve), slots=3)
    assert len(states(setup)) == points
    assert all(state.is_finished() for state in states(setup).values())
    assert outcome.best is not None and outcome.best.n == len(seeds)
    assert len({r.key for r in setup.records()}) == points


@SIZES
@pytest.mark.parametrize("name", PRUNERS)
def test_a_minimized_objective_is_the_mirrored_one(tmp_path, name, points, seeds):
    ends = []
    for objective, sign in ((ACC, 1), (LOSS, -1)):
        folder = tmp_path / objective.metric.replace("/", "_")
        folder.mkdir()
        setup = make(folder, name, points, seeds, objective=objective)
        mirrored = lambda spec, sign=sign: [sign * value for value in curve(spec)]  # noqa: E731
        outcome = setup.run(resumes(mirrored, metric=objective.metric), slots=2)
        ends.append(([(r.id, r.state, len(r.reports)) for r in setup.records()], outcome.best.point, outcome.counts))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("name", PRUNERS)
@pytest.mark.parametrize(
    ("points", "seeds", "moment"),
    [(8, (0, 1), 9), *(pytest.param(18, (0, 1, 2), moment, marks=LONG) for moment in (4, 15, 44))],
)
def test_killed_and_resumed_it_repeats_nothing_and_ends(tmp_path, name, points, seeds, moment):
    def kill(poll):
        if poll == moment:
            raise Killed

    script, setup = resumes(curve), make(tmp_path, name, points, seeds)
    with contextlib.suppress(Killed):
        setup.run(script, slots=3, on_poll=kill)
    setup.run(script, slots=3)
    drawn = [tuple(sorted(t.params.items())) for t in setup.study().trials]
    assert len(set(drawn)) == len(drawn) == points
    assert all(state.is_finished() for state in states(setup).values())
    for record in setup.records():
        epochs = [report.epoch for report in record.reports]
        assert epochs == sorted(set(epochs))


@SIZES
@pytest.mark.parametrize("name", PRUNERS)
def test_in_lockstep_the_study_does_not_depend_on_who_is_faster(tmp_path, name, points, seeds):
    def script(slow, inner, spec):
        for item in inner(spec):
            yield from itertools.repeat(None, 3 if spec.id.point % 2 == slow else 0)
            yield item

    seen = []
    for slow in (0, 1):
        folder = tmp_path / str(slow)
        folder.mkdir()
        setup = make(folder, name, points, seeds[:2])
        setup.run(partial(script, slow, resumes(curve)), Uneven, lockstep=True)
        seen.append([(r.id, r.params, r.state, r.score, len(r.reports)) for r in setup.records()])
    assert repr(seen[0]) == repr(seen[1])


@SIZES
@pytest.mark.parametrize("name", PRUNERS)
def test_diverged_points_are_infeasible_and_hold_nobody_up(tmp_path, name, points, seeds):
    def script(inner, spec):
        if spec.params["lr"] > 0.7:
            yield Started(None, {}, 0.0)
            yield Report(1, 10, {"valid/acc": 0.05}, (), 1.0)
            yield TrialResult(TrialState.INFEASIBLE, "diverged at step 12")
        else:
            yield from inner(spec)

    setup = make(tmp_path, name, points, seeds if name == "wilcoxon" else (0,))
    outcome = setup.run(partial(script, resumes(curve)), slots=2)
    lost = {t.number for t in setup.study().trials if t.params["lr"] > 0.7}
    told = {t.number for t in setup.study().trials if t.constraints.get("infeasible", -1.0) > 0}
    pruned = {number for number, state in states(setup).items() if state == optuna.trial.TrialState.PRUNED}
    assert lost and told <= lost <= told | pruned
    assert outcome.best.params["lr"] <= 0.7


OF_SEVERAL = {"auto", "median", "none", "percentile", "successive_halving", "top_k_after"}


@pytest.mark.parametrize("name", PRUNERS)
def test_several_objectives_are_ranked_by_fronts_or_refused_in_one_line(name):
    words = ["+study=search", "space.optimizer.lr=tag(log, interval(1e-3, 1))", "objective=acc_and_parameters"]
    composition = compose([*words, f"pruner={name}", "study.seeds=3"])
    if name in OF_SEVERAL:
        assert type(plan_search(composition).pruner) is type(pruner(name))
    else:
        with pytest.raises(ConfigError, match="several objectives") as caught:
            plan_search(composition)
        assert "\n" not in str(caught.value)


@SIZES
def test_pruners_save_epochs_on_this_problem(tmp_path, points, seeds):
    trained = Counter()
    for name in sorted(set(PRUNERS) - {"none", "patience", "wilcoxon"}):
        folder = tmp_path / name
        folder.mkdir()
        setup = make(folder, name, points + 4, seeds[:1])
        setup.run(resumes(curve), slots=1)
        trained[name] = sum(len(record.reports) for record in setup.records())
    assert max(trained.values()) < (points + 4) * EPOCHS, trained
