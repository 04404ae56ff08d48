"""Names made short."""

import random

import pytest

from hpsearch.base.labels import folder_name, labels, shorten

LONG = "search__data.batch_size-64__optimizer.lr-0.1__trainer.epochs-{}__model.hidden-64-64-64"


def test_a_long_name_is_cut_in_the_middle():
    assert shorten("transformer_encoder_large_v2", 13) == "transf…rge_v2"
    assert shorten("mlp", 3) == "mlp"


def test_what_differs_is_shown_with_what_it_is_a_value_of():
    assert labels([LONG.format(2), LONG.format(3)], 30) == ["…trainer.epochs-2…", "…trainer.epochs-3…"]
    paths = [f"/very/long/path/to/images/cifar{n}/train.npz" for n in (10, 100, 101)]
    assert [label[-9:] for label in labels(paths)] == ["/cifar10…", "cifar100…", "cifar101…"]


def test_equal_names_are_numbered_and_one_thing_keeps_its_name():
    assert labels(["a", "b", "a"]) == ["a (1)", "b", "a (2)"]
    assert labels(["a", "b", "a"], places=[1, 2, 1]) == ["a", "b", "a"]


def test_line_feeds_and_tabs_are_seen():
    assert labels(["a\nb", "a\tb", "a b"]) == ["a\\nb", "a\\tb", "a b"]


@pytest.mark.parametrize("seed", range(30))
def test_no_two_labels_are_equal(seed):
    draw = random.Random(seed)
    parts = ["lr-0.1", "x" * 40, "__", "é\n", "0", "epochs-2"]
    names = ["".join(draw.choices(parts, k=draw.randint(1, 8))) for _ in range(30)]
    for limit in (8, 22, 40):
        found = labels(names, limit)
        assert len(set(found)) == len(names)
        assert all(label == name for label, name in zip(found, names, strict=True) if names.count(name) == 1
                   and len(name) <= limit and "\n" not in name)  # fmt: skip


def test_the_name_of_a_folder_keeps_its_words_and_ends_with_the_digest():
    assert folder_name(["train", "lr", "seeds=3"], 60, "abc123") == "train__lr__seeds-3-abc123"
    name = folder_name(["train", "lr=" + "1" * 200, "trainer.epochs=2"], 60, "abc123")
    assert len(name) <= 60 and name.endswith("__trainer.epochs-2-abc123") and ".." in name
    assert len(folder_name(["w" * 30] * 20, 80, "abc123")) <= 80
