"""What is not one measure is not compared."""

from dataclasses import replace

import pytest

from hpsearch.base.loss_keys import measure_of, moving
from hpsearch.reports.comparison.numbers import compare, verdict
from hpsearch.reports.kit.losses import losses_note, several_losses
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.sentences import caveats
from tests.unit.reports.comparison.test_comparison import table

CROSS_ENTROPY = {"_target_": "torch.nn.CrossEntropyLoss", "label_smoothing": 0.0, "weight": None}
FOCAL = {"_target_": "hpsearch.losses.focal.Focal", "gamma": 2.0, "weight": None}
HINGE = {"_target_": "hpsearch.losses.hinge.Hinge", "margin": 1.0, "power": 1}


def study(loss, space=None, metric="valid/loss", name="a"):
    config = {"study": {"seeds": 3}, "loss": loss}
    objective = {"metric": metric, "direction": "minimize"}
    made = table(name, [0.5, 0.6, 0.7], config=config, objective=objective)
    if space:
        made = replace(made, study={**made.study, "space": {**made.study["space"], **space}})
        made.trials["loss"] = "hinge"
    return made


@pytest.mark.parametrize(
    ("loss", "key", "moves"),
    [
        (CROSS_ENTROPY, "loss", True),
        (CROSS_ENTROPY, "model=svm/loss", True),
        (CROSS_ENTROPY, "loss.label_smoothing", False),
        (FOCAL, "loss.gamma", False),
        (HINGE, "loss.margin", True),
        ({"_target_": "mine.Loss"}, "loss.gamma", True),
        (CROSS_ENTROPY, "optimizer.lr", False),
    ],
)
def test_a_study_whose_points_have_different_losses_says_so(loss, key, moves):
    made = study(loss, {key: "choice(1, 2)"}, "valid/acc")
    assert several_losses(made) is moves
    assert ("What is minimized is not the same for every point" in " ".join(caveats(summarize(made), {}))) is moves
    assert losses_note(made, "arm").startswith("What is minimized is not the same for every arm") is moves


def test_the_losses_of_two_studies_are_compared_only_where_they_are_the_same():
    same = [summarize(study(loss, name=name)) for name, loss in (("a", CROSS_ENTROPY), ("b", FOCAL))]
    assert compare(*same).refused == ""
    other = [summarize(study(loss, name=name)) for name, loss in (("a", CROSS_ENTROPY), ("b", HINGE))]
    found = compare(*other)
    assert found.difference is None
    said = "The two studies cannot be compared: valid/loss is not the same measure in both (CrossEntropyLoss and Hinge"
    assert verdict(found, *other) == f"{said} with margin 1.0, power 1)."
    both = [summarize(study(loss, None, "valid/acc", name)) for name, loss in (("a", CROSS_ENTROPY), ("b", HINGE))]
    assert compare(*both).refused == ""


def test_what_a_loss_measures():
    assert measure_of(CROSS_ENTROPY) == measure_of({**CROSS_ENTROPY, "label_smoothing": 0.1}) == measure_of(FOCAL)
    assert measure_of(HINGE) == HINGE
    assert moving(["loss.power", "loss.weight", "model"], HINGE) == ("loss.power",)
