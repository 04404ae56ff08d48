"""Why a curve may differ: what changed is blamed in its order, and what is the same is not."""

import pytest

from hpsearch.base.commands import PROGRAM
from hpsearch.study.reasons import conditions, reasons, unknown, without_reason

FACTS = {"torch": "2.9", "device": "AMD", "threads": 1, "arithmetic": "AVX2", "data.digest": "d1"}
HERE = {"code": "c1", "hpsearch": "0.1", "python": "3.13", "numpy": "2.3", "torch": "2.9"}
CHANGES = {
    "hpsearch's own code: c0 then, c1 now": ({}, {"code": "c0"}),
    "digest of the data: d0 then, d1 now": ({"data.digest": "d0"}, {}),
    "torch: 2.8 then, 2.9 now": ({"torch": "2.8"}, {}),
    "numpy: 2.2 then, 2.3 now": ({}, {"numpy": "2.2"}),
    "python: 3.12 then, 3.13 now": ({}, {"python": "3.12"}),
    "hpsearch: 0.0 then, 0.1 now": ({}, {"hpsearch": "0.0"}),
    "device: Intel then, AMD now": ({"device": "Intel"}, {}),
    "threads: 2 then, 1 now": ({"threads": 2}, {}),
    "arithmetic: AVX512 then, AVX2 now": ({"arithmetic": "AVX512"}, {}),
    "fused widths: 3*8 then, none now": ({"fused_widths": "3*8"}, {}),
}


def found(facts, driver, changed="", on_gpu=False, config=None):
    known = conditions({**FACTS, **facts}, FACTS, [{**HERE, **driver}], HERE)
    return list(reasons(known, changed, config or {}, on_gpu))


@pytest.mark.parametrize("said", CHANGES)
def test_what_changed_is_blamed_alone(said):
    assert found(*CHANGES[said]) == [said]


def test_all_at_once_are_blamed_in_order():
    facts = {k: v for each, _ in CHANGES.values() for k, v in each.items()}
    driver = {k: v for _, each in CHANGES.values() for k, v in each.items()}
    assert found(facts, driver) == list(CHANGES)
    assert found(facts, driver, "the code changed (a.py)")[:2] == ["the code changed (a.py)", next(iter(CHANGES))]


def test_changed_data_are_blamed_once():
    said = "the data changed since the trial was trained (rows 9 -> 10)"
    assert found({"data.digest": "d0"}, {}, said) == [said]


def test_a_gpu_is_blamed_where_its_sums_have_no_order():
    (said,) = found({}, {}, on_gpu=True)
    assert said.startswith("trainer.deterministic=false")
    assert found({}, {}, on_gpu=True, config={"trainer": {"deterministic": True}}) == []


def test_several_drivers_are_named_and_what_is_not_on_record_is_not_blamed():
    drivers = [{**HERE, "numpy": "2.2"}, HERE]
    known = conditions(FACTS, FACTS, drivers, HERE)
    assert list(reasons(known, "", {}, False)) == ["numpy: 2.2 and 2.3 then, 2.3 now"]
    known = conditions({}, {}, [], HERE)
    assert list(reasons(known, "", {}, False)) == []
    assert unknown(known).startswith("hpsearch's own code, digest of the data, torch, numpy")
    assert unknown(conditions(FACTS, FACTS, [HERE], HERE)) == ""


def test_without_a_reason_it_says_what_is_the_same_and_what_nobody_knows():
    known = conditions(FACTS, FACTS, [HERE], HERE)
    assert "numpy" in without_reason(known, {}, False, False)
    assert without_reason(known, {}, False, False).endswith("what differs first is an update")
    assert "order of the data" in without_reason(known, {}, False, True)
    assert "code of your own" in without_reason(known, {}, True, False)
    program = {"trainer": {"_target_": PROGRAM}}
    assert "of a program are not known" in without_reason(conditions({}, {}, [], HERE), program, True, False)
