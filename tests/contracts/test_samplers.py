"""What every sampler owes the driver: batches without tells, resumption, conditions, infeasible points, one seed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from optuna.pruners import HyperbandPruner, NopPruner
from optuna.trial import TrialState

from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.base.types import Objective
from hpsearch.config.build import build
from hpsearch.config.groups import CONF
from hpsearch.config.limits import target_part
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.samplers import QueueSampler, check_sampler, seed_after
from hpsearch.search.space import Space
from hpsearch.search.storage import JournalStore, open_study

ROOT = Path(__file__).resolve().parents[2]
LONG = pytest.mark.long
BATCHES = pytest.mark.parametrize("batch", [pytest.param(6, id="short"), pytest.param(16, id="long", marks=LONG)])

SPACES = {
    "plain": {"lr": "tag(log, interval(1e-4, 1))", "momentum": "interval(0, 1)", "width": "int(interval(1, 64))"},
    "conditional": {
        "rate": "interval(0, 1)",
        "seeded": "range(0, 10)",
        "model": "choice(small, large)",
        "model=large/block": "choice(plain, dense)",
        "model=large/block=dense/growth": "int(interval(2, 48))",
        "model=large/layers": "choice([8], [8, 8], null)",
    },
}
FINITE = {
    "plain": {"lr": "choice(0.01, 0.1, 1)", "momentum": "range(0, 1, 0.25)", "width": "range(1, 9)"},
    "conditional": SPACES["conditional"]
    | {"rate": "range(0, 1, 0.25)", "model=large/block=dense/growth": "range(2, 9)"},
}
OPTIONS = {"grid": {"points": 4}, "nsga2": {"population_size": 12}, "auto": {"startup": 8}}
SAMPLERS = sorted(file.stem for file in (CONF / "sampler").glob("*.yaml"))
SEVERAL = [name for name in SAMPLERS if name != "cmaes"]
ONE = Objective("score")
MINIMIZED = Objective("score", "minimize")
TWO = Objective("score", others=(Objective("cost", "minimize"),))


def space_of(name, kind):
    return Space.parse((FINITE if name == "brute_force" else SPACES)[kind])


def listed(space):
    rng = random.Random(1)
    return [space.active(space.draw(rng)) for _ in range(64)]


def made(name, space, seed):
    options = yaml.safe_load((CONF / "sampler" / f"{name}.yaml").read_text()) | OPTIONS.get(name, {})
    if name == "manual":
        options |= {"points": listed(space)}
    return build("sampler", target_part("sampler", options), (), seed=seed)


def never(line):
    raise AssertionError(line)


class Session:
    """A study as one driver process opens it: the journal, and a sampler that is seeded for what is in there."""

    def __init__(self, folder, name, kind="plain", objective=ONE, seed=7, pruner=None, space=None):
        folder.mkdir(parents=True, exist_ok=True)
        self.space = space or space_of(name, kind)
        self.objective = objective
        self.store = JournalStore().open(folder)
        self.study = open_study(self.store, "study", pruner or NopPruner(), objective)
        known = len(self.study.get_trials(deepcopy=False))
        sampler = made(name, self.space, seed_after(made(name, self.space, 0), seed, known))
        check_sampler(sampler, self.space, len(objective.each))
        self.study.sampler = UniqueSampler(sampler, self.space, seed, line=never)
        if isinstance(sampler, QueueSampler):
            for cell in sampler.cells(self.space)[known:]:
                self.study.enqueue_trial(cell)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.store.close()

    def ask(self, number):
        trials = [self.study.ask(self.space.distributions()) for _ in range(number)]
        self.store.flush()
        return trials

    def tell(self, trial, bad=False):
        shares = self.shares(trial)
        score = -1.0 if bad else 1 - sum((share - 0.3) ** 2 for share in shares) / len(shares)
        score *= 1 if self.objective.maximize else -1
        trial.set_constraint("infeasible", 1.0 if bad else -1.0)
        self.study.tell(trial, [score, shares[0]][: len(self.objective.each)])

    def shares(self, trial):
        """Each value as a number between 0 and 1."""
        found = []
        for parameter in self.space.parameters:
            value, ends = trial.params[parameter.name], parameter.distribution
            if hasattr(ends, "choices"):
                found.append(ends.choices.index(value) / len(ends.choices))
            else:
                found.append((value - ends.low) / (ends.high - ends.low))
        return found

    def asked(self):
        """Every point drawn so far, with its values of Optuna's."""
        return [t.params for t in self.study.get_trials(deepcopy=False) if t.state is not TrialState.WAITING]


