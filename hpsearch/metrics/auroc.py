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
            rank = _ranks(score, score)
            count = positive.sum()
            pairs = count * (len(y_N) - count)
            areas.append(((rank * positive).sum() - count * (count + 1) / 2) / pairs)
        return torch.stack(areas).nanmean()

    def samples(self, outputs_NC: "Tensor", y_N: "Tensor") -> "Tensor":
        """Return ``a + (p - a) / s`` of every sample, [N], the mean over classes of that.

        Here a is the area, p the share of the others that the sample is on the right side of, and s the share of
        samples that are of its kind, case or not (DeLong, DeLong and Clarke-Pearson, Biometrics 1988).
        """
        import torch

        scores_NC = class_logits(outputs_NC).log_softmax(1)
        each = []
        for c in [1] if scores_NC.shape[1] == 2 else range(scores_NC.shape[1]):
            score, case = scores_NC[:, c].contiguous(), y_N == c
            if case.all() or not case.any():
                continue
            placed, share = torch.empty_like(score), torch.empty_like(score)
            for kind, side in ((case, 0), (~case, 1)):
                below = (_ranks(score[~kind], score[kind]).double() - 0.5) / (~kind).sum()
                placed[kind], share[kind] = (side - below).abs(), kind.double().mean()
            area = placed[case].mean()
            each.append(area + (placed - area) / share)
        return torch.stack(each).mean(0) if each else torch.full((len(y_N),), torch.nan)


def _ranks(among: "Tensor", score: "Tensor") -> "Tensor":
    """Return one half more than how many are below each score, equal ones counted half."""
    import torch

    ordered = among.sort().values
    return (torch.searchsorted(ordered, score) + torch.searchsorted(ordered, score, right=True) + 1) / 2
