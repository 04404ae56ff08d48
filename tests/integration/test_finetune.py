"""Fine-tuning from earlier trials, as a user names them."""

import contextlib
import shutil
import statistics

import pytest

from hpsearch import run_study, run_trial
from hpsearch.base.errors import HpsearchError
from hpsearch.base.types import TrialState
from hpsearch.progress.display import Silent
from hpsearch.study.single import replay
from hpsearch.tracking.events import read_study

SMALL = ("model.hidden=[32]", "launcher=inline", "trainer.device=cpu", "optimizer.lr=0.05")
TUNE = ("data.train_size=30", "data.batch_size=10", "data.classes=[5,6,7,8,9,0,1,2,3,4]", "trainer.epochs=3")
FRESH = ("finetune=all", "finetune.fresh_head=true", "finetune.rate_factor=0.5")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A folder with trials on all digits, one per seed, and their names."""
    folder = tmp_path_factory.mktemp("earlier")
    with contextlib.chdir(folder):
        return folder, [run_trial([*SMALL, "tracker=none", "trainer.epochs=5", f"seed={s}"]).run for s in range(3)]


@pytest.fixture
def pretrained(here, earlier):
    folder, runs = earlier
    shutil.copytree(folder / "studies", here / "studies")
    return runs


def accuracy(*words):
    outcome = run_trial([*SMALL, "tracker=none", *TUNE, *words])
    assert outcome.state is TrialState.COMPLETE, outcome.reason
    return outcome.metrics["valid/acc"]


def test_features_of_earlier_trials_beat_scratch_on_thirty_images_with_other_labels(pretrained):
    gains = []
    for seed, source in enumerate(pretrained):
        tuned = accuracy(f"seed={seed}", *FRESH, f"finetune.source={source}")
        gains.append(tuned - accuracy(f"seed={seed}"))
    assert statistics.mean(gains) > 0.05 and min(gains) > 0, gains


def test_a_checkpoint_is_named_by_its_trial_or_its_path_and_replayed(pretrained, here, monkeypatch):
    """The configuration keeps what the user wrote; the curve does not depend on how the checkpoint is named."""
    source = pretrained[1]
    by_trial = run_trial([*SMALL, "tracker=none", *TUNE, *FRESH, f"finetune.source={source}"])
    assert f"finetune.source={source}" in by_trial.replay_command
    assert replay(by_trial.run, overrides=["launcher=inline", "tracker=none"]).same
    shutil.copy(here / "studies" / "single" / "trials" / "1-1-0" / "best.safetensors", here / "mine.safetensors")
    by_path = run_trial([*SMALL, "tracker=none", *TUNE, *FRESH, "finetune.source=mine.safetensors"])
    measured = ("epoch_sec", "samples_per_sec")
    first, second = ({k: v for k, v in run.metrics.items() if k not in measured} for run in (by_trial, by_path))
    assert first == second


@pytest.mark.slow
def test_a_checkpoint_is_named_by_its_mlflow_run_even_when_its_folder_is_gone(here):
    from mlflow.tracking import MlflowClient

    run_trial([*SMALL, "trainer.epochs=1"])
    client = MlflowClient(f"sqlite:///{here / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("single")
    (run,) = [run for run in client.search_runs([experiment.experiment_id]) if "key" in run.data.tags]
    shutil.rmtree(here / "studies")
    assert accuracy(*FRESH, f"finetune.source={run.info.run_id}") > 0
    with pytest.raises(HpsearchError, match="no run"):
        run_trial([*SMALL, *FRESH, f"finetune.source={'0' * 32}"])


WRONG = {
    "nowhere.safetensors": "is no file",
    "single/99/0": "has no trial 99/0",
    "nothing/0/0": "no study 'nothing'",
    "weights": "must be an MLflow run id, or STUDY/POINT/SEED",
}


def test_what_is_not_there_is_said_in_one_line_and_nothing_is_created(pretrained, here):
    before = sorted(path.name for path in (here / "studies" / "single" / "trials").iterdir())
    for source, message in WRONG.items():
        with pytest.raises(HpsearchError, match=message) as error:
            run_trial([*SMALL, "tracker=none", *FRESH, f"finetune.source={source}"])
        assert "\n" not in str(error.value) and "finetune.source" in str(error.value)
    assert sorted(path.name for path in (here / "studies" / "single" / "trials").iterdir()) == before


KINDS = {
    "study": ("+study=search", "space.optimizer.lr=choice(0.01, 0.1)", "sampler=grid", "finetune.source=single_2/0/0"),
    "recipe": ("+study=recipe", "stage=[initial_loss,determinism]", "finetune.source=single/0/0"),
    "ablation": ("+study=dropout", "ablation.nuisance=held", "ablation.seeds=2", "finetune.source=single/0/0"),
}


@pytest.mark.parametrize("kind", ["study", "recipe", pytest.param("ablation", marks=pytest.mark.long)])
def test_studies_recipes_and_ablations_start_from_an_earlier_trial(pretrained, here, kind):
    (here / "studies" / "single").rename(here / "studies" / "kept")
    shutil.copytree(here / "studies" / "kept", here / "studies" / ("single_2" if kind == "study" else "single"))
    words = [
        *SMALL[:-1],
        "tracker=none",
        "data.train_size=100",
        "trainer.epochs=1",
        "finetune=all",
        f"study.name={kind}",
    ]
    outcome = run_study([*words, *KINDS[kind]], observer=Silent())
    assert outcome.exit_code == 0
    (state,) = read_study(here / "studies" / kind)["data"].values()
    assert state["files"]["finetune.source"]["place"]["path"].endswith("trials/0-0-0/best.safetensors")
    if kind == "recipe":
        assert outcome.findings["initial_loss"].numbers["loss"] < 1.0, "the weights of five epochs are the start"
