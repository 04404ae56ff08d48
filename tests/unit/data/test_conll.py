"""Files of words and labels: what is read, what is refused and where; the vocabulary is that of training."""

import numpy as np
import pytest

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.base.steps import NO_LABEL
from hpsearch.data.arrays import Arrays
from hpsearch.data.base import DataSource
from hpsearch.data.conll import Conll
from hpsearch.data.npz import Npz

TRAIN = "-DOCSTART- -X- O\n\nfly O\nto O\nNew B-to\nYork I-to\n\nto O\nRome B-to\n\r\n\nfly\tO\n"


def write(tmp_path, text, name="train.conll"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def read(tmp_path, text=TRAIN, **options):
    source = Conll(path=write(tmp_path, text), **options)
    arrays = source.arrays(test=False)
    return [
        [(arrays.vocabulary[w], arrays.class_names[t]) for w, t in zip(x, y, strict=True) if t != NO_LABEL]
        for x, y in zip(arrays.x, arrays.y, strict=True)
    ]


def test_sentences_end_at_empty_lines(tmp_path):
    assert read(tmp_path) == [
        [("fly", "O"), ("to", "O"), ("New", "B-to"), ("York", "I-to")],
        [("to", "O"), ("Rome", "B-to")],
        [("fly", "O")],
    ]


def test_columns_forms_and_case(tmp_path):
    conllu = "# text = Del mar\n1-2\tDel\t_\t_\n1\tde\tde\tADP\n2\tel\tel\tDET\n3\tMar azul\tmar\tNOUN\n5.1\t_\t_\t_\n"
    found = read(tmp_path, conllu, column=1, target=3, form="conllu", lowercase=True)
    assert found == [[("de", "ADP"), ("el", "DET"), ("mar azul", "NOUN")]]
    assert read(tmp_path, "a X 1\nb Y 2\n", column=-3, target=1) == [[("a", "X"), ("b", "Y")]]
    assert read(tmp_path, "\ufeffa X\n# Y\n") == [[("a", "X"), ("#", "Y")]]
    assert read(tmp_path, "é X\nb Y\n".encode("latin-1"), encoding="latin-1") == [[("é", "X"), ("b", "Y")]]


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("a O\nb B-x O\n", {}, r"train.conll:2: 3 columns, the lines before have 2"),
        ("a O\n\nb\n", {}, r"train.conll:3: 1 column, the lines before have 2"),
        ("a O\nb X\n", {"column": 2}, r"data.column = 2: .*train.conll:1 has 2 columns \(0 to 1\)"),
        ("a O\nb X\n", {"target": -3}, r"data.target = -3: .*train.conll:1 has 2 columns"),
        ("a\nb\n", {}, r"data.column = 0, data.target = -1: are the same one of 1 column \(.*train.conll:1\)"),
        ("a\t\tO\n", {"column": 1}, r"train.conll:1: column 1 is empty"),
        ("\n\n-DOCSTART- O\n", {}, r"train.conll: there are no sentences in it"),
        (b"a O\n\xe9 O\n", {}, r"train.conll:2: is not utf-8; data.encoding says what it is"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path, text, options, says):
    with pytest.raises(DataError, match=says) as error:
        read(tmp_path, text, **options)
    assert "\n" not in str(error.value)


def test_options_that_make_no_data_are_refused(tmp_path):
    path = write(tmp_path, TRAIN)
    for options, says in (
        ({"path": None}, r"data.path = None: must be a file"),
        ({"valid_path": 3}, r"data.valid_path = 3: must be a file"),
        ({"column": "word"}, r"data.column = 'word': must be the number of a column"),
        ({"form": "csv"}, r"data.form = 'csv'"),
        ({"unseen": "keep"}, r"data.unseen = 'keep'"),
        ({"valid_path": path, "folds": 3}, r"data.folds = 3: data.valid_path = .* is the validation part already"),
    ):
        with pytest.raises(ConfigError, match=says):
            Conll(**{"path": path, **options})
    with pytest.raises(ConfigError, match=r"data.encoding = 'utf-9': is no encoding"):
        Conll(path=path, encoding="utf-9").arrays(False)
    with pytest.raises(DataError, match=r"gone.conll: cannot be read \(no such file\)"):
        Conll(path=str(tmp_path / "gone.conll")).arrays(False)
    for options, says in (
        ({"scaling": "minmax"}, r"data.scaling = 'minmax': inputs are words, each with a label; use none"),
        ({"sampling": "balanced"}, r"data.sampling = 'balanced': inputs are words, each with a label; use null"),
        ({"missing": "median"}, r"data.missing = 'median': inputs are words"),
        ({"classes": [0, 1]}, r"data.classes = \[0, 1\]: a sentence has words of many classes"),
    ):
        with pytest.raises(ConfigError, match=says):
            Conll(path=path, valid_fraction=0.5, batch_size="full", **options).load()


def test_the_vocabulary_is_that_of_training_alone(tmp_path):
    valid = write(tmp_path, "to O\nto O\nParis B-to\nfly O\nto O\n", "valid.conll")
    test = write(tmp_path, "Oslo B-to\n", "test.conll")
    source = Conll(path=write(tmp_path, TRAIN), valid_path=valid, test_path=test, batch_size=2)
    parts, splits = source.read(test=True), source.load(test=True)
    assert parts.train.vocabulary == ("<pad>", "<unk>", "fly", "to", "New", "Rome", "York")
    assert splits.valid.x.tolist() == [[3, 3, 1, 2, 3]]
    assert splits.train.x.tolist() == [[2, 3, 4, 6], [3, 5, 0, 0], [2, 0, 0, 0]]
    assert splits.test.x.tolist() == [[1]]
    assert (splits.vocabulary, splits.in_shape, splits.num_outputs) == (7, (4,), 3)
    assert splits.notes == ("20.0% of the words of valid are unknown", "100.0% of the words of test are unknown")
    assert set(source.places()) == {"path", "valid_path", "test_path"}
    rare = Conll(path=source.path, valid_path=valid, min_count=2, batch_size=2).load()
    assert rare.train.x.tolist() == [[2, 3, 1, 1], [3, 1, 0, 0], [2, 0, 0, 0]]
    again = Conll(path=source.path, valid_path=valid, batch_size=2).load()
    assert again.train.x.tolist() == splits.train.x.tolist()


def test_a_label_that_training_lacks_is_refused_or_wrong(tmp_path):
    valid = write(tmp_path, "to O\nParis B-to\n\nnow B-date\n", "valid.conll")
    source = {"path": write(tmp_path, TRAIN), "valid_path": valid, "batch_size": 2}
    with pytest.raises(DataError, match=r"valid.conll:4: label 'B-date' is not in .*train.conll, so it"):
        Conll(**source).load()
    splits = Conll(**source, unseen="wrong").load()
    assert splits.class_names == ("B-to", "I-to", "O", "B-date")
    assert splits.notes[-1] == "no training sentence has the label B-date: it cannot be learned"
    assert splits.valid.y.tolist() == [[2, 0], [3, NO_LABEL]]


def test_a_split_of_one_file_says_what_training_lacks(tmp_path):
    lines = "".join(f"w{i} {'B-rare' if i == 7 else 'O' if i % 2 else 'B-x'}\n\n" for i in range(20))
    notes = [Conll(path=write(tmp_path, lines), split_seed=seed, batch_size=4).load().notes for seed in range(8)]
    assert any("no training sentence has the label B-rare: it cannot be learned" in each for each in notes)


class Own(DataSource):
    def arrays(self, test):
        return Arrays(**GIVEN)


WORDS = ("<pad>", "<unk>", "a", "b")
GOOD = {"x": np.array([[2, 3, 0], [3, 2, 2]] * 5), "y": np.array([[0, 1, NO_LABEL], [1, 0, 0]] * 5)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": GOOD["x"] + 2}, r"sample 0: 4 must be the number of a word, 0 to 3"),
        ({"x": GOOD["x"][:, :2]}, r"words of shape \(10, 2\), labels of shape \(10, 3\)"),
        ({"x": GOOD["x"][:, [0, 2, 1]]}, r"sample 0: 3 stands behind padding"),
        ({"y": np.where(GOOD["y"] < 0, 0, GOOD["y"])}, r"sample 0: 0 is the label of padding"),
        ({"y": GOOD["y"] + 1}, r"sample 0: 2 must be the number of a class|sample 0: -99 must be"),
        ({"y": np.where(GOOD["x"] == 3, GOOD["y"], NO_LABEL) * 0 + NO_LABEL}, r"sample 0 has no label"),
        ({"y": GOOD["y"][:, 0]}, r"y of shape \(10,\)"),
        ({"class_names": ()}, r"words need a class for each of them"),
    ],
)
def test_words_of_one_s_own_are_checked(change, says):
    global GIVEN
    GIVEN = {**GOOD, "class_names": ("O", "X"), "vocabulary": WORDS, **change}
    with pytest.raises(DataError, match=says):
        Own(scaling="none", batch_size=2).load()


def test_words_of_one_s_own_are_read():
    global GIVEN
    GIVEN = {**GOOD, "class_names": ("O", "X"), "vocabulary": WORDS}
    splits = Own(scaling="none", batch_size=2, class_weights="balanced").load()
    assert splits.train.x.dtype == splits.train.y.dtype
    counts = np.bincount(splits.train.y[splits.train.y >= 0])
    assert splits.class_weights == pytest.approx(counts.sum() / (2 * counts))


def test_labels_of_two_axes_without_words_are_still_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((20, 3)), y=np.arange(40).reshape(20, 2) % 2)
    with pytest.raises(DataError, match=r"labels of shape \(20, 2\): must be one class number per sample"):
        Npz(path=str(tmp_path / "a.npz"), num_classes=2).load()
