"""F1 of spans: of whole slots, or named entities."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hpsearch.base.errors import ConfigError
from hpsearch.metrics.base import OutputsMetric, predicted_classes

if TYPE_CHECKING:
    from torch import Tensor

OUTSIDE, BEGIN, INSIDE = 0, 1, 2
_PREFIXES = {"B": BEGIN, "I": INSIDE}


class F1Spans(OutputsMetric):
    """F1 = 2 TP / (2 TP + FP + FN) of spans, all kinds together; one counts where both its ends and its kind are right.

    Labels are ``O``, ``B-KIND`` and ``I-KIND`` (IOB2). A span begins at a B-, and at an I- that goes on with no span of
    its kind; it ends before the next word that does not go on with it: the rule of conlleval. 0 where there are no
    spans. Words without a label are outside.

    Source: Tjong Kim Sang and Buchholz, Introduction to the CoNLL-2000 Shared Task: Chunking, CoNLL 2000.

    Attributes:
        of_sequences: it needs whole sequences.
    """

    task = "classification"
    of_sequences = True

    def __init__(self) -> None:
        super().__init__()
        self._place: tuple[int, ...] = ()
        self._kind: tuple[int, ...] = ()

    def of_labels(self, names: Sequence[str]) -> None:
        """Say what the labels are called.

        Args:
            names: one per class.

        Raises:
            ConfigError: they are not those of IOB2.
        """
        parts = [("O", "") if name == "O" else name.split("-", 1) for name in names]
        odd = [name for name in names if name != "O" and name[:2] not in ("B-", "I-")]
        if odd:
            raise ConfigError(f"metric.f1_spans: label '{odd[0]}' is neither O nor B-KIND nor I-KIND (IOB2)")
        kinds = sorted({each[1] for each in parts})
        self._place = tuple(_PREFIXES.get(each[0], OUTSIDE) for each in parts)
        self._kind = tuple(kinds.index(each[1]) for each in parts)

    def check_outputs(self, columns: int) -> None:
        """Refuse data whose samples have one label each.

        Args:
            columns: outputs of the model.

        Raises:
            ConfigError: naming what it is for.
        """
        if len(self._place) != columns:
            raise ConfigError("metric.f1_spans: is for a label per word (data=conll, data=tagging)")

    def update(self, outputs_BTC: "Tensor", y_BT: "Tensor", /) -> None:
        """Keep what a batch adds."""
        hits_B, spans_B = self._counts(outputs_BTC, y_BT)
        self._kept.append((hits_B.sum(), spans_B.sum()))

    def compute(self) -> float:
        """Return F1 of all batches so far; this waits for the device."""
        hits, spans = (sum(int(each) for each in parts) for parts in zip(*self._kept, strict=True))
        return 2 * hits / spans if spans else 0.0

    def value(self, outputs_NTC: "Tensor", y_NT: "Tensor") -> "Tensor":
        """Return the 0-d F1."""
        hits_N, spans_N = self._counts(outputs_NTC, y_NT)
        return 2 * hits_N.sum() / spans_N.sum().clamp(min=1)

    def samples(self, outputs_NTC: "Tensor", y_NT: "Tensor") -> "Tensor":
        """Return ``r + (a - r b) / mean(b)`` of every sequence, [N], with its 2 TP a and its spans b, and F1 r."""
        hits_N, spans_N = (each.double() for each in self._counts(outputs_NTC, y_NT))
        mean = spans_N.mean().clamp(min=1e-300)
        ratio = 2 * hits_N.mean() / mean
        return ratio + (2 * hits_N - ratio * spans_N) / mean

    def _counts(self, outputs_BTC: "Tensor", y_BT: "Tensor") -> "tuple[Tensor, Tensor]":
        """Return of every sequence, [B], its spans that are hit, and those that there are or that are predicted."""
        labelled = y_BT >= 0
        true, found = (self._spans(each, labelled) for each in (y_BT.clamp(min=0), _predicted(outputs_BTC)))
        both = true[0] & found[0]
        hit = both & (true[1] == found[1]) & (true[2] == found[2])
        return hit.sum(1), true[0].sum(1) + found[0].sum(1)

    def _spans(self, tags_BT: "Tensor", labelled: "Tensor") -> "tuple[Tensor, Tensor, Tensor]":
        """Return [B, T] where spans begin, their kind, and from each word on the first place at which one is over."""
        import torch

        place, kind = (torch.tensor(each, device=tags_BT.device)[tags_BT] for each in (self._place, self._kind))
        within = (place != OUTSIDE) & labelled
        follows = torch.zeros_like(within)
        follows[:, 1:] = within[:, 1:] & within[:, :-1] & (place[:, 1:] == INSIDE) & (kind[:, 1:] == kind[:, :-1])
        step = torch.arange(tags_BT.shape[1], device=tags_BT.device).expand_as(tags_BT)
        last = within & ~torch.cat([follows[:, 1:], torch.zeros_like(follows[:, :1])], 1)
        ends = torch.where(last, step, tags_BT.shape[1]).flip(1).cummin(1).values.flip(1)
        return within & ~follows, kind, ends


def _predicted(outputs_BTC: "Tensor") -> "Tensor":
    return predicted_classes(outputs_BTC.flatten(0, 1)).view(outputs_BTC.shape[:2])


def of_labels(metric: object, names: Sequence[str]) -> None:
    """Say what the labels of words are called, where a metric asks.

    Args:
        metric: any.
        names: one per class.
    """
    if isinstance(metric, F1Spans):
        metric.of_labels(names)
