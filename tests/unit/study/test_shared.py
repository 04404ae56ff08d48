"""Trials of a stage, as a driver that follows makes them of what the one that leads says."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from hpsearch.base.contents import Content, DataState, Place
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import TrialId, TrialSpec
from hpsearch.config.code import CodeReader
from hpsearch.config.compose import compose
from hpsearch.progress.display import Silent
from hpsearch.search.shared.leading import Leading
from hpsearch.study.folder import STUDY_FILE
from hpsearch.study.origins import Origins
from hpsearch.study.session import StudySession
from hpsearch.study.shared import _Specs, _turn, _with_origins
from hpsearch.trial.reading import source_key


@pytest.fixture
def specs(tmp_path):
    """Makes the trials of study r, whose stages the database says to have these words and this space."""

    def make(*words, space=None):
        text = json.dumps({"words": words, "space": space or {"optimizer.lr": "choice(1, 2)"}})
        session = SimpleNamespace(composition=compose(["+study=recipe", "study.name=r"]), folder=tmp_path / "r")
        return _Specs(session, SimpleNamespace(run=lambda work: text))

    return make


def test_a_stage_has_the_words_that_its_leader_gives_it(specs):
    spec = specs("study.name=r.fine", "trainer.epochs=2")("r.fine")(3, {"optimizer.lr": 2}, 7, 0)
    assert (spec.study, spec.config["trainer"]["epochs"], spec.config["optimizer"]["lr"]) == ("r.fine", 2, 2)
    own = specs("trainer.epochs=2")("r")(3, {"optimizer.lr": 2}, 7, 0)
    assert own.config["trainer"]["epochs"] != 2


@pytest.mark.parametrize(
    "word", ["plugins=[os]", "trainer=command", "model._target_=os.system", "tracker.uri=http://x", "seed=${oc.env:A}"]
)
def test_what_stands_in_a_database_runs_nothing_and_looks_nothing_up(specs, word):
    with pytest.raises(ConfigError):
        specs(word)("r.fine")
    with pytest.raises(ConfigError, match="interpolation"):
        specs(space={"optimizer.lr": "choice(${oc.env:A}, 2)"})("r.fine")


def origins(config, state):
    made = Origins()
    made.data.learn({source_key(config): state})
    return made


def of_files(digest, samples=""):
    return DataState({"data.file": Content(Place("x.csv"), digest, 1, 1, "")}, samples)


@pytest.mark.parametrize(
    ("there", "here", "refused"),
    [
        (of_files("a"), of_files("a"), False),
        (of_files("a"), of_files("b"), True),
        (of_files("a", "s"), of_files("a"), False),  # whose samples were not read here
        (of_files("a", "s"), of_files("a", "t"), True),
        (of_files("a"), DataState(), False),
    ],
)
def test_a_trial_on_other_data_is_refused(there, here, refused):
    config = compose(["+study=lr_sweep"]).trial({}, 0).config
    spec = TrialSpec("s", TrialId(0, 0), config, {}, (), "", "", data=there.digest, files=there.of_files.digest)
    if not refused:
        assert _with_origins(origins(config, here), spec) == spec
        return
    with pytest.raises(ConfigError, match=r"is to be trained with other data .* give every driver the same data"):
        _with_origins(origins(config, here), spec)


def test_a_trial_has_the_targets_of_its_code_where_it_is_trained(tmp_path, monkeypatch):
    (tmp_path / "my_shared.py").write_text("def train(x):\n    return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    config = {"trainer": {"_target_": "my_shared.train"}}
    code = CodeReader().of(config)
    made = _with_origins(Origins(), TrialSpec("s", TrialId(0, 0), config, {}, (), "", "", code=code.digest))
    assert made.targets == code.targets == ("my_shared.train",)
    other = replace(made, code="another")
    with pytest.raises(ConfigError, match=r"is to be trained with other code \(another\) than what stands here"):
        _with_origins(Origins(), other)


@pytest.mark.parametrize(
    ("joined", "handed", "again"), [(False, False, True), (True, False, False), (False, True, False)]
)
def test_whoever_leads_starts_a_study_again_unless_another_driver_of_it_was_there(
    tmp_path, monkeypatch, joined, handed, again
):
    monkeypatch.chdir(tmp_path)
    session = StudySession(compose(["+study=lr_sweep", "study.name=s", "tracker=none", "study.restart=true"]), Silent())
    session.folder.mkdir(parents=True)
    (session.folder / STUDY_FILE).touch()
    led = Leading(None, "s", lease=1, term=2)
    succession = SimpleNamespace(joined=joined, look=lambda: led)
    team = SimpleNamespace(session=session, succession=succession, member=SimpleNamespace(handed=handed))
    assert session.is_new
    assert _turn(team, {}) is led
    assert session.is_new == again
