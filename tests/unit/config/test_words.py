"""What a command line's words mean before Hydra sees them."""

import re
import subprocess
import sys

import pytest

from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.config.words import choice_options, hydra_word, parse_word, sort_words, study_name


def test_words_are_sorted():
    words = sort_words([
        "+study=lr_sweep",
        "model=lenet",
        "space.optimizer.lr=tag(log, interval(1e-3, 1))",
        "+space.trainer.epochs=choice(1,2)",
        "space[model=lenet].model.kernel_size=choice(3,5)",
        "space[model=lenet, optimizer=adam][scheduler=cosine].optimizer.eps=1,2",
        "~space.optimizer.momentum",
        "~space[model=mlp].model.hidden",
        "~space[model=mlp]",
        "~space",
        "nuisance[optimizer.momentum=0.9].optimizer.lr=choice(0.1,0.2)",
        "~nuisance",
        "spacer.x=1",
    ])
    assert words.study == "lr_sweep"
    assert [word.text for word in words.hydra] == ["model=lenet", "spacer.x=1"]
    assert words.blocks["space"].given == {
        "optimizer.lr": "tag(log, interval(1e-3, 1))",
        "trainer.epochs": "choice(1,2)",
        "model=lenet/model.kernel_size": "choice(3,5)",
        "model=lenet/optimizer=adam/scheduler=cosine/optimizer.eps": "1,2",
    }
    assert words.blocks["nuisance"].given == {"optimizer.momentum=0.9/optimizer.lr": "choice(0.1,0.2)"}
    assert words.blocks["nuisance"].removed == ("",)
    assert words.blocks["space"].removed == ("optimizer.momentum", "model=mlp/model.hidden", "model=mlp/", "")


def test_study_works_with_and_without_a_plus():
    assert sort_words(["study=lr_sweep"]).study == sort_words(["+study=lr_sweep"]).study == "lr_sweep"


@pytest.mark.parametrize(
    ("word", "error", "message"),
    [
        ("foo", ConfigError, "foo: an override is written KEY=VALUE"),
        ("+=3", ConfigError, "+=3: an override is written KEY=VALUE"),
        ("-x", ConfigError, "see --help"),
        ("a=(3", ConfigError, "a=(3: "),
        ("optimizer.lr=0.1,0.2", ConfigError, "write 'space.optimizer.lr=choice(0.1,0.2)'"),
        ("optimizer.lr=interval(0,1)", ConfigError, "write 'space.optimizer.lr=interval(0,1)'"),
        ("hydra.run.dir=x", ConfigError, "Hydra's own settings are not used"),
        ("hydra/launcher=x", ConfigError, "Hydra's own settings are not used"),
        ("+study=[a,b]", ConfigError, "must name one study"),
        ("+study=", ConfigError, "must name one study"),
        ("space=1", SpaceError, "write space.KEY=EXPRESSION"),
        ("space.optimizer.lr", SpaceError, "write space.KEY=EXPRESSION"),
        ("space.optimizer.lr=", SpaceError, "write space.KEY=EXPRESSION"),
        ("space[model=lenet]=1", SpaceError, "write space.KEY=EXPRESSION"),
        ("space[model].x=choice(1)", SpaceError, "space[GROUP=OPTION].KEY"),
        ("space[model=a.x=choice(1)", SpaceError, "space[GROUP=OPTION].KEY"),
    ],
)
def test_bad_words_are_refused(word, error, message):
    with pytest.raises(error) as raised:
        sort_words(["model=mlp", word])
    assert message in str(raised.value)
    assert word in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_given_twice_is_refused():
    with pytest.raises(SpaceError, match=r"space optimizer\.lr is given twice"):
        sort_words(["space.optimizer.lr=choice(1)", "space.optimizer.lr=choice(2)"])
    with pytest.raises(ConfigError, match="study = a, b: one study at a time"):
        sort_words(["+study=a", "+study=b"])


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["+study=lr_sweep"], "lr_sweep"),
        (["+study=lr_sweep", "model=lenet", "data=fashion_mnist"], "lr_sweep__model-lenet__data-fashion_mnist"),
        (["model=lenet", "study=lr_sweep"], "lr_sweep__model-lenet"),
        (["+study=lr_sweep", "trainer.epochs=1", "study.seeds=5"], "lr_sweep__trainer.epochs-1__study.seeds-5"),
        (["+study=lr_sweep", "regularizer=[l2,mixup]"], "lr_sweep__regularizer--l2-mixup"),
        (["+study=lr_sweep", "~space.optimizer.momentum"], "lr_sweep__no-space.optimizer.momentum"),
        (["+study=lr_sweep", "space.optimizer.lr=choice(1,2)"], "lr_sweep__space.optimizer.lr-choice-1-2"),
        (["space.optimizer.lr=choice(1,2)"], "search__space.optimizer.lr-choice-1-2"),
        (["+study=lr_sweep", "model=a", "model=a"], "lr_sweep__model-a"),
        (
            [
                "+study=lr_sweep",
                "launcher=inline",
                "launcher.workers=3",
                "tracker.uri=x",
                "budget.points=3",
                "plugins=[a]",
            ],
            "lr_sweep",
        ),
        ([], "single"),
        (["model=lenet"], "single"),
    ],
)
def test_the_name_of_a_study(words, name):
    sorted_words = sort_words(words)
    assert study_name(sorted_words, searched=bool(sorted_words.blocks["space"].given)) == name


