from types import SimpleNamespace

import pytest

from hpsearch.reports.ablation.method import _form

CONSTANT = {"_target_": "torch.optim.lr_scheduler.ConstantLR", "factor": 1.0, "warmup_steps": 0}


def ablation(*factors, scheduler=CONSTANT, regularizer=None, nuisance=()):
    study = {"config": {"scheduler": scheduler, "regularizer": regularizer or {}}}
    return SimpleNamespace(
        factors=[SimpleNamespace(key=key) for key in factors],
        table=SimpleNamespace(study=study),
        nuisance=SimpleNamespace(keys=nuisance),
    )


@pytest.mark.parametrize(
    ("found", "constant"),
    [
        (ablation("optimizer.form"), True),
        (ablation("optimizer.form", nuisance=("optimizer.lr",)), True),
        (ablation("optimizer.form", scheduler={"_target_": "hpsearch.schedules.decays.cosine"}), False),
        (ablation("optimizer.form", scheduler={**CONSTANT, "factor": 0.5}), False),
        (ablation("optimizer.form", scheduler={**CONSTANT, "warmup_steps": 5}), False),
        (ablation("optimizer.form", "scheduler"), False),
        (ablation("optimizer.form", nuisance=("scheduler.warmup_steps",)), False),
        (ablation("optimizer.form", regularizer={"swa": {"lr": 0.1}}), False),
    ],
)
def test_where_the_forms_of_momentum_differ_is_said_in_one_sentence(found, constant):
    said = _form(found)
    assert said.startswith(
        "With the rate inside the velocity a gradient keeps the rate of the step at which it was taken"
    )
    assert said.count(".") == 1 and said.endswith("and here the rate is constant.") == constant


def test_nothing_is_said_of_forms_that_are_not_compared():
    assert _form(ablation("optimizer.momentum")) == ""
