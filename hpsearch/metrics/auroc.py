"""Area under the receiver operating characteristic."""

from typing import TYPE_CHECKING

from hpsearch.metrics.base import OutputsMetric, class_logits

if TYPE_CHECKING:
    from torch import Tensor


class Auroc(OutputsMetric):
    """Area under the curve of hits against false alarms, by ranks; of several classes the mean of each.

    Classes that are all or none of the samples are left out; nan when no class is left.
    """

    task = "classification"

    def undefined(self, y_N: "Tensor") -> str:
        """Return why targets leave the area undefined; empty where they do not."""
        return "" if bool((y_N != y_N[0]).any()) else f"all {len(y_N)} samples are of one class"

    def value(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return the 0-d area."""
        import torch

        scores_NC = class_logits(outputs_NC).log_softmax(1)
        classes = [1] if scores_NC.shape[1] == 2 else range(scores_NC.shape[1])
        areas = []
        for c in classes:
            score, positive = scores_NC[:, c].contiguous(), (y_N == c).double()
            ordered = score.sort().values
            rank = (torch.searchsorted(ordered, score) + torch.searchsorted(ordered, score, right=True) + 1) / 2
            count = positive.sum()
            pairs = count * (len(y_N) - count)
            areas.append(((rank * positive).sum() - count * (count + 1) / 2) / pairs)
        return torch.stack(areas).nanmean()
