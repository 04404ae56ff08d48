# ruff: noqa: E501 - pieces and tables are read as tables
"""Words of the command line: overrides, search spaces, help, what `tell` is told."""

import json
import math
import random
from collections.abc import Mapping
from functools import cache
from itertools import product
from typing import Any

from hypothesis import strategies as st

from hpsearch.base.conditions import space_word
from hpsearch.base.constraint import Constraint
from hpsearch.base.grammar import value_text
from hpsearch.base.plain import flatten
from hpsearch.config.compose import compose
from hpsearch.config.groups import describe_groups
from hpsearch.config.words import parse_word
from hpsearch.search.space import Space
from hpsearch.study.curvature import options_of
from hpsearch.study.option_files import read_option, root_keys, same_keys, unknown
from hpsearch.study.plan import plan_search
from hpsearch.study.turns import told_by
from tests.faults.fuzz.harness import EntryPoint, Refusal, read
from tests.faults.fuzz.mutate import ODD, as_json, changed_tables, mutated

WORD_PIECES = [
    *("=", "+", "++", "~", ".", "@", ":", ",", "[", "]", "{", "}", "(", ")", "'", '"', "\\", "\\'", "$", "${", "${seed}", "${oc.env:HOME}"),
    *("${oc.create:{_target_:os.system}}", "${now:%Y}", "null", "None", "true", "nan", "inf", "1e999", "9" * 4500, "-", "--", " ", "\n", "\t"),
    *("\0", "é", "二", "\u2028", "\ufeff", "\ud800", "\U0001d7d8", "٣", "space.", "space[model=mlp].", "~space", "+study=", "study.name=", "../x", "/"),
    *("choice(1, 2)", "interval(0, 1)", "tag(log, ", "int(", "glob(*)", "sort(", "extend_list(1)", "hydra.run.dir=x", "_target_", "args.", "<", ">", "!", "%", "*", "|", "#"),
    *("[0]", "[" * 60, "(" * 60, "{a:" * 20, "[99999999999]", "[-1]", "data.path=/dev/zero", "https://a:b@c", "x" * 3000),
]  # fmt: skip


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


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**6)
    | st.floats(allow_nan=False)
    | st.text("abz_é-./ '\\\"{}[]$,:=\n", max_size=6)
)
PLAIN = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b_1", "c.d"]), inner, max_size=2)
    ),
    max_leaves=4,
)


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


NUMBERS = st.one_of(
    st.integers(-9, 2000),
    st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: float(f"{x:.4g}")),
    st.sampled_from([1e-300, 1e308, -0.0, 2**53, 2**53 + 1, 10**30]),
)


@st.composite
def _expressions(draw: Any) -> str:
    """Draw an expression of a space as its grammar has it."""
    low, high = draw(NUMBERS), draw(NUMBERS)
    values = draw(st.lists(PLAIN, min_size=1, max_size=4))
    listed = ", ".join(map(value_text, values))
    return draw(
        st.sampled_from([
            f"choice({listed})",
            f"choice({listed})",
            f"interval({low!r}, {high!r})",
            f"tag(log, interval({abs(low)!r}, {abs(high)!r}))",
            f"int(interval({low!r}, {high!r}))",
            f"tag(log, int(interval({low!r}, {high!r})))",
            f"int(tag(log, interval({low!r}, {high!r})))",
            f"range({low!r}, {high!r}, {draw(NUMBERS)!r})",
            f"range({draw(st.integers(0, 3))}, {draw(st.integers(0, 9))})",
            f"shuffle(choice({listed}))",
            f"shuffle(range(0, {draw(st.integers(1, 9))}))",
            f"sort(choice({listed}))",
            f"zip({listed})",
            f"tag(a, zip({listed}))",
            listed,
        ])
    )