def keys(space, points):
    return [repr(sorted(space.active(flat).items())) for flat in points]


def assert_points(space, points):
    """All are whole points of the space, and no two are the same."""
    for flat in points:
        assert space.is_complete(flat)
        for parameter in space.parameters:
            assert parameter.distribution._contains(parameter.distribution.to_internal_repr(flat[parameter.name]))
    found = keys(space, points)
    assert len(set(found)) == len(found)


def search(folder, name, kind, batch, objective=ONE):
    """Ask a batch, tell it out of order with every kind of end, ask another, and go on after a restart."""
    more = 1 if name == "gp" and (kind, batch) != ("plain", 16) else batch  # a process takes its time
    with Session(folder, name, kind, objective) as session:
        first = session.ask(batch)
        for place in random.Random(2).sample(range(batch), batch - 2):
            if place in (3, 4):
                session.study.tell(first[place], state=TrialState.FAIL if place == 3 else TrialState.PRUNED)
            else:
                session.tell(first[place], bad=place % 4 == 1)
        session.ask(more)
    with Session(folder, name, kind, objective) as session:
        session.ask(1)
        points = session.asked()
        assert len(points) == batch + more + 1
        assert_points(session.space, points)
        return points


@BATCHES
@pytest.mark.parametrize("kind", SPACES)
@pytest.mark.parametrize("name", SAMPLERS)
def test_batches_without_tells_then_told_out_of_order_then_resumed(name, kind, batch, tmp_path):
    assert search(tmp_path, name, kind, batch)


@BATCHES
@pytest.mark.parametrize("name", SAMPLERS)
def test_the_same_seed_gives_the_same_points_and_so_does_the_mirrored_objective(name, batch, tmp_path):
    points = search(tmp_path / "one", name, "plain", batch)
    assert search(tmp_path / "again", name, "plain", batch) == points
    assert search(tmp_path / "minimized", name, "plain", batch, MINIMIZED) == points


@BATCHES
@pytest.mark.parametrize("name", sorted({*SAMPLERS} - {"grid", "brute_force", "manual"}))
def test_another_seed_gives_other_points(name, batch, tmp_path):
    points = []
    for seed in (7, 8):
        with Session(tmp_path / str(seed), name, seed=seed) as session:
            session.ask(batch)
            points.append({*keys(session.space, session.asked())})
    assert not points[0] & points[1]


@BATCHES
@pytest.mark.parametrize("name", SEVERAL)
def test_two_objectives(name, batch, tmp_path):
    assert search(tmp_path, name, "plain", batch, TWO)


def test_what_cmaes_cannot_do_is_refused_in_one_line():
    sampler = made("cmaes", space_of("cmaes", "plain"), 0)
    cases = [
        (
            space_of("cmaes", "plain"),
            2,
            ConfigError,
            "sampler=cmaes searches one objective, not 2; use tpe, gp or nsga2",
        ),
        (Space.parse({"a": "choice(x, y)"}), 1, SpaceError, "two or more numeric hyperparameters .* here is none"),
        (Space.parse({"a": "choice(1, 2, 3)"}), 1, SpaceError, r"choice of numbers\), and here is only a"),
        (Space.parse({"a": "choice(x, y)", "b": "interval(0, 1)"}), 1, SpaceError, "two or more .* here is only b"),
    ]
    for space, objectives, kind, message in cases:
        with pytest.raises(kind, match=message) as error:
            check_sampler(sampler, space, objectives)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("rounds", [2, pytest.param(6, marks=LONG)])
