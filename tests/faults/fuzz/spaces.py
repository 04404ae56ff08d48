# ruff: noqa: E501 - pieces and tables are read as tables
"""Search spaces: their expressions, conditions and constraints, as words have them."""

import json
import math
import random
from collections.abc import Mapping
from itertools import product
from typing import Any

from hypothesis import strategies as st

from hpsearch.base.conditions import space_word
from hpsearch.base.constraint import Constraint
from hpsearch.base.grammar import value_text
from hpsearch.search.parameter import Parameter
from hpsearch.search.space import Space
from tests.faults.fuzz.harness import EntryPoint, read, same
from tests.faults.fuzz.mutate import mutated

WORD_PIECES = [
    *("=", "+", "++", "~", ".", "@", ":", ",", "[", "]", "{", "}", "(", ")", "'", '"', "\\", "\\'", "$", "${", "${seed}", "${oc.env:HOME}"),
    *("${oc.create:{_target_:os.system}}", "${now:%Y}", "null", "None", "true", "nan", "inf", "1e999", "9" * 4500, "-", "--", " ", "\n", "\t"),
    *("\0", "é", "二", "\u2028", "\ufeff", "\ud800", "\U0001d7d8", "٣", "space.", "space[model=mlp].", "~space", "+study=", "study.name=", "../x", "/"),
    *("choice(1, 2)", "interval(0, 1)", "tag(log, ", "int(", "glob(*)", "sort(", "extend_list(1)", "hydra.run.dir=x", "_target_", "args.", "<", ">", "!", "%", "*", "|", "#"),
    *("[0]", "[" * 60, "(" * 60, "{a:" * 20, "[99999999999]", "[-1]", "data.path=/dev/zero", "https://a:b@c", "x" * 3000),
]  # fmt: skip
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
NUMBERS = st.one_of(
    st.integers(-9, 2000),
    st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: float(f"{x:.4g}")),
    st.sampled_from([1e-300, 1e308, -0.0, 2**53, 2**53 + 1, 10**30]),
)


@st.composite
def _expressions(draw: Any) -> str:
    """Draw an expression of a space as its grammar has it."""
    low, high = draw(NUMBERS), draw(NUMBERS)
    if draw(st.integers(0, 3)):
        low, high = sorted((low, high))
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


WHOLE = st.builds("{}({}, {})".format, st.just("range"), st.integers(0, 1), st.integers(3, 5)) | st.sampled_from([
    "choice(1, 2, 3)",
    "int(interval(0, 3))",
    "int(interval(1, 5))",
])
SOUND = st.sampled_from([
    "choice(x, y)",
    "interval(0, 1)",
    "tag(log, interval(1e-3, 1))",
    "choice(true, null, x, 1.5)",
    "choice([1], [2])",
    "range(0, 1, 0.25)",
    "range(4)",
])
HELD = (
    "a <= 4",
    "a != 2",
    "m == 'x'",
    "a * a < 9",
    "2 ** a > 1",
    "a / 2 < 2",
    "a in [1, 2]",
    "not a == 1",
    "a >= 1 and m != 'y'",
)


@st.composite
def _sound_spaces(draw: Any) -> dict[str, str]:
    """Draw a space whose conditions are of what is searched and may hold, as may its constraints."""
    table = {"m": "choice(x, y)", "a": draw(WHOLE)}
    for name in draw(st.lists(st.sampled_from(NAMES[1:11] + NAMES[-1:]), max_size=4, unique=True)):
        table.setdefault(name, draw(SOUND | WHOLE))
    if draw(st.booleans()):
        table |= {"z": "zip(1, 2)", draw(st.sampled_from(["w", "m=x/w"])): "zip(x, y)"}
    for name in draw(st.lists(st.sampled_from(["where", "m=x/where"]), max_size=2, unique=True)):
        table[name] = draw(st.sampled_from(HELD))
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
            if parameter.values is None and _is_asked(parameter, params):
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
    """Whether exactly those keys are there of which one parameter's conditions hold."""
    asked = [parameter.key for parameter in space.parameters if _is_asked(parameter, params)]
    return len(asked) == len(set(asked)) and set(asked) == params.keys()


def _is_asked(parameter: Parameter, params: Mapping[str, Any]) -> bool:
    return all(clause.key in params and clause.holds(params[clause.key]) for clause in parameter.condition)


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
        assert same(parameter.resolve(value), value)
        assert 0 <= parameter.to_unit(stored) <= 1
        near = [parameter.decode(each) for each in parameter.near(stored)]
        assert len(set(map(repr, near))) == len(near)
        assert not any(same(other, value) or not same(parameter.resolve(other), other) for other in near)


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


ENTRIES = (
    EntryPoint(
        "expressions of a space",
        mutated(EXPRESSIONS, WORD_PIECES),
        _check_expression,
        found=("tag(log, interval(44, 45.0))", "9" * 5000, f"choice({'[' * 3000}{']' * 3000})", "[" * 80_000),
    ),
    EntryPoint("spaces", _spaces() | _sound_spaces(), _check_space),
    EntryPoint(
        "constraints", mutated(CONSTRAINTS, CONSTRAINT_PIECES), _check_constraint, found=("À < 1", "a < 1a", "a < 1_a")
    ),
)
