"""F1 of spans, against a slow plain definition."""

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.metrics.acc import Accuracy
from hpsearch.metrics.f1_spans import F1Spans, of_labels

NAMES = ("O", "B-to", "I-to", "B-from", "I-from")


def metric(names=NAMES):
    made = F1Spans()
    of_labels(made, names)
    made.check_outputs(len(names))
    return made


def spans_of(tags):
    """Read a sentence word by word."""
    spans, start, kind = set(), None, None
    for place, tag in enumerate([*tags, "O"]):
        goes_on = tag.startswith("I-") and kind == tag[2:]
        if not goes_on and kind is not None:
            spans.add((start, place, kind))
            kind = None
        if not goes_on and tag != "O":
            start, kind = place, tag[2:]
    return spans


def slow(true, found):
    """Return hits, and spans that there are or that are found, of every sentence."""
    pairs = [(spans_of(t), spans_of(f)) for t, f in zip(true, found, strict=True)]
    return [len(t & f) for t, f in pairs], [len(t) + len(f) for t, f in pairs]


def batch(true, found, names=NAMES):
    longest = max(map(len, true))
    y = torch.full((len(true), longest), -100)
    outputs = torch.zeros(len(true), longest, len(names))
    for row, (t, f) in enumerate(zip(true, found, strict=True)):
        y[row, : len(t)] = torch.tensor([names.index(tag) for tag in t])
        outputs[row, torch.arange(len(f)), torch.tensor([names.index(tag) for tag in f])] = 1.0
    outputs[y < 0] = torch.eye(len(names))[2]  # what a model says of padding counts for nothing
    return outputs, y


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O O", set()),
        ("B-to I-to O", {(0, 2, "to")}),
        ("B-to B-to", {(0, 1, "to"), (1, 2, "to")}),
        ("I-to I-to O", {(0, 2, "to")}),
        ("O I-to I-from", {(1, 2, "to"), (2, 3, "from")}),
        ("B-to I-from I-from", {(0, 1, "to"), (1, 3, "from")}),
    ],
)
def test_spans_are_those_of_conlleval(tags, spans):
    tags = tags.split()
    assert spans_of(tags) == spans
    begins, kinds, ends = metric()._spans(batch([tags], [tags])[1], torch.ones(1, len(tags), dtype=torch.bool))
    order = sorted({name.partition("-")[2] for name in NAMES})
    found = {(i, int(ends[0, i]) + 1, order[kinds[0, i]]) for i in range(len(tags)) if begins[0, i]}
    assert found == spans


def test_random_labels_have_the_f1_of_the_slow_definition():
    generator = torch.Generator().manual_seed(0)
    made, all_hits, all_spans = metric(), [], []
    for size in (7, 3, 20):
        lengths = torch.randint(1, 9, (size,), generator=generator).tolist()
        draw = [[[NAMES[i] for i in torch.randint(0, 5, (n,), generator=generator)] for n in lengths] for _ in range(2)]
        outputs, y = batch(*draw)
        made.update(outputs, y)
        hits, spans = slow(*draw)
        all_hits, all_spans = all_hits + hits, all_spans + spans
        assert float(made.value(outputs, y)) == pytest.approx(2 * sum(hits) / sum(spans))
        numbers = made.samples(outputs.double(), y)
        r, mean = 2 * sum(hits) / sum(spans), sum(spans) / size
        assert numbers.tolist() == pytest.approx([r + (2 * h - r * s) / mean for h, s in zip(hits, spans, strict=True)])
        assert float(numbers.mean()) == pytest.approx(r)
    assert 0 < sum(all_hits) < sum(all_spans)
    assert made.compute() == pytest.approx(2 * sum(all_hits) / sum(all_spans))
    made.reset()
    made.update(*batch([["O", "O"]], [["O", "O"]]))
    assert made.compute() == 0


def test_more_padding_changes_nothing():
    true, found = [["B-to", "I-to", "O"], ["B-from"]], [["B-to", "O", "O"], ["B-from"]]
    outputs, y = batch(true, found)
    made = metric()
    wider = torch.cat([outputs, torch.eye(5)[2].expand(2, 4, 5)], 1), torch.cat([y, torch.full((2, 4), -100)], 1)
    assert float(made.value(outputs, y)) == float(made.value(*wider)) == 0.5


def test_other_labels_and_other_data_are_refused():
    with pytest.raises(ConfigError, match=r"metric\.f1_spans: label 'NN' is neither O nor B-KIND nor I-KIND"):
        metric(("O", "NN"))
    with pytest.raises(ConfigError, match=r"metric\.f1_spans: is for a label per word"):
        F1Spans().check_outputs(3)
    of_labels(Accuracy(), NAMES)