EXPRESSIONS = _expressions()
CONSTRAINT_PIECES = ["a", "b", "m", " < ", " == ", " % ", " ** ", " in [1, 2]", "(", ")", "'x'", "1e400", "9" * 4500, "not ", " and ", "lambda: ", "__import__('os')", "a[0]", "a.b", ":=", "-", "~", "~" * 300, "(" * 300, " is ", "\\", "\n", "#", "0x", "1_0", "1j", "/", " // 0", "é", "\0", "f''", "*a", "...", "true", "null"]  # fmt: skip
CONSTRAINTS = st.builds(
    "{} {} {}".format,
    st.sampled_from(["a", "a + b", "a % b", "a ** b", "a * a", "a - -b", "a / b", "a // b", "2 ** a", "c", "m"]),
    st.sampled_from(["<", "<=", "==", "!=", ">=", "in", "not in"]),
    st.sampled_from(["1", "b", "0.5", "[1, 2]", "c", "'x'", "b ** 2", "[a, b]", "null", "b < 3"]),
)
NAMES = (
    "a",
    "b",
    "c",
    "m",
    "m=x/d",
    "m=x/e",
    "a>=2/f",
    "a<2/f",
    "a in [1,2]/g",
    "m!=x/d",
    "m=x/a<3/h",
    "where",
    "x=1/where",
    "model.hidden[0]",
)


@st.composite
def _spaces(draw: Any) -> dict[str, str]:
    """Draw a flat table of a space: small whole numbers and choices most of the time, conditions and constraints."""
    small = st.one_of(
        st.builds("int(interval({}, {}))".format, st.integers(0, 2), st.integers(3, 5)),
        st.builds("range({}, {})".format, st.integers(0, 1), st.integers(2, 5)),
        st.sampled_from([
            "choice(x, y)",
            "choice(1, 2, 3)",
            "interval(0, 1)",
            "tag(log, interval(1e-3, 1))",
            "choice(true, null, x, 1.5)",
            "choice([1], [2])",
            "zip(1, 2)",
            "zip(5, 4)",
        ]),
    )
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
    table = {}
    for name in names:
        texts = CONSTRAINTS if name.endswith("where") else draw(st.sampled_from([small, small, EXPRESSIONS]))
        pieces = CONSTRAINT_PIECES if name.endswith("where") else WORD_PIECES
        table[name] = draw(texts if draw(st.integers(0, 3)) else mutated(texts, pieces))
    if draw(st.booleans()):
        table["m"] = "choice(x, y)"
    return table


def _check_space(table: Mapping[str, str]) -> None:
    """An accepted space prints as one that is the same, holds its own points, and counts what brute force counts."""
    space = read(lambda: Space.parse(table))
    read(space.check_constraints)
    texts = {each.name: each.expression for each in space.parameters}
    again = Space.parse({**texts, **{name: text for name, text in table.items() if name.endswith("where")}})
    assert [(p.name, p.values, p.distribution, p.expression) for p in again.parameters] == [
        (p.name, p.values, p.distribution, p.expression) for p in space.parameters
    ]
    words = [space_word(name, text) for name, text in texts.items()]
    assert len(words) == len(texts)
    rng = random.Random(0)
    for _ in range(5):
        point = read(lambda: space.draw(rng))
        params = space.active(point)
        assert _slow_active(space, params) and space.allows(params)
        assert space.active(space.cell(params)) == params
        assert space.key(space.cell(params)) == space.key(point)
        for parameter in space.parameters:
            if parameter.key in params and parameter.values is None:
                low, high = parameter.ends()
                assert low <= params[parameter.key] <= high
    size = space.size()
    if size is not None and size <= 300 and all(len(p.all_values() or ()) <= 20 for p in space.parameters):
        cells = [space.key(cell) for cell in space.cells()]
        assert len(cells) == len(set(cells)) == size == len(_brute_force(space)), (
            size,
            len(cells),
            len(_brute_force(space)),
        )


def _slow_active(space: Space, params: Mapping[str, Any]) -> bool:
    """Whether every parameter is there exactly where its conditions hold."""
    for parameter in space.parameters:
        holds = all(clause.key in params and clause.holds(params[clause.key]) for clause in parameter.condition)
        others = [p for p in space.parameters if p.key == parameter.key and p is not parameter]
        if holds != (parameter.key in params) and not others:
            return False
    return True


