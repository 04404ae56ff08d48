"""What arguments of losses may be, torch's own included."""

from hpsearch.base.limits import NOT_NEGATIVE, POSITIVE, SHARE, Limits, Rules, each, one_of, optional

BINARY_CROSS_ENTROPY: Rules = {"label_smoothing": SHARE, "pos_weight": optional(POSITIVE)}
FOCAL: Rules = {"gamma": NOT_NEGATIVE, "weight": optional(each(NOT_NEGATIVE))}

LIMITS: Limits = {
    "torch.nn.*": {"reduction": one_of("mean")},
    "torch.nn.CrossEntropyLoss": {"label_smoothing": SHARE},
    "torch.nn.HuberLoss": {"delta": POSITIVE},
    "hpsearch.losses.binary_cross_entropy.BinaryCrossEntropy": BINARY_CROSS_ENTROPY,
    "hpsearch.losses.focal.Focal": FOCAL,
}
