"""A study that goes on in another space: what it may become, what stays, and what is refused."""

from pathlib import Path

import optuna
import pytest

import hpsearch
from hpsearch.base.errors import HpsearchError
from hpsearch.base.types import TrialState
from hpsearch.search.extension import present_study
from hpsearch.search.storage import JournalStore
from hpsearch.study import by_hand, grow
from hpsearch.tracking.events import read_trials
from hpsearch.tracking.record import Record


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


trained = []


def train(lr=0.3, kind="a", width=8, depth=2):
    trained.append((lr, kind, width, depth))
    yield {"valid/acc": 1 - abs(lr - 0.3) - 0.01 * width - (0.1 if kind == "a" else 0)}


OLD = {"lr": "interval(0, 1)", "kind": "choice(a, b)"}
NEW = {"lr": "interval(-1, 2)", "kind": "choice(a, c, b)", "width": "choice(4, 8, 16)", "depth": "int(interval(1, 4))"}


def search(space, **given):
    options = {"points": 6, "sampler": "tpe", "pruner": "none", "tracker": "none", "name": "s"}
    overrides = ["launcher=inline", *given.pop("overrides", ())]
    trained.clear()
    return hpsearch.run_search(train, space=space, overrides=overrides, **(options | given))


def asked(folder):
    store = JournalStore().open(folder / "studies" / "s")
    trials = optuna.load_study(study_name=present_study(store.storage, "s"), storage=store.storage).trials
    store.close()
    return trials


@pytest.mark.parametrize("arguments", [{}, {"width": 8}], ids=["by default", "as an argument"])
def test_a_study_goes_on_in_a_space_with_wider_ranges_more_options_and_more_keys(folder, arguments):
    first = search(OLD, arguments=arguments)
    before = [(trial.number, trial.values, trial.user_attrs) for trial in asked(folder)]
    outcome = search(NEW, points=10, grow="s")
    assert outcome.name == first.name == "s" and len(trained) == 4
    assert outcome.counts == {TrialState.COMPLETE: 10}
    after = asked(folder)
    assert [(trial.number, trial.values, trial.user_attrs) for trial in after[:6]] == before
    assert {str(trial.distributions) for trial in after} == {str(after[0].distributions)} and len(after[0].params) == 4
    trials = hpsearch.load_trials("s").sort_values("point")
    assert trials["args.width"].tolist()[:6] == [8] * 6 and trials["args.depth"].tolist()[:6] == [2] * 6
    assert outcome.best.mean == trials["score"].max()
    again = search(NEW, points=11)
    assert again.counts == {TrialState.COMPLETE: 11} and len(trained) == 1


@pytest.mark.parametrize("fixed", [{}, {"width": 16}], ids=["by default", "as an argument"])
def test_points_that_were_added_and_never_trained_have_the_value_that_the_study_had(folder, fixed):
    lr = {"lr": "interval(0, 1)"}
    search(lr, arguments=fixed)
    by_hand.try_point("s", ["lr=0.25"])
    by_hand.skip_point("s/6")
    by_hand.try_point("s", ["lr=0.3"])
    outcome = search({**lr, "width": "choice(8, 16)"}, grow="s")
    assert trained == [(0.3, "a", fixed.get("width", 8), 2)] and outcome.best.point == 7
    assert [trial.state.name for trial in asked(folder)][6:] == ["PRUNED", "COMPLETE"]


def test_a_grid_that_grows_trains_its_new_cells_alone():
    search({"kind": "choice(a, b)"}, sampler="grid", points=None)
    outcome = search({"width": "choice(4, 8)", "kind": "choice(b, c, a)"}, sampler="grid", points=None, grow="s")
    assert len(trained) == 4 and ("b", 8) not in {(kind, width) for _, kind, width, _ in trained}
    assert outcome.counts == {TrialState.COMPLETE: 6}
    assert search({"width": "choice(4, 8)", "kind": "choice(b, c, a)"}, sampler="grid", points=None).already_complete


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        ({"lr": "interval(0, 1)", "kind": "choice(a, c)"}, r"args\.kind = 'b' is not in choice\(a, ?c\)"),
        ({"lr": "interval(0, 0.001)", "kind": "choice(a, b)"}, r"args\.lr = .* is not in interval"),
        ({**OLD, "width": "choice(4, 16)"}, r"args\.width = 8 is not in choice\(4, ?16\)"),
        ({"lr": "interval(0, 1)"}, r"args\.kind: a -> "),
        ({**OLD, "kind=b": {"width": "choice(4, 8)"}}, r"args\.width: \(none\) -> null"),
    ],
    ids=["an option less", "a narrower range", "not the value that it had", "a key less", "a default that is None now"],
)
def test_a_space_without_a_place_for_every_point_is_refused_in_one_line(folder, space, reason):
    search(OLD)
    described = (folder / "studies" / "s" / "study.yaml").read_text()
    with pytest.raises(
        HpsearchError, match=rf"study\.grow = s: point \d is none of the new space \(.*{reason}"
    ) as error:
        search(space, grow="s")
    assert "\n" not in str(error.value) and not trained
    assert (folder / "studies" / "s" / "study.yaml").read_text() == described
    assert search(OLD, points=7).counts == {TrialState.COMPLETE: 7}


