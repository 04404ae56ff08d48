"""A trial that goes on from the last state of another one."""

import pytest

from hpsearch import continue_trial, load_trials, replay, run_trial
from hpsearch.base.errors import ConfigError, HpsearchError, StorageError
from hpsearch.progress.display import Silent
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.sentences import caveats
from hpsearch.study.existing import list_studies
from hpsearch.study.tables import table_of
from hpsearch.trial.reading import end_of

PLACE = ("launcher=inline", "tracker=none")
WORDS = (*PLACE, "model=softmax", "data.train_size=100", "optimizer=momentum", "trainer.device=cpu")


class Lines(Silent):
    def __init__(self):
        self.said = []

    def line(self, text):
        self.said.append(text)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("continue")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run_trial([*WORDS, "scheduler=constant", "trainer.epochs=2"], observer=Silent())
        run_trial([*WORDS, "scheduler=constant", "trainer.epochs=4"], observer=Silent())
        run_trial([*WORDS, "scheduler=cosine", "trainer.epochs=2", "objective.reduce=best"], observer=Silent())
        run_trial([*WORDS, "trainer.epochs=1", "trainer.keep_end_mib=0"], observer=Silent())
        yield folder


def test_with_a_constant_rate_the_curve_is_that_of_the_longer_training(project):
    lines = Lines()
    outcome = continue_trial("single/0/0", ["trainer.epochs=4", *PLACE], observer=lines)
    trials = load_trials("single").set_index("point")
    number = int(outcome.run.split("/")[1])
    assert outcome.epochs == 4 and trials.continued[number] == "single/0/0"
    measured = ["train/loss", "valid/loss", "valid/acc", "grad_norm"]
    assert trials.loc[number, measured].tolist() == trials.loc[1, measured].tolist()
    assert trials.key[number] != trials.key[1], "it is another trial than the one from the start"
    assert "goes on from single/0/0 after epoch 2; its schedule is that of all epochs" in lines.said[0]
    assert "trainer.continued=single/0/0" in outcome.replay_command
    assert replay(outcome.run, overrides=["launcher=inline"]).same
    (listed,) = list_studies()
    assert listed.continued[f"{number}/0"] == "single/0/0"
    told = summarize(table_of("single"))
    assert f"{number}/0 from single/0/0" in told.lineage and told.lineage in caveats(told, {})


def test_the_rate_of_another_schedule_is_said_and_the_last_weights_are_taken_not_the_best(project):
    outcome = continue_trial("single/2/0", ["trainer.epochs=4", *PLACE], observer=Silent())
    assert "the learning rate was" in outcome.notes[0]
    straight = run_trial([*WORDS, "scheduler=cosine", "trainer.epochs=4", "objective.reduce=best"], observer=Silent())
    assert outcome.metrics["lr"] == straight.metrics["lr"]


@pytest.mark.parametrize(
    ("run", "words", "message"),
    [
        ("single/0/0", ["trainer.epochs=2"], r"single/0/0 has trained 2 epochs already, and 2 are asked for"),
        ("single/0/0", ["model=mlp"], r"model=mlp: a trial that is continued keeps its model"),
        ("single/0/0", ["optimizer=adam"], r"optimizer=adam: a trial that is continued keeps"),
        ("single/3/0", ["trainer.epochs=3"], r"single/3/0: no last state was kept \(trainer.keep_end_mib = 0"),
        ("single/9/0", ["trainer.epochs=3"], r"study 'single' has no trial 9/0"),
    ],
)
def test_what_cannot_go_on_is_refused_in_one_line(project, run, words, message):
    with pytest.raises(HpsearchError, match=message) as caught:
        continue_trial(run, [*words, *PLACE], observer=Silent())
    assert "\n" not in str(caught.value) and isinstance(caught.value, ConfigError | StorageError)


def test_weights_of_another_architecture_are_refused(project):
    from hpsearch.config.compose import compose
    from hpsearch.trial.build import prepare
    from hpsearch.trial.loop import begun

    words = [word for word in WORDS if word != "model=softmax"]
    job = prepare(
        compose([*words, "model=mlp", "trainer.epochs=4", "trainer.continued=single/0/0"]).trial({}, 0).config
    )
    with pytest.raises(ConfigError, match=r"trainer.continued: .*end.pt holds another architecture's weights \(.*: "):
        begun(job)
    assert end_of("single/0/0").is_file()


def test_a_search_takes_no_trial_to_go_on_from(project):
    from hpsearch.config.compose import compose
    from hpsearch.study.plan import plan_search

    with pytest.raises(ConfigError, match=r"trainer.continued = single/0/0: only a single trial goes on"):
        plan_search(compose(["+study=lr_sweep", "trainer.continued=single/0/0"]))
