"""Ours among the samplers: queues, Sobol's sequence, seeds."""

import signal
from collections import Counter

import optuna
import pytest
from scipy.stats import qmc

from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.config.build import build
from hpsearch.search.proposals import UniqueSampler
from hpsearch.search.samplers import BruteForce, Grid, Manual, Sobol, check_sampler, seed_after
from hpsearch.search.space import Space

SMALL = Space.parse({"a": "choice(1, 2, 3)", "kind": "choice(x, y)", "kind=x/b": "choice(0.1, 0.2)"})
WIDE = Space.parse({"lr": "tag(log, interval(1e-4, 1))", "n": "int(interval(1, 50))"})
MIXED = {"lr": "tag(log, interval(1e-4, 1))", "n": "int(interval(1, 8))", "k": "choice(a, b)", "b": "choice(true, 1)"}


def test_an_interrupt_while_the_numbers_of_the_sequence_are_read_is_heard_when_they_are(monkeypatch):
    heard = []

    def engine(*_args, **_options):
        signal.raise_signal(signal.SIGINT)
        heard.append("read")

    monkeypatch.setattr(qmc, "Sobol", engine)
    with pytest.raises(KeyboardInterrupt):
        Sobol(seed=0).bind(WIDE)
    assert heard == ["read"]


def sobol(space, seed, n, study=None):
    study = study or optuna.create_study()
    study.sampler = UniqueSampler(Sobol(seed=seed), space, 0)
    return [study.ask(space.distributions()).params for _ in range(n)]


def test_sobol_points_are_scipys_on_the_scales_of_the_space():
    space = Space.parse(MIXED)
    shares = qmc.Sobol(4, scramble=True, rng=5).random(16)
    for point, (lr, n, k, b) in zip(sobol(space, 5, 16), shares, strict=True):
        assert point["lr"] == pytest.approx(10 ** (-4 + 4 * lr))
        assert point["n"] == round(0.5 + 8 * n)
        assert (point["k"], point["b"]) == ("ab"[int(2 * k)], ["true", "1"][int(2 * b)])


def test_a_resumed_sobol_sequence_goes_on_and_stays_balanced():
    space = Space.parse(MIXED)
    study, whole = optuna.create_study(), sobol(space, 5, 64)
    parts = [point for n in (1, 7, 20, 36) for point in sobol(space, 5, n, study)]
    assert parts == whole
    assert Counter(point["n"] for point in parts) == dict.fromkeys(range(1, 9), 8)
    assert Counter(point["k"] for point in parts) == {"a": 32, "b": 32}
    assert whole != sobol(space, 6, 64)


def test_a_sampler_seeds_itself_by_its_place_unless_its_sequence_goes_on():
    random, same = optuna.samplers.RandomSampler(), Sobol()
    assert len({seed_after(random, 0, n) for n in range(9)} | {seed_after(random, 1, n) for n in range(9)}) == 18
    assert len({seed_after(same, 0, n) for n in range(9)}) == 1
    assert seed_after(same, 0, 3) != seed_after(same, 1, 3)


def test_a_grid_takes_its_points_and_brute_force_every_value():
    assert [SMALL.active(cell) for cell in BruteForce().cells(SMALL)] == list(map(SMALL.active, SMALL.grid()))
    assert len(Grid(points=3).cells(WIDE)) == 9
    with pytest.raises(SpaceError, match=r"brute_force cannot try every value of lr = tag\(log.*sampler=grid"):
        check_sampler(BruteForce(), WIDE)
    with pytest.raises(SpaceError, match=r"needs the number of its values: sampler\.points"):
        check_sampler(Grid(), WIDE)


def test_a_list_of_points_is_queued_in_its_order():
    listed = [{"kind": "y", "a": 3}, {"a": 1, "kind": "x", "b": 0.2}]
    assert [SMALL.active(cell) for cell in Manual(listed).cells(SMALL)] == [
        {"a": 3, "kind": "y"},
        {"a": 1, "kind": "x", "b": 0.2},
    ]


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ([{"a": 3}], "sampler.points[0] = {'a': 3}: kind is missing"),
        ([{"a": 3, "kind": "y"}, {"a": 3, "kind": "x"}], "sampler.points[1] = {'a': 3, 'kind': 'x'}: b is missing"),
        ([{"a": 3, "kind": "y", "c": 1}], "c is not searched"),
        ([{"a": 3, "kind": "y", "b": 0.1}], "b is not searched where kind=y"),
        ([{"a": 4, "kind": "y"}], "a = 4 is not in choice(1, 2, 3)"),
        ([{"a": 1, "kind": "y"}, {"kind": "y", "a": 1}], "is the same as sampler.points[0]"),
        ([3], "sampler.points[0] = 3: must give values by key"),
    ],
)
def test_a_bad_list_of_points_is_refused_in_one_line(listed, message):
    with pytest.raises(SpaceError) as error:
        check_sampler(Manual(listed), SMALL)
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("listed", [None, 3, {"a": 1}])
def test_a_list_of_points_must_be_a_list(listed):
    with pytest.raises(ConfigError, match=r"sampler\.points = .* must be a list of points"):
        build("sampler", {"_target_": "hpsearch.search.samplers.Manual", "points": listed}, (), seed=0)


def test_a_list_without_points_is_refused_unless_points_are_known():
    with pytest.raises(ConfigError, match=r"^sampler\.points = \[\]: a list without points; .*sampler\.first$"):
        check_sampler(Manual(), SMALL)
    check_sampler(Manual(), SMALL, known=True)


def test_dotted_keys_of_a_list_survive_the_configuration():
    config = {"_target_": "hpsearch.search.samplers.Manual", "points": [{"optimizer.lr": 0.1, "model.hidden": [8]}]}
    space = Space.parse({"optimizer.lr": "interval(0, 1)", "model.hidden": "choice([8], [16])"})
    (cell,) = build("sampler", config, (), seed=0).cells(space)
    assert space.active(cell) == {"optimizer.lr": 0.1, "model.hidden": [8]}
