from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest

from hpsearch.data.check import DataFacts
from hpsearch.study.stages.base import Verdict
from hpsearch.study.stages.data_check import DataCheck

SOUND = DataFacts(
    task="classification",
    samples={"train": 300, "valid": 100},
    looked_at={"train": 300, "valid": 100},
    counts=(150, 150),
    weighted=False,
    repeats={"train": 0, "valid": 0},
    leaks={"train, valid": 0},
    contradictions=0,
    features=4,
    constant=0,
    not_finite=0,
    low=-2.0,
    high=2.0,
    rms=1.0,
    scales=1.0,
    target_std=0.0,
)


def found(**changes):
    facts = {**asdict(replace(SOUND, **changes)), "metrics": ("valid/acc",)}
    objective = SimpleNamespace(metric="valid/acc")
    return DataCheck().run(SimpleNamespace(measure=lambda *_, **__: facts, config=dict, objective=objective))


def test_sound_data_passes():
    assert found().verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("changes", "cause", "sentence"),
    [
        ({"ordering": ("id",)}, "column orders rows", "column id counts the rows, and orders the classes: it tells no"),
        ({"ordering": ("a", "b")}, "column orders rows", "each of the columns a, b counts the rows, and orders the c"),
        ({"unresolved": ("t",)}, "lost in float32", "float32 cannot tell apart the values of column t"),
    ],
)
def test_a_column_that_orders_the_rows_or_is_lost_fails(changes, cause, sentence):
    finding = found(**changes)
    assert finding.verdict is Verdict.FAIL and finding.cause == cause and finding.sentence.startswith(sentence)


WORDS = {"words": 29, "low": 0.0, "high": 28.0, "rms": 12.0, "scales": 500.0}


def test_numbers_of_words_are_no_quantities():
    finding = found(**WORDS)
    assert finding.verdict is Verdict.PASS
    assert finding.sentence == "300 train, 100 valid sentences of 29 words and 2 classes, no sentence in two parts"
    assert found(**{**WORDS, "words": 0}).cause == "inputs not scaled"


def test_rare_labels_of_words_warn():
    finding = found(**WORDS, counts=(0, 900, 12))
    assert (finding.verdict, finding.cause) == (Verdict.WARN, "class without samples")
    assert finding.sentence.startswith("1 of 3 labels are in no training sentence")
    finding = found(**WORDS, counts=(900, 12))
    assert finding.sentence.startswith("the largest class has 75 times the labels of the smallest one")
    assert (
        finding.action == "set data.class_weights=balanced, or follow metric=[f1_macro,f1_spans] with objective.metric"
    )
