# ruff: noqa: E501 - pieces and tables are read as tables
"""Words of the command line: overrides, values, help, what `tell` is told."""

import json
import random
from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

from hpsearch.base.conditions import space_word
from hpsearch.base.grammar import value_text
from hpsearch.base.passwords import without_password
from hpsearch.base.plain import flatten
from hpsearch.config.compose import compose
from hpsearch.config.groups import describe_groups
from hpsearch.config.words import parse_word
from hpsearch.search.space import Space
from hpsearch.study.curvature import options_of
from hpsearch.study.option_files import read_option, root_keys, same_keys, unknown
from hpsearch.study.plan import plan_search
from hpsearch.study.turns import told_by
from tests.faults.fuzz.harness import EntryPoint, Refusal, read, same
from tests.faults.fuzz.mutate import ODD, as_json, changed_tables, mutated
from tests.faults.fuzz.spaces import EXPRESSIONS, PLAIN, WORD_PIECES


@cache
def _plain() -> dict[str, Any]:
    return compose(()).config


@cache
def _keys() -> list[str]:
    """Return every dotted key, those of the study and of a few other options among them."""
    words = (
        "+study=lr_sweep",
        "model=lenet",
        "data=table",
        "data.path=t.csv",
        "data.target=y",
        "optimizer=adamw",
        "pruner=hyperband",
        "sampler=tpe",
    )
    return sorted({*flatten(_plain()), *flatten(compose(words).config), *_plain()})


SEARCHED = {
    "optimizer.lr": "tag(log, interval(1e-3, 1))",
    "data.batch_size": "choice(16, 32)",
    "trainer.epochs": "range(1, 4)",
    "model.hidden": "choice([8], [16, 8])",
    "model.dropout": "interval(0, 0.5)",
    "scheduler": "choice(constant, cosine)",
    "init": "choice(he_normal, default)",
}
SET = {
    "optimizer.weight_decay": st.floats(0, 1),
    "budget.points": st.integers(1, 99) | st.none(),
    "budget.failures": st.integers(1, 9),
    "study.question": st.text("abz_é-./ '\\\"{}[]$,:=\n", max_size=9),
    "study.seeds": st.integers(1, 4),
    "trainer.eval_train": st.booleans(),
    "data.train_size": st.none() | st.integers(50, 200),
    "model.activation": st.sampled_from(["relu", "tanh"]),
    "seed": st.integers(0, 2**31),
}
REMOVED = ("~optimizer.weight_decay", "~model.norm", "~model.norm_eps", "~data.micro_batch", "~trainer.clip_norm=null")


@st.composite
def _sound_overrides(draw: Any) -> list[str]:
    """Draw words that go together: options, keys that are set or removed, and keys that are searched."""
    groups = describe_groups()
    words = draw(st.lists(st.sampled_from(REMOVED), max_size=1))
    for group in draw(st.lists(st.sampled_from(["optimizer", "pruner", "init", "objective"]), max_size=2, unique=True)):
        words.append(f"{group}={draw(st.sampled_from(groups[group]))}")
    for key in draw(st.lists(st.sampled_from(sorted(SET)), max_size=3, unique=True)):
        words.append(f"{draw(st.sampled_from(['', '++']))}{key}={value_text(draw(SET[key]))}")
    for key in draw(st.lists(st.sampled_from(sorted(SEARCHED)), max_size=3, unique=True)):
        words.append(space_word(key, SEARCHED[key]))
    if "space.trainer.epochs=range(1, 4)" in words and draw(st.booleans()):
        words.append("space.where=trainer.epochs != 2")
    return draw(st.permutations(words))


@st.composite
def _override(draw: Any) -> str:
    """Draw a word as the grammar has it: an option of a group, a value of a key, or something to search."""
    groups = describe_groups()
    kind = draw(st.sampled_from(["option", "value", "value", "odd", "space", "space", "nuisance", "study", "removed"]))
    group = draw(st.sampled_from(sorted(groups)))
    key = draw(st.sampled_from(_keys()))
    if kind == "option":
        sign = draw(st.sampled_from(["", "", "+", "++"]))
        return f"{sign}{group}={draw(st.sampled_from(groups[group]))}"
    if kind == "study":
        return f"+study={draw(st.sampled_from(groups['study']))}"
    if kind == "removed":
        return f"~{draw(st.sampled_from([key, group, f'space.{key}', 'space']))}"
    if kind in ("space", "nuisance"):
        condition = draw(
            st.sampled_from([
                "",
                "",
                "[model=mlp]",
                "[optimizer.lr>=0.1]",
                "[model in [mlp, lenet]]",
                "[optimizer=adam][model=mlp]",
            ])
        )
        searched = draw(st.sampled_from([key, group, "where", "optimizer.lr", "model.hidden[0]"]))
        return f"{kind}{condition}.{searched}={draw(st.one_of(EXPRESSIONS, st.sampled_from(sorted(groups[group])).map('choice({})'.format)))}"
    return f"{draw(st.sampled_from(['', '', '+', '++']))}{key}={value_text(draw(PLAIN if kind == 'value' else _odd()))}"


