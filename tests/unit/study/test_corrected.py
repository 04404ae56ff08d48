"""Command lines that are no overrides, and what they are taken for: flags, dashes, two words, Chinese terms."""

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.config.words import parse_word
from hpsearch.study.corrected import as_overrides, corrected, refusal_of


@pytest.mark.parametrize(
    ("given", "overrides"),
    [
        ("--lr 0.1", "lr=0.1"),
        ("--lr=0.1", "lr=0.1"),
        ("-lr=0.1", "lr=0.1"),
        ("\u2014lr=0.1", "lr=0.1"),
        ("\u2013lr 0.1", "lr=0.1"),
        ("lr 0.1", "lr=0.1"),
        ("lr -0.1", "lr=-0.1"),
        ("epochs 5 lr 0.1 model=mlp", "epochs=5 lr=0.1 model=mlp"),
        ("--weight-decay 0 model=mlp", "weight_decay=0 model=mlp"),
        ("学习率 0.1", "学习率=0.1"),
        ("--cfg job --config-dir here lr 1", "--cfg job --config-dir here lr=1"),
        ("--help lr 1", "--help lr=1"),
        ("--lr", None),
        ("--lr --epochs 5", None),
        ("--lr model=mlp", None),
        ("adam", None),
        ("model=mlp optimizer.lr=0.1", None),
        ("+study=lr_sweep ~space", None),
    ],
)
def test_flags_and_pairs_of_words_are_taken_for_overrides(given, overrides):
    assert as_overrides(given.split()) == (overrides.split() if overrides else [])


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("学习率=0.1", "optimizer.lr=0.1"),
        ("批大小=64 轮数=3", "data.batch_size=64 trainer.epochs=3"),
        ("丢弃法=0.5", "model.dropout=0.5"),
        ("优化器=Adam", "optimizer=adam"),
        ("优化器=动量法", "optimizer=momentum"),
        ("损失函数=均方误差", "loss=mse"),
        ("model=支持向量机", "model=svm"),
        ("~学习率", "~optimizer.lr"),
        ("step_size=10", None),  # of a schedule, no learning rate
        ("margin=1", None),  # of the loss or of the objective
        ("gradient_accumulation_steps=4", None),  # how many groups are not how many samples
        ("梯度累积=4", None),
        ("model=BiLSTM", None),
        ("香蕉=3", None),
    ],
)
def test_a_term_of_the_notes_is_answered_with_the_key(given, meant):
    words = given.split()
    error = refusal_of(words, ())
    assert error is not None
    assert "token" not in str(error)
    assert corrected(words, error, lambda each: refusal_of(each, ())) == (meant and meant.split())


def test_a_suggestion_of_another_value_names_the_key_all_the_same():
    said = {"step_size=1": "scheduler.step_size", "margin=1": "loss.margin", "gradaccum=4": "data.micro_batch"}
    for word, key in said.items():
        assert key in str(refusal_of([word], ()))
    assert "objective.margin" in str(refusal_of(["margin=1"], ()))


def test_a_value_in_another_script_is_text_without_quotes():
    word = parse_word("data.path=数据/训练.csv")
    assert (word.key, word.value) == ("data.path", "数据/训练.csv")
    assert parse_word(word.text) == word
    assert parse_word("study.name=实验").value == "实验"


def test_a_key_in_another_script_needs_a_value():
    with pytest.raises(ConfigError, match=r"^学习率: an override is written KEY=VALUE"):
        parse_word("学习率")