def test_cmaes_takes_categories_beside_numbers(rounds, tmp_path):
    with Session(tmp_path, "cmaes", "conditional") as session:
        for _ in range(rounds):
            for trial in session.ask(8):
                session.tell(trial)
        assert_points(session.space, session.asked())
        assert {flat["model"] for flat in session.asked()[-16:]} == {"small", "large"}


@pytest.mark.parametrize("objective", [ONE, MINIMIZED], ids=["maximize", "minimize"])
@pytest.mark.parametrize(
    ("name", "rounds", "batch", "asked"),
    [
        ("cmaes", 10, 8, 10),
        ("gp", 1, 16, 1),
        ("nsga2", 12, 8, 40),
        ("tpe", 3, 8, 10),
        *(
            pytest.param(*case, marks=LONG)
            for case in (("cmaes", 25, 8, 40), ("gp", 2, 8, 6), ("nsga2", 15, 8, 40), ("tpe", 7, 8, 40))
        ),
    ],
)
def test_the_feasible_half_is_preferred(name, rounds, batch, asked, objective, tmp_path):
    space = Space.parse({"a": "interval(0, 1)", "b": "interval(0, 1)"})
    with Session(tmp_path, name, space=space, objective=objective) as session:
        for _ in range(rounds):
            for trial in session.ask(batch):
                session.tell(trial, bad=trial.params["a"] > 0.5)
        feasible = [trial.params["a"] <= 0.5 for trial in session.ask(asked)]
        assert_points(space, session.asked())
    assert sum(feasible) >= 0.7 * asked


@pytest.mark.parametrize("name", ["random", "sobol", "tpe", "nsga2"])
def test_a_finite_space_is_drawn_to_its_end(name, tmp_path):
    space = Space.parse({"a": "range(0, 5)", "kind": "choice(x, y)", "kind=y/b": "choice(true, 1, null)"})
    with Session(tmp_path, name, space=space) as session:
        for _ in range(space.size()):
            session.tell(*session.ask(1))
        assert_points(space, session.asked())
        assert len(session.asked()) == space.size() == 20


def test_points_in_another_bracket_of_hyperband_are_not_drawn_again(tmp_path):
    space = Space.parse({"a": "range(0, 12)"})
    pruner = HyperbandPruner(min_resource=1, max_resource=9, reduction_factor=3)
    for _ in range(3):
        with Session(tmp_path, "random", space=space, pruner=pruner) as session:
            for trial in session.ask(4):
                trial.report(0.5, step=1)
                trial.should_prune()
                session.tell(trial)
            assert_points(space, session.asked())


def lead_on(folder):
    """Ask and tell with every sampler in turn, until somebody kills this process."""
    sessions = [Session(folder / name, name, "conditional") for name in SAMPLERS]
    for turn in range(12):
        for session in sessions:
            session.tell(session.ask(2)[0])
            session.store.flush()
        print(turn, flush=True)
    time.sleep(60)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_driver_that_is_gone_leaves_a_study_that_goes_on(name, tmp_path):
    lost = Session(tmp_path, name, "conditional")
    for _ in range(2):
        lost.tell(lost.ask(2)[0])
        lost.store.flush()
    before = lost.asked()
    lost.tell(lost.study.ask(lost.space.distributions()))  # never reaches the disk
    with Session(tmp_path, name, "conditional") as session:
        assert session.asked() == before
        session.ask(1)
        assert session.asked()[: len(before)] == before
        assert_points(session.space, session.asked())


@LONG
@pytest.mark.fault
def test_after_a_kill_no_point_is_drawn_twice(tmp_path):
    code = (
        f"from pathlib import Path; from tests.contracts.test_samplers import lead_on; lead_on(Path({str(tmp_path)!r}))"
    )
    command, env = [sys.executable, "-c", code], os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) >= 8:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    for name in SAMPLERS:
        with Session(tmp_path / name, name, "conditional") as session:
            before = session.asked()
            assert len(before) >= 16
            session.ask(2)
            assert session.asked()[: len(before)] == before
            assert_points(session.space, session.asked())