def _brute_force(space: Space) -> set[str]:
    """Return the points of a finite space: all combinations of all branches, the inactive left out."""
    columns = [list(p.places() or p.all_values() or ()) for p in space.asked]
    if math.prod(map(len, columns)) > 20_000:
        return {space.key(cell) for cell in space.cells()}
    found = set()
    for values in product(*columns):
        given = {p.name: p.encode(v) if p.zipped is None else v for p, v in zip(space.asked, values, strict=True)}
        params = space.active(given)
        if all(map(lambda each: each.holds(params), space.constraints)):
            found.add(json.dumps(params, sort_keys=True))
    return found


def _check_expression(text: str) -> None:
    (parameter,) = read(lambda: Space.parse({"a.key": text}).parameters)
    (again,) = Space.parse({"a.key": parameter.expression}).parameters
    assert (again.values, again.distribution, again.expression) == (
        parameter.values,
        parameter.distribution,
        parameter.expression,
    )
    for share in (0.0, 0.25, 0.999999):
        stored = parameter.from_unit(share)
        value = parameter.decode(stored)
        assert parameter.resolve(value) == value
        assert 0 <= parameter.to_unit(stored) <= 1
        assert all(parameter.resolve(parameter.decode(each)) is not None or True for each in parameter.near(stored)[:4])


def _check_constraint(text: str) -> None:
    """A constraint holds where Python says so."""
    constraint = read(lambda: Constraint(text))
    assert Constraint(constraint.renamed(lambda key: key).text).keys == constraint.keys
    for a, b in ((1, 2), (3, 0), (0.5, -1), (2, 2)):
        values = {"a": a, "b": b, "c": "x", "m": None}
        held = constraint.holds(values)
        if set(constraint.keys) <= values.keys() and "\0" not in text and len(text) < 200:
            assert held == _python_says(text, values), (text, values)


def _python_says(text: str, values: Mapping[str, Any]) -> bool:
    try:
        return bool(eval(text.strip(), {"__builtins__": {}, "true": True, "null": None, "false": False}, dict(values)))
    except (ArithmeticError, TypeError):
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
    read(lambda: compose([*composition.words, *(space_word(name, text) for name, text in ())]))


def _check_value(value: Any) -> None:
    """What is written as a word reads as the same value."""
    text = value_text(value)
    word = read(lambda: parse_word(f"args.x={text}"))
    if "${" in repr(value):
        raise Refusal("an interpolation stays one")
    assert _same(word.value, value), (word.value, value)
    composition = read(lambda: compose(["trainer=own", "trainer._target_=tests.x.f", f"args.x={text}"]))
    assert _same(composition.config["args"]["x"], value)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and (one == other or one != one)


def _check_help(word: str) -> None:
    root_keys(word)
    same_keys(word)
    group, _, option = word.partition("=")
    if option:
        read(lambda: read_option(group, option))
    assert str(unknown(word, ["replay"])).startswith(f"--help {word}"[:40].replace("\n", "\\n"))


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
    EntryPoint("overrides", OVERRIDES, _check_overrides),
    EntryPoint("values of words", PLAIN, _check_value),
    EntryPoint(
        "expressions of a space",
        mutated(EXPRESSIONS, WORD_PIECES),
        _check_expression,
        found=("tag(log, interval(44, 45.0))",),
    ),
    EntryPoint("spaces", _spaces(), _check_space),
    EntryPoint(
        "constraints", mutated(CONSTRAINTS, CONSTRAINT_PIECES), _check_constraint, found=("À < 1", "a < 1a", "a < 1_a")
    ),
    EntryPoint(
        "words of --help",
        st.one_of(
            mutated(st.sampled_from(["optimizer.lr", "model", "model=mlp", "budget.points", "lr"]), WORD_PIECES), RAW
        ),
        _check_help,
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
    ),
)
