"""The command line with a function of one's own: ablations, recipes, objectives of Optuna, and words that miss it."""

from pathlib import Path

import mlflow
import pytest

from hpsearch import load_trials, run_study, run_trial
from hpsearch.base.errors import ConfigError, HpsearchError
from hpsearch.base.types import TrialState
from hpsearch.config.compose import compose
from hpsearch.config.groups import describe_groups

CODE = """
import random

import optuna


def train(lr, width=8, epochs=4):
    for epoch in range(epochs):
        yield {"valid/acc": 1 - abs(lr - 0.1) - 1 / (width * (epoch + 1)) + random.random() / 100}


def objective(trial: optuna.Trial):
    lr = trial.suggest_float("lr", 1e-3, 1, log=True)
    trial.set_user_attr("size", int(100 * lr))
    for step in range(8):
        trial.report(abs(lr - 0.1) + 1 / (step + 1) + trial.number / 1e3, step)
        if trial.should_prune():
            raise optuna.TrialPruned()
    return abs(lr - 0.1)
"""
STUDY = """# @package _global_
defaults:
  - override /stage: [tune, arms]
study: {question: "Is a wider network better?", seeds: 3}
space: {args.width: "choice(4, 8)"}
ablation: {nuisance: retuned, points: 3}
nuisance: {args.lr: "tag(log, interval(1e-2, 1))"}
"""
OWN = ["plugins=[my_commands]", "trainer=own", "launcher=inline", "tracker=none"]
TRAIN = [*OWN, "trainer._target_=my_commands.train"]
OBJECTIVE = [*OWN, "trainer._target_=my_commands.objective", "+study=search"]
WAITING = {"auto", "top_k_after"}  # which in this process only a trial with checkpoints does
RECIPE = ["+study=recipe", "~space.optimizer.lr", "~space.optimizer.weight_decay", "space.args.lr=interval(0.01, 1)"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "my_commands.py").write_text(CODE)
    (tmp_path / "my_conf" / "study").mkdir(parents=True)
    (tmp_path / "my_conf" / "study" / "widths.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_an_ablation_compares_arms_of_a_function_at_the_best_nuisance_values_of_each(folder):
    outcome = run_study([*TRAIN, "+study=widths", "study.name=widths"], config_dirs=["my_conf"])
    assert outcome.exit_code == 0 and set(outcome.findings) == {"tune", "arms"}
    assert outcome.findings["tune"].handed["nuisance"] == {
        "width = 4": {"args.lr": 0.1}, "width = 8": {"args.lr": 0.1}
    }  # fmt: skip
    arms = load_trials("widths")
    means = arms.groupby("args.width")["score"].agg(["mean", "count"])
    assert means["count"].tolist() == [3, 3] and set(arms["args.lr"]) == {0.1}
    assert means["mean"].tolist() == pytest.approx([1 - 1 / 16, 1 - 1 / 32], abs=0.01)
    assert (
        outcome.ablation.best.levels == {"args.width": 8}
        and "Width = 8 has the highest mean valid/acc" in outcome.answer
    )
    page = (folder / "studies" / "widths" / "README.md").read_text()
    assert "optimizer" not in page and "MLP" not in page


REFUSED = {
    "gates": ([*TRAIN, *RECIPE], "stage: data_check looks into the training loop of hpsearch, and my_com"),
    "searches": ([*TRAIN, *RECIPE, "stage=[coarse,fine,confirm]"], "stage: coarse looks into the training loop of"),
    "epochs": ([*TRAIN, "+study=widths", "ablation.epochs=3"], "ablation.epochs = 3: my_commands.train trains"),
    "no function": (["+study=widths"], "space args.width: only a function of your own has arguments"),
    "no direction": (OBJECTIVE, "objective.direction: an objective of Optuna says nothing of it: give obj"),
    "direction": ([*OBJECTIVE[:-1], "+study=widths"], "objective.direction: an objective of Optuna says nothing of it"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_function_can_do_is_refused_before_anything_is_created(name, folder):
    words, line = REFUSED[name]
    with pytest.raises(ConfigError) as refused:
        run_study(words, config_dirs=["my_conf"])
    assert str(refused.value).startswith(line) and len(str(refused.value).splitlines()) == 1
    assert not (folder / "studies").exists()


MISSED = {
    "an argument": ([*TRAIN, "lr=3"], "lr: no such key, did you mean 'args.lr'? "),
    "another one": ([*TRAIN, "width=3"], "width: no such key, did you mean 'args.width'? "),
    "of our loop": (["lr=3"], "lr: no such key, did you mean 'optimizer.lr'? "),
    "of no function": (["args.lr=3"], "args.lr=3: only a function of your own has arguments, and hpsearch's own loop"),
    "added": (["+args.lr=3"], "+args.lr=3: only a function of your own has arguments"),
    "searched": (["space.args.lr=choice(1, 2)"], "space args.lr: only a function of your own has arguments"),
    "nuisance": (
        ["+study=momentum", "nuisance.args.lr=choice(1, 2)"],
        "space args.lr: only a function of your own",
    ),
}


@pytest.mark.parametrize("name", MISSED)
def test_a_word_that_nothing_reads_says_which_one_is_read(name):
    words, line = MISSED[name]
    with pytest.raises(HpsearchError) as refused:
        compose(words)
    assert str(refused.value).startswith(line)


def test_arguments_that_the_configuration_refers_to_are_read():
    assert compose(["+args.lr=0.25", "optimizer.lr=${args.lr}"]).config["optimizer"]["lr"] == 0.25


def test_an_objective_of_optuna_is_named_in_the_configuration_and_mlflow_has_what_it_says():
    words = [word for word in OBJECTIVE if word != "tracker=none"]
    run_study([*words, "study.name=named", "objective.direction=minimize", "budget.points=4", "pruner=none"])
    trials = load_trials("named")
    assert trials["score"].tolist() == pytest.approx((trials["args.lr"] - 0.1).abs().tolist())
    client = mlflow.MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")
    for run_id, rate in trials[["run_id", "args.lr"]].values:
        run, curve = client.get_run(run_id), client.get_metric_history(run_id, "valid/acc")
        given = {name for name in run.data.params if not name.startswith(("objective.", "trainer."))}
        assert given == {"args.lr", "seed", "fold"} and float(run.data.params["args.lr"]) == pytest.approx(rate, 1e-5)
        assert (run.info.status, run.data.tags["user_attrs.size"]) == ("FINISHED", str(int(100 * rate)))
        assert run.data.metrics["trial/score"] == pytest.approx(abs(rate - 0.1))
        assert sorted(each.step for each in curve) == list(range(1, 9))
    assert run_trial([*OBJECTIVE[:-1], "args.lr=0.5"]).metrics["valid/acc"] == pytest.approx(0.4 + 1 / 8)


@pytest.mark.parametrize("pruner", sorted(set(describe_groups()["pruner"]) - {"none", "wilcoxon", *WAITING}))
def test_every_pruner_that_stops_judges_an_objective_of_optuna(pruner):
    words = ["objective.direction=minimize", "budget.points=12", "sampler=random", f"pruner={pruner}"]
    run_study([*OBJECTIVE, f"study.name={pruner}", "launcher.lockstep=true", *words])
    trials = load_trials(pruner)
    whole = trials[trials["state"] == TrialState.COMPLETE]
    assert len(trials) == 12 and set(trials["state"]) <= {TrialState.COMPLETE, TrialState.PRUNED}
    assert (len(whole) == 12) is (pruner == "patience"), "the values of a trial only get better"
    assert whole["score"].tolist() == pytest.approx((whole["args.lr"] - 0.1).abs().tolist())
