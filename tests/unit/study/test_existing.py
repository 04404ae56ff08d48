"""`report NAME` and `report A B`: from the folder, from the tracking store alone, and what they refuse."""

import shutil

import pytest

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.reports.kit.beside import FORESTS, PICTURES
from hpsearch.study import existing
from hpsearch.study.api import compare
from hpsearch.study.existing import compare_studies, rebuild_report
from hpsearch.study.run_stages import to_dict
from hpsearch.study.stages.base import Finding, Verdict
from hpsearch.tracking.events import STUDY, read_study
from hpsearch.tracking.mlflow import run_of, sync
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a store and two studies, `lr_sweep` and `other`."""
    uri = fake.new_store(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("lr_sweep", "other"):
        record = Record(tmp_path / "studies" / name)
        fake.open_study(record)
        for point, lr in enumerate((0.01, 0.1)):
            for seed in range(2):
                fake.train(record, fake.spec(record.folder, point, seed, **{"optimizer.lr": lr}))
        record.study("state", fake.TIME, state="COMPLETE", answer="It is found.")
        record.close()
        sync(record.folder, uri, str(tmp_path / "mlartifacts"))
    return tmp_path


SPACE = {"lr": "choice(1, 2)", "model=a/depth": "range(1, 3)", "model=b/depth": "range(1, 5)", "where": "lr < depth"}


@pytest.mark.parametrize(
    ("study", "helpers"),
    [
        ({}, ()),
        ({"space": None}, (PICTURES,)),
        ({"space": {name: SPACE[name] for name in ("model=a/depth", "model=b/depth", "where")}}, (PICTURES,)),
        ({"space": SPACE}, (PICTURES, FORESTS)),
        ({"space": SPACE, "recipe": ["arms"]}, (PICTURES,)),
        ({"space": SPACE, "recipe": ["coarse", "fine"]}, ()),
    ],
)
def test_a_report_is_helped_with_what_it_needs(monkeypatch, tmp_path, study, helpers):
    monkeypatch.setattr(existing, "read_study", lambda _: study)
    assert existing._helpers(tmp_path) == helpers


def test_a_report_is_rebuilt_from_the_tracking_store_alone(folder):
    first = rebuild_report("lr_sweep")
    table = (first.parent / "trials.csv").read_text()
    shutil.rmtree(folder / "studies")
    again = rebuild_report("lr_sweep")
    assert again == folder / "studies" / "lr_sweep" / "report.html"
    assert "Which learning rates train this model?" in again.read_text()
    assert (again.parent / "trials.csv").read_text() == table


def test_a_recipe_is_rebuilt_from_the_tracking_store_alone(tmp_path, monkeypatch):
    uri, found = fake.new_store(tmp_path), to_dict(Finding(Verdict.PASS, "a loss of 2.30", {"loss": 2.3}))
    monkeypatch.chdir(tmp_path)
    record = Record(tmp_path / "studies" / "recipe")
    stages = {"initial_loss": {"_target_": "hpsearch.study.stages.initial_loss.InitialLoss"}}
    fake.open_study(record, recipe=["initial_loss"], config={"stages": stages})
    record.study("stage", fake.TIME, name="initial_loss", **found)
    record.study("state", fake.TIME, state="COMPLETE", answer="It trains.", why="", replay="python -m hpsearch seed=1")
    record.close()
    sync(record.folder, uri, str(tmp_path / "mlartifacts"))
    page = rebuild_report("recipe").read_text()
    readme = (tmp_path / "studies" / "recipe" / "README.md").read_text()
    shutil.rmtree(tmp_path / "studies")
    assert rebuild_report("recipe").read_text() == page
    assert "A loss of 2.30" in page and "Check the initial loss" in page
    assert (tmp_path / "studies" / "recipe" / "README.md").read_text() == readme and "seed=1" in readme


def test_a_stage_that_is_sent_before_its_recipe_is_put_under_it_by_what_it_sends_next(tmp_path, monkeypatch):
    uri = fake.new_store(tmp_path)
    monkeypatch.chdir(tmp_path)
    recipe, stage = (Record(tmp_path / "studies" / name) for name in ("recipe", "recipe.arms"))
    fake.open_study(recipe, recipe=["arms"])
    recipe.flush()
    within = {"name": "recipe", "uid": read_study(recipe.folder)["uid"]}
    fake.open_study(stage, within=within)
    for record in (stage, recipe, stage):
        record.flush()
        sync(record.folder, uri, str(tmp_path / "mlartifacts"))
        stage.study("state", fake.TIME, state="COMPLETE", answer="It is found.")
    recipe.close()
    stage.close()
    from mlflow import MlflowClient

    own, parent = (run_of(record.folder, STUDY, uri) for record in (stage, recipe))
    assert MlflowClient(uri).get_run(own).data.tags["mlflow.parentRunId"] == parent


def test_two_studies_give_one_page_wherever_they_are_kept(folder):
    page = compare_studies("lr_sweep", "other")
    assert page == folder / "studies" / "lr_sweep_vs_other" / "report.html"
    shutil.rmtree(folder / "studies" / "other")
    assert compare_studies("lr_sweep", "other").read_text() == page.read_text()


@pytest.mark.parametrize("store", [True, False])
def test_an_unknown_study_is_one_line_with_the_nearest(folder, store):
    if not store:
        (folder / "mlflow.db").unlink()
    before = sorted(folder.rglob("*"))
    for command in (lambda: rebuild_report("lr_swep"), lambda: compare_studies("other", "lr_swep")):
        with pytest.raises(StorageError) as raised:
            command()
        assert "no study 'lr_swep' in " in str(raised.value)
        assert "did you mean 'lr_sweep'? (there are: lr_sweep, other)" in str(raised.value)
        assert "\n" not in str(raised.value)
    assert sorted(folder.rglob("*")) == before


def test_a_study_is_not_compared_with_itself_nor_a_recipe_with_anything(folder):
    with pytest.raises(ConfigError, match="two different studies"):
        compare_studies("other", "other")
    record = Record(folder / "studies" / "recipe")
    fake.open_study(record, recipe=["coarse"])
    record.study("stage", fake.TIME, name="coarse")
    record.close()
    with pytest.raises(ConfigError, match=r"'recipe' is a recipe: .*recipe\.coarse"):
        compare_studies("other", "recipe")


def ablate(folder, name):
    """Write an ablation of two arms as its stages leave it."""
    recipe = Record(folder / "studies" / name)
    fake.open_study(recipe, recipe=["tune", "arms"])
    recipe.close()
    arms = Record(folder / "studies" / f"{name}.arms")
    factors = {"ablation": {"factors": ["optimizer.lr"], "nuisance": "held"}}
    within = {"name": name, "uid": read_study(recipe.folder)["uid"]}
    fake.open_study(arms, config=factors, space={"optimizer.lr": "choice(0.01, 0.1)"}, within=within)
    for point, lr in enumerate((0.01, 0.1)):
        for seed in range(3):
            fake.train(arms, fake.spec(arms.folder, point, seed, **{"optimizer.lr": lr}))
    arms.close()


def test_two_ablations_are_compared_by_their_arms_and_so_is_one_with_a_search(folder):
    for name in ("held", "retuned"):
        ablate(folder, name)
    text = compare_studies("held", "retuned").read_text()
    assert "Of 2 arms that both have, in retuned against held: " in text
    assert 'id="differences-data"' in text
    assert "python -m hpsearch report held retuned" in text
    assert compare("held", "retuned").startswith("Best valid/acc: held 0.901 (n = 1)")
    text = compare_studies("held", "other").read_text()
    assert "Arm by arm" not in text and "Best valid/acc: held 0.901 (n = 1)" in text
    assert compare("other", "held").startswith("Best valid/acc: other 0.")