def test_a_point_that_was_never_trained_is_looked_for_before_anything_is_changed(folder):
    search({"lr": "interval(0, 1)"}, points=1, first=[{"lr": 0.2}])
    by_hand.try_point("s", ["lr=0.9"])
    before = {path: path.read_bytes() for path in (folder / "studies" / "s").glob("*.*") if path.is_file()}
    with pytest.raises(HpsearchError, match=r"study\.grow = s: point 1 is none of the new space .*lr = 0\.9 is not in"):
        search({"lr": "interval(0, 0.5)"}, grow="s", points=3, first=[{"lr": 0.2}])
    assert {path: path.read_bytes() for path in before if path.name != "owner.json"} == {
        path: content for path, content in before.items() if path.name != "owner.json"
    }
    search({"lr": "interval(0, 1)"}, points=2, first=[{"lr": 0.2}])
    assert [lr for lr, *_ in trained] == [0.9]


def test_only_a_search_that_was_kept_grows():
    record = Record(Path("studies/recipe"))
    record.study("open", 1.0, name="recipe", space={"optimizer.lr": "choice(0.1, 0.3)"}, recipe=["coarse"])
    record.close()
    words = ["tracker=none", "launcher=inline", "trainer.epochs=1", "space.optimizer.lr=choice(0.1, 0.3)"]
    for name in ("recipe", "none"):
        with pytest.raises(HpsearchError, match=rf"study\.grow = {name}: .*study '{name}'.*from the command line"):
            hpsearch.run_study(["+study=search", f"study.grow={name}", *words])
    with pytest.raises(HpsearchError, match=r"study\.grow = s: Memory.* keeps no points to go on with"):
        hpsearch.run_study(["+study=search", "study.grow=s", "storage=memory", *words])
    for study in ("recipe", "momentum"):
        with pytest.raises(HpsearchError, match=rf"study\.grow = recipe: only a search .*\+study={study} has stages"):
            hpsearch.run_study([f"+study={study}", "study.grow=recipe", *words[:-1]])
    assert [path.name for path in Path("studies").iterdir()] == ["recipe"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"grow": "t", "name": None}, r"no study 't' in .*there are: s"),
        ({"grow": "t"}, r"study\.grow = t and study\.name = s: a study goes on under its own name"),
        ({"grow": "s", "overrides": ["study.restart=true"]}, r"study\.grow = s and study\.restart = true"),
        ({"grow": "s", "seeds": 2}, r"was started with another configuration"),
        ({}, r"was started with another configuration .*study\.grow=s to go on in the other space"),
    ],
)
def test_what_is_no_growth_is_refused_in_one_line(given, message):
    search(OLD)
    with pytest.raises(HpsearchError, match=message) as error:
        search(NEW, **given)
    assert "\n" not in str(error.value)


def test_a_study_that_was_cut_off_while_it_grew_grows_when_it_goes_on(monkeypatch):
    search(OLD)

    def cut_off(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(grow, "regrown", cut_off)
        with pytest.raises(KeyboardInterrupt):
            search(NEW, points=8, grow="s")
    assert search(NEW, points=8).counts == {TrialState.COMPLETE: 8}
    assert len(trained) == 2


def test_a_range_that_was_widened_by_itself_stays_so(folder):
    space = {"lr": "interval(0.5, 1)"}
    options = {"overrides": ["extend.edges=true", "extend.after=4", "extend.times=1"], "sampler": "random"}
    search(space, points=12, **options)
    assert min(lr for lr, *_ in trained) < 0.5
    search({**space, "width": "choice(4, 8)"}, points=14, grow="s", **options)
    widest = asked(folder)[0].distributions["args.lr"]
    assert (widest.low, widest.high) == (0.25, 1.0) and len(trained) == 2


def test_a_group_that_was_fixed_is_searched_with_the_option_that_it_had():
    words = ("+study=search", "study.name=s", "tracker=none", "launcher=inline", "trainer.epochs=1", "sampler=random")
    rates = "space.optimizer.lr=tag(log, interval(1e-3, 1))"
    hpsearch.run_study([*words, "pruner=none", "model=softmax", rates, "budget.points=2"])
    more = ("space.model=choice(mlp, softmax)", "space[model=mlp].model.hidden=choice([8], [16])", "study.grow=s")
    outcome = hpsearch.run_study([*words, "pruner=none", rates, *more, "budget.points=4"])
    records = {record.id.point: record for record in read_trials(outcome.folder)}
    assert [records[point].params["model"] for point in (0, 1)] == ["softmax", "softmax"]
    assert outcome.counts == {TrialState.COMPLETE: 4}


def test_constraints_may_come_that_every_point_meets_and_settings_to_try_with_them():
    space = {"lr": "interval(0, 1)", "width": "choice(8, 16)"}
    search(space)
    with pytest.raises(HpsearchError, match=r"point \d is none of the new space \(it does not meet .* < 0\.1"):
        search({**space, "where": ["lr < 0.1"]}, grow="s")
    first = [{"lr": 1.5, "width": 8}]
    outcome = search({**space, "lr": "interval(0, 2)", "where": ["lr * width < 17"]}, grow="s", first=first, points=7)
    assert outcome.counts == {TrialState.COMPLETE: 7} and [(lr, width) for lr, _, width, _ in trained] == [(1.5, 8)]