def _odd() -> Any:
    return st.sampled_from([each for each in ODD if _is_writable(each)])


def _is_writable(value: Any) -> bool:
    try:
        return bool(value_text(value))
    except (TypeError, ValueError):
        return False


def _check_overrides(words: list[str]) -> None:
    """What is accepted composes again to the same, and a trial of it from its own overrides."""
    composition = read(lambda: compose(words))
    again = compose(composition.words)
    assert (again.config, again.space, again.study_name) == (
        composition.config,
        composition.space,
        composition.study_name,
    ) or "nan" in repr(again.config)
    space = read(lambda: Space.parse(composition.space, composition.where))
    read(lambda: composition.check_space(space.ends()))
    if composition.study_option is not None and "stages" in composition.config and not composition.config["stages"]:
        read(lambda: plan_search(composition))
    params = space.active(space.draw(random.Random(0)))
    trial = read(lambda: composition.trial(params, seed=3))
    replayed = compose([*trial.overrides])
    assert replayed.trial({}, seed=3).key == trial.key


def _check_value(value: Any) -> None:
    """What is written as a word reads as the same value."""
    text = value_text(value)
    word = read(lambda: parse_word(f"args.x={text}"))
    if "${" in repr(value):
        raise Refusal("an interpolation stays one")
    assert same(word.value, value), (word.value, value)
    composition = read(lambda: compose(["trainer=own", "trainer._target_=tests.x.f", f"args.x={text}"]))
    assert same(composition.config["args"]["x"], value)


def _check_help(word: str) -> None:
    root_keys(word)
    same_keys(word)
    group, _, option = word.partition("=")
    if option:
        read(lambda: read_option(group, option))
    shown = without_password(word)
    assert str(unknown(word, ["replay"])).startswith(f"--help {shown}"[:40].replace("\n", "\\n"))


def _check_curvature(words: list[str]) -> None:
    read(lambda: options_of(words))


TOLD = {
    "study": "s",
    "trial": "0/0",
    "point": 0,
    "seed": 0,
    "fold": 0,
    "params": {"x": 0.5},
    "metrics": {"y": 0.1},
    "epoch": 1,
}


def _check_told(drawn: tuple[list[str], bytes]) -> None:
    words, raw = drawn
    told = read(lambda: told_by(words, None, None, lambda: raw.decode("utf-8", "replace")))
    assert isinstance(told.trial, str) and isinstance(told.measured, Mapping) and not isinstance(told.epoch, str)


RAW = st.text(max_size=12) | st.text("+~.=[](){}'\"\\$,:abz019 -", max_size=14)
OVERRIDES = st.lists(
    st.one_of(_override(), _override(), mutated(_override(), WORD_PIECES), RAW), min_size=1, max_size=4
)
ENTRIES = (
    EntryPoint(
        "overrides",
        OVERRIDES | _sound_overrides(),
        _check_overrides,
        found=(["~budget.points"], ["x" * 300 + "=1"], ["seed=" + "9" * 5000], [f"args.x={'[' * 3000}{']' * 3000}"]),
    ),
    EntryPoint("values of words", PLAIN, _check_value),
    EntryPoint(
        "words of --help",
        st.one_of(
            mutated(st.sampled_from(["optimizer.lr", "model", "model=mlp", "budget.points", "lr"]), WORD_PIECES), RAW
        ),
        _check_help,
        found=("model=" + "k" * 300,),
    ),
    EntryPoint(
        "options of curvature",
        st.lists(
            mutated(st.sampled_from(["curvature.k=3", "curvature.seed=1", "curvature.batch=64"]), WORD_PIECES),
            max_size=2,
        ),
        _check_curvature,
    ),
    EntryPoint(
        "what tell is told",
        st.tuples(
            st.lists(mutated(st.sampled_from(["0/0", "y=0.5", json.dumps(TOLD)]), WORD_PIECES), max_size=2),
            mutated(changed_tables(st.just(TOLD)).map(as_json), [b"{", b"}", b"[", b"1e999", b"\0"]),
        ),
        _check_told,
        found=(([], json.dumps({**TOLD, "metrics": True}).encode()),),
    ),
)