def test_words_that_differ_in_a_relation_alone_are_different_studies():
    words = ["space[n>=3].k=choice(1)", "space[n<=3].k=choice(1)", "space.where=[n < k]", "space.where=[n > k]"]
    names = {study_name(sort_words(["+study=s", word]), searched=True) for word in words}
    assert len(names) == 4


def test_a_long_name_keeps_what_was_typed_last_and_has_the_digest_at_its_end():
    long = f"space.optimizer.lr=choice({','.join(map(str, range(40)))})"
    names = [
        study_name(sort_words(["+study=s", long, f"trainer.epochs={n}", "model.hidden=[64,64]"]), searched=True)
        for n in (2, 3)
    ]
    assert all(70 < len(name) <= 80 for name in names)
    assert all("__trainer.epochs-" + digit + "__" in name for name, digit in zip(names, "23", strict=True))
    assert all(re.fullmatch(r"s__space\.optimizer.*\.\..*-[0-9a-f]{6}", name) for name in names)


def test_names_in_other_letters_are_different_studies():
    names = {study_name(sort_words(["+study=s", f"data.path={word}"]), searched=True) for word in ("'да'", "'не'")}
    assert len(names) == 2


def test_a_long_name_is_cut_and_stays_unique():
    names = {study_name(sort_words(["+study=s", f"a={'x' * 99}{end}"]), searched=True) for end in "ab"}
    assert len(names) == 2
    assert {len(name) for name in names} == {80}


@pytest.mark.parametrize(
    ("expression", "options"),
    [
        ("choice(a, 'b')", ["a", "b"]),
        ("a,b", ["a", "b"]),
        ("choice(a, [b, c])", ["a", ["b", "c"]]),
        ("choice(1, 0.5, true)", [1, 0.5, True]),
        ("interval(0,1)", None),
        ("(", None),
    ],
)
def test_options_of_a_choice(expression, options):
    assert choice_options(expression) == options


@pytest.mark.parametrize("text", ["Which one, and why?", 'it\'s "so" (really)', "a=b", "1"])
def test_a_question_is_plain_text(text):
    word = parse_word(f"study.question={text}")
    assert word.value == text and not word.deletes
    assert parse_word(hydra_word(word).text).value == text


def test_a_quoted_question_loses_its_quotes_and_null_is_none():
    assert parse_word("study.question='Which, really?'").value == "Which, really?"
    assert parse_word("study.question=null").value is None


@pytest.mark.parametrize(
    ("word", "name", "expression"),
    [
        ("space[model.depth >= 3].model.skip=choice(1)", "model.depth>=3/model.skip", "choice(1)"),
        ("space[a in [x, y]][b!=2].c=1,2", "a in [x,y]/b!=2/c", "1,2"),
        ("space[a=x,b<2].c=choice(1)", "a=x/b<2/c", "choice(1)"),
        ("space.model.hidden[0]=choice(1)", "model.hidden[0]", "choice(1)"),
        ("space[h[0]>8].h[1]=choice(1)", "h[0]>8/h[1]", "choice(1)"),
        ("space.where=[a % b == 0, c in [1, 2]]", "where", "[a % b == 0, c in [1, 2]]"),
        ("space.where=a==b", "where", "a==b"),
        ("space[a=x].where=[b>=2]", "a=x/where", "[b>=2]"),
    ],
)
def test_words_of_the_space(word, name, expression):
    assert sort_words([word]).blocks["space"].given == {name: expression}


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("~space.where", "where"),
        ("~space[a >= 3].h[0]", "a>=3/h[0]"),
        ("~space[a in [1, 2]]", "a in [1,2]/"),
        ("~space", ""),
    ],
)
def test_words_that_take_out_of_the_space(word, name):
    assert sort_words([word]).blocks["space"].removed == (name,)


@pytest.mark.parametrize("option", ["-O", "-OO"])
def test_words_are_parsed_where_python_leaves_assertions_out(option):
    words = ["+study=lr_sweep", "space.optimizer.lr=tag(log, interval(1e-3, 1))", "ablation.reference={a: 1}"]
    shown = "print(c.space, c.config['ablation']['reference'])"
    text = f"from hpsearch.config.compose import compose; c = compose({words!r}); {shown}"
    done = subprocess.run([sys.executable, option, "-c", text], capture_output=True, text=True, check=False)
    assert done.stdout == "{'optimizer.lr': 'tag(log, interval(1e-3, 1))'} {'a': 1}\n", done.stderr
