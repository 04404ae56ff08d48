"""The check of sentences finds false ones, and every sentence of every kind of study has a form."""

from dataclasses import replace

import numpy as np
import pytest

from tests.benchmarks import check_sentences
from tests.benchmarks.check_sentences import GENERATORS, read
from tests.benchmarks.judges import Subject
from tests.benchmarks.known_searches import GRID, SEARCHES
from tests.benchmarks.required import held_against, needs
from tests.benchmarks.said import NOTE, PAGE, README, TERMINAL, said
from tests.benchmarks.sentence_forms import UnknownSentence, claims

FALSE = {
    "equal points": [
        "A learning rate of 0.1 has the highest valid/acc: 0.9 (n = 1 seed, so no spread and no interval can be given)"
        "; every other value is worse",
        "A learning rate of 0.1 has the highest valid/acc: 0.5 ± 0.1 (mean ± sd of n = 3 seeds, 95 % interval 0.4–0.6 "
        "over seeds and 360 validation samples); 0.01 to 3.16 may be as good",
        "VERDICT learning rate 0.1: better",
        "trials: 3 complete",
    ],
    "a plane of equal points": ["What matters most is the learning rate: 90 % (95 % interval 80–95 %) of the variance "
                                "over the ranges tried"],
    "zero among the values": ["The best momentum lies at the low edge of the values tried: extend the search there"],
    "all too slow": ["trains: optimizer.lr 0.001 to 3.16"],
    "far points": ["Equally good within 0.01 (Tukey's comparison): learning rate 0.001."],
    "a plane that diverges by chance": [
        "training fails above a learning rate of 1, roughly (permutation p = 0.01)"
    ],
}  # fmt: skip
TRUE = {
    "equal points": ["A learning rate of 0.1 has the highest valid/acc: 0.9 ± 0.1 (mean ± sd of n = 3 seeds, 95 % "
                     "interval 0.85–0.95 over seeds and 360 validation samples); 0.001 to 3.16 may be as good",
                     "VERDICT learning rate 0.1: may be equal", "trains: optimizer.lr 0.001 to 3.16"],
    "a plane with a slope": [
        "What matters most is the learning rate: 90 % (95 % interval 80–95 %) of the variance over the ranges tried"
    ],
    "best at the high edge": [
        "The best learning rate lies at the high edge of the values tried: extend the search there"
    ],
    "far points": ["Equally good within 0.5 (Tukey's comparison): learning rate 0.316."],
    "a plane that diverges above an edge": [
        "training fails above a learning rate of 1, roughly (permutation p = 0.01)"
    ],
}  # fmt: skip
MEANS = {"best mean"}  # of a made-up headline, which the drawn study need not bear out


def judged(name, text):
    drawn = GENERATORS[name](np.random.default_rng(0))
    return [claim for claim in claims(text, Subject(drawn.truths[0], drawn.tables[0])) if claim.kind not in MEANS]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FALSE.items() for text in texts])
def test_a_false_sentence_is_found(name, text):
    assert False in [claim.holds for claim in judged(name, text)]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in TRUE.items() for text in texts])
def test_a_true_sentence_is_not(name, text):
    found = judged(name, text)
    assert found
    assert False not in [claim.holds for claim in found]


def test_a_sentence_without_a_form_is_refused():
    with pytest.raises(UnknownSentence, match="Rates are lucky"):
        judged("equal points", "The spread is over 2 seeds: an interval needs 3. Rates are lucky here.")


def test_what_is_estimated_stands_beside_what_is_true():
    text = (
        "The best of 8 points was picked by the same valid/acc that is quoted, so it looks better than it is, by about"
    )
    (claim,) = judged("equal points", f"{text} 0.012 on average.")
    assert claim.pair is not None
    assert claim.pair[0] == 0.012
    assert 0 < claim.pair[1] < 0.1


def test_accuracies_scatter_around_their_true_means():
    drawn = [SEARCHES["equal points"](np.random.default_rng(seed)) for seed in range(12)]
    scores = np.asarray([each.tables[0].trials["score"] for each in drawn])
    here = np.asarray([each.truths[0].here for each in drawn])
    assert scores.mean() == pytest.approx(0.9, abs=0.01)
    assert np.abs(scores.reshape(12, len(GRID), 3).mean(axis=2) - here).mean() < 0.02
    assert np.ptp(here, axis=1).max() < 1e-9


def test_a_kind_that_is_false_too_often_makes_the_check_fail(monkeypatch, capsys):
    def lying(name, draw):
        return [replace(claim, holds=False) for claim in judged("equal points", "VERDICT learning rate 0.1: better")]

    monkeypatch.setattr(check_sentences, "read", lying)
    assert check_sentences.main(["30", "--only", "equal points, one seed"]) == 1
    assert "False too often: verdict of an arm, equal points, one seed: 30 of 30" in capsys.readouterr().out


ASKED = {
    "equal points": ["best", "interval", "those that may be as good", "picked by what is quoted", "size of optimism"],
    "equal points, one seed": ["one seed", "picked by what is quoted"],
    "equal points, two seeds": ["intervals need three seeds"],
    "seeds change nothing": ["seeds change nothing"],
    "half of ten seeds die at an edge": ["seeds that train, k of n"],
    "all seeds diverge above an edge": ["first rate that fails"],
    "best at the high edge": ["edge of what was tried"],
    "all diverge": ["no answer"],
    "not confirmed": ["not confirmed"],
    "fresh seeds, equal points": ["over fresh seeds", "chosen by which seed", "by how much too good"],
    "equal arms": ["best", "held or tuned", "against the reference"],
    "an arm that dies": ["held or tuned"],
    "equal studies, shared seeds": ["paired over shared seeds", "each best was picked"],
    "claim 1, wrong": ["verdict of a claim"],
}


@pytest.mark.parametrize("name", ASKED)
def test_what_must_be_said_and_is_missing_is_found(name):
    drawn = GENERATORS[name](np.random.default_rng(0))
    places = [(place, "Nothing.") for place in (README, TERMINAL, PAGE, NOTE)]
    found = {claim.kind: claim for claim in held_against(drawn, places)}
    missing = {kind.removeprefix("required: ") for kind, claim in found.items() if claim.holds is False}
    assert set(ASKED[name]) <= missing


def test_what_must_not_be_said_is_found():
    drawn = GENERATORS["equal points, one seed"](np.random.default_rng(0))
    told = [(README, "0.9 ± 0.1 (mean ± sd of n = 1 seed); 0.1 may be as good")]
    assert "forbidden: a spread of one seed" in [c.kind for c in held_against(drawn, told) if c.holds is False]


def test_the_answer_must_stand_wherever_people_read():
    drawn = GENERATORS["equal points"](np.random.default_rng(0))
    told = said(drawn)
    assert not [claim for claim in held_against(drawn, told) if not claim.holds]
    for place in (README, TERMINAL, PAGE, NOTE):
        less = [(where, "Nothing." if where == place else text) for where, text in told]
        (best,) = [claim for claim in held_against(drawn, less) if claim.kind == "required: best"]
        assert best.holds is False
        assert place in best.text


def test_every_kind_of_study_has_something_that_must_be_said():
    many = {name for name in GENERATORS if name != "thousands of points"}
    bare = [name for name in many if not [*needs(GENERATORS[name](np.random.default_rng(0)))]]
    assert not bare


@pytest.mark.filterwarnings("ignore")
def test_every_sentence_has_a_form():
    assert all(read(name, 1) for name in GENERATORS if name != "thousands of points")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", GENERATORS)
def test_every_sentence_of_a_page_has_a_form(name):
    assert read(name, 0)
