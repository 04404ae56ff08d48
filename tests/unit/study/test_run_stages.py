"""Stages in order: what is handed on, what is on record, where a failed one stops the recipe."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.study.recipe import RecipeOutcome, conclusion
from hpsearch.study.run_stages import from_dict, run_stages, to_dict
from hpsearch.study.stages.base import Finding, Verdict, check_stages, need
from hpsearch.study.stages.coarse import Coarse
from hpsearch.study.stages.confirm import Confirm
from hpsearch.study.stages.curves import Curves
from hpsearch.study.stages.fine import Fine
from hpsearch.study.stages.lr_find import LrFind
from hpsearch.study.stages.train_longer import TrainLonger
from tests.support import synthetic


@dataclass
class Says:
    finding: Finding
    on_fail: str = "stop"
    asked: list = field(default_factory=list)

    def run(self, context):
        self.asked.append(context.handed)
        return self.finding


def passed(**handed):
    return Finding(Verdict.PASS, "it is fine", handed=handed)


SAMPLERS = ("sobol", "random")
FAILED = Finding(Verdict.FAIL, "the loss is flat", cause="rate too low", action="raise optimizer.lr")


def run(stages, known=None):
    written, lines = {}, []
    context = SimpleNamespace(handed={}, line=lines.append)
    found = run_stages(stages, known or {}, context, written.__setitem__)
    return found, written, lines


def test_each_stage_is_given_what_those_before_it_found():
    stages = {"one": Says(passed(a=1)), "two": Says(passed(b=2)), "three": Says(passed())}
    found, written, _ = run(stages)
    assert stages["three"].asked == [{"a": 1, "b": 2}]
    assert list(found) == list(written) == ["one", "two", "three"]


def test_what_is_on_record_is_not_looked_at_again_but_still_handed_on():
    stages = {"one": Says(passed(a=1)), "two": Says(passed())}
    _, written, _ = run(stages, {"one": passed(a=7)})
    assert stages["one"].asked == []
    assert stages["two"].asked == [{"a": 7}]
    assert list(written) == ["two"]


def test_a_failed_gate_stops_the_recipe_unless_it_is_told_to_go_on():
    stages = {"one": Says(FAILED), "two": Says(passed())}
    found, _, lines = run(stages)
    assert list(found) == ["one"]
    assert lines[-1] == "✗ one: the loss is flat (rate too low) → raise optimizer.lr"
    found, _, _ = run({"one": Says(FAILED, "continue"), "two": Says(passed())})
    assert list(found) == ["one", "two"]


def test_an_unknown_answer_to_failure_is_refused():
    with pytest.raises(ConfigError, match=r"stages.two.on_fail = 'perhaps': must be one of stop, continue"):
        check_stages({"one": Says(passed()), "two": Says(passed(), "perhaps")}, SAMPLERS)


def test_any_option_of_the_group_sampler_may_search_and_no_other():
    check_stages({"coarse": Coarse(sampler="mine")}, (*SAMPLERS, "mine"))
    for stage in (Coarse(sampler="sobl"), Fine(sampler="sobl")):
        with pytest.raises(ConfigError, match=r"^stages\.one\.sampler = 'sobl': .*sobol, random"):
            check_stages({"one": stage}, SAMPLERS)


def test_stages_must_stand_behind_those_that_give_what_they_need():
    check_stages({"coarse": Coarse(), "fine": Fine(), "confirm": Confirm()}, SAMPLERS)
    with pytest.raises(ConfigError, match=r"^stage: fine needs fine_space, .* put coarse in front of fine$"):
        check_stages({"fine": Fine(), "coarse": Coarse()}, SAMPLERS)
    with pytest.raises(ConfigError, match="confirm needs candidates"):
        check_stages({"coarse": Coarse(), "confirm": Confirm()}, SAMPLERS)


def test_a_stage_of_ones_own_may_give_what_ours_need():
    mine = Says(passed())
    mine.gives = ("fine_space",)
    check_stages({"mine": mine, "fine": Fine()}, SAMPLERS)


@pytest.mark.parametrize("stage", [LrFind, Coarse, Fine, Curves, TrainLonger, Confirm])
def test_what_is_needed_is_what_the_named_giver_gives(stage):
    by_name = {"lr_find": LrFind, "coarse": Coarse, "fine": Fine}
    assert all(key in by_name[giver].gives for key, giver in getattr(stage, "needs", {}).items())


def test_a_stage_that_lacks_what_an_earlier_one_gives_says_which():
    context = SimpleNamespace(handed={})
    with pytest.raises(ConfigError, match="only stage coarse gives it: put it in front"):
        need(context, "fine_space", "coarse")


def test_findings_survive_the_record():
    finding = Finding(Verdict.WARN, "so", {"x": 1.5}, "why", "do", {"lr_range": [1, 2]}, {"lr": [1, 2]})
    assert from_dict(to_dict(finding)) == finding


def test_the_conclusion_is_the_confirmation_or_where_it_stopped():
    assert conclusion({"one": passed(), "gate": FAILED}, "gate") == (
        "Stopped at gate: the loss is flat. raise optimizer.lr"
    )
    warned = Finding(Verdict.WARN, "imbalanced")
    text = conclusion({"data_check": warned, "confirm": Finding(Verdict.PASS, "0.97 over 5 seeds")}, None)
    assert text == "0.97 over 5 seeds; look at data_check"


@pytest.mark.parametrize(
    ("state", "failed", "code"), [("COMPLETE", None, 0), ("FAILED", None, 1), ("FAILED", "tune", 3)]
)
def test_the_exit_code_tells_a_failed_gate_from_a_failed_trial_of_an_arm(tmp_path, state, failed, code):
    table = synthetic.ablation()
    table.trials.loc[0, "state"] = state
    outcome = RecipeOutcome(
        "name", tmp_path, {}, failed, "", None, None, None, None, 1.0, (), ablation=ablation_of(table)
    )
    assert outcome.exit_code == code
