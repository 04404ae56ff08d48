"""What a lost journal held is told again from the record: time, wider ranges, points that say what they are."""

import optuna
import pytest

from hpsearch.base.types import Report, Started, TrialId, TrialResult, TrialState
from hpsearch.search.auto_pruner import AutoPruner
from hpsearch.search.extension import Extension
from hpsearch.search.regain import searched_sec
from hpsearch.search.samplers import CmaEs
from hpsearch.search.storage import JournalStore, open_own
from hpsearch.search.suggested import suggested_in
from hpsearch.tracking.record import Record
from tests.support.driver import Setup, make_spec
from tests.support.fake_launcher import trains
from tests.unit.search.test_open_ask_tell import Asking, branches
from tests.unit.search.test_open_ask_tell import setup as open_setup

LR = {"lr": "interval(0.0, 1.0)"}


def random_at(known):
    return optuna.samplers.RandomSampler(seed=known)


def lose(folder):
    (folder / "optuna.journal").unlink()


def attempt(record, point, began, *heard, ended=None):
    trial = TrialId(point, 0)
    record.spec(make_spec(record.folder, {}, point, {"lr": point}, 0, 0), began)
    record.message(trial, Started(None, {}, began))
    for epoch, time in enumerate(heard):
        record.message(trial, Report(epoch, epoch, {}, (), time))
    if ended is not None:
        record.state(trial, TrialState.PAUSED, ended)


def test_the_time_in_which_trials_ran_counts_once_and_that_between_them_does_not(tmp_path):
    record = Record(tmp_path)
    attempt(record, 0, 10.0, ended=20.0)
    attempt(record, 1, 12.0, 15.0)  # within another one, and cut off
    attempt(record, 2, 18.0, 19.0, 25.0)  # beyond it
    attempt(record, 0, 100.0, ended=103.0)  # a second attempt
    attempt(record, 3, 200.0, ended=190.0)  # the clock was set back
    record.close()
    assert searched_sec(tmp_path) == 15.0 + 3.0


def test_a_lost_journal_gives_no_time_to_search_anew(tmp_path):
    def script(spec):
        yield Started(None, {}, 1000.0)  # the first that the clock of these drivers says
        yield Report(1, 1, {"valid/acc": 0.5}, (), 1001.0)
        yield TrialResult(TrialState.COMPLETE)

    Setup(tmp_path, LR, random_at, seeds=(0,), points=4).run(script)
    lose(tmp_path)
    known = searched_sec(tmp_path)
    setup = Setup(tmp_path, LR, random_at, seeds=(0,), points=8, seconds=known)
    outcome = setup.run(script)
    assert known > 0 and not setup.launcher.submitted
    assert outcome.why.startswith(f"budget.seconds = {known:g} is used up")


def test_ranges_that_were_widened_are_as_wide_without_the_journal(tmp_path):
    space = {"lr": "tag(log, interval(1e-3, 1e-2))"}
    setup = Setup(tmp_path, space, random_at, seeds=(0,), points=20, extension=Extension(edges=True, after=8, times=1))
    first = setup.run(trains(lambda spec: [spec.params["lr"]]), slots=2)
    before, wide = setup.study().trials, setup.records()
    lose(tmp_path)
    again = setup.run(trains(lambda spec: [spec.params["lr"]]), slots=2)
    after = setup.study()
    assert max(record.params["lr"] for record in wide) > 1e-2
    assert not setup.launcher.submitted and setup.records() == wide and again.best == first.best
    assert [trial.params for trial in after.trials] == [trial.params for trial in before]
    assert {(t.distributions["lr"].low, t.distributions["lr"].high) for t in after.trials} == {(1e-3, 1e-1)}
    setup.plan = Setup(tmp_path, space, seeds=(0,), points=30).plan
    more = setup.run(trains(lambda spec: [spec.params["lr"]]), slots=2)
    assert more.counts == {TrialState.COMPLETE: 30}, "it goes on in the wider range, which is not widened once more"
    assert {t.distributions["lr"].high for t in setup.study().trials} == {1e-1}


@pytest.mark.parametrize("points", [6, 9])
def test_points_that_say_what_they_are_are_known_without_the_journal(tmp_path, points):
    before = open_setup(tmp_path)
    first = before.run(branches, Asking)
    known, suggested = before.records(), suggested_in(before.study())
    lose(tmp_path)
    search = open_setup(tmp_path, points=points)
    again = search.run(branches, Asking)
    assert search.records()[:6] == known
    assert {spec.id.point for spec in search.launcher.submitted} == set(range(6, points))
    assert suggested.items() <= suggested_in(search.study()).items()
    assert again.counts == {TrialState.COMPLETE: points}
    assert again.best == first.best or points > 6
    assert [trial.params for trial in search.study().trials[:6]] == [record.params for record in known]


def test_a_journal_of_another_study_is_kept_aside_and_the_record_is_told(tmp_path):
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        Setup(tmp_path / name).run(trains([0.5]))
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    uid = Record(theirs).uid
    store = JournalStore().open(theirs)
    store.storage.set_study_user_attr(store.storage.get_all_studies()[0]._study_id, "uid", uid)
    store.close()
    strange = (theirs / "optuna.journal").read_bytes()
    (ours / "optuna.journal").write_bytes(strange)
    said = []
    open_own(JournalStore(), ours, Record(ours).uid, said.append).close()
    setup = Setup(ours)
    again = setup.run(trains([0.5]))
    assert said[0].endswith("kept as optuna.journal.damaged, and told again from the event files")
    assert (ours / "optuna.journal.damaged").read_bytes() == strange
    assert not setup.launcher.submitted and again.counts == {TrialState.COMPLETE: 6}


@pytest.mark.parametrize(
    ("sampler", "pruner", "said"),
    [
        (random_at, None, "told again from the event files"),
        (lambda n: CmaEs(seed=n), None, "files; generations of the sampler begin anew"),
        (lambda n: optuna.samplers.NSGAIISampler(seed=n), AutoPruner(), "sampler and hedges of the pruner begin anew"),
    ],
)
def test_what_no_record_holds_is_named(tmp_path, sampler, pruner, said):
    setup = Setup(tmp_path, {"lr": "interval(0.0, 1.0)", "b": "interval(0.0, 1.0)"}, sampler, pruner, points=2)
    setup.run(trains([0.5]))
    lose(tmp_path)
    setup.run(trains([0.5]))
    assert setup.observer.lines[-1].endswith(said)
