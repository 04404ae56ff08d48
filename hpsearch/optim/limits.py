"""What arguments of optimizers may be, torch's own included: it takes some values that no training survives."""

from hpsearch.base.limits import (
    BELOW_ONE,
    NOT_NEGATIVE,
    POSITIVE,
    Limits,
    Rules,
    flag,
    number,
    one_of,
    pair,
)

OPTIONS: Limits = {"optimizer": {"decay_bias_and_norm": flag}}
"""Keys of every option of the group that choose what decays; they are taken out before its target is built."""

_ANY: Rules = {"lr": POSITIVE, "weight_decay": NOT_NEGATIVE}
_ADAM: Rules = {"betas": pair(BELOW_ONE), "eps": POSITIVE}
ADAM: Rules = {**_ANY, **_ADAM, "amsgrad": flag, "bias_correction": flag}
_SGD: Rules = {"momentum": BELOW_ONE, "dampening": number("[0, 1]"), "nesterov": flag}
SGD_FORM: Rules = {**_ANY, **_SGD, "form": one_of("outside", "inside")}
LION: Rules = {**_ANY, "betas": pair(BELOW_ONE)}

LIMITS: Limits = {
    "torch.optim.*": _ANY,
    "torch.optim.SGD": _SGD,
    "torch.optim.Adagrad": {"lr_decay": NOT_NEGATIVE, "eps": POSITIVE},
    "torch.optim.RMSprop": {"alpha": BELOW_ONE, "momentum": BELOW_ONE, "eps": POSITIVE, "centered": flag},
    "torch.optim.Adam": {**_ADAM, "amsgrad": flag},
    "torch.optim.AdamW": {**_ADAM, "amsgrad": flag},
    "torch.optim.NAdam": _ADAM,
    "torch.optim.RAdam": _ADAM,
    "torch.optim.Adamax": _ADAM,
    "torch.optim.Adadelta": {"rho": number("[0, 1]"), "eps": POSITIVE},
    "hpsearch.optim.lion.Lion": LION,
    "hpsearch.optim.adam.Adam": ADAM,
    "hpsearch.optim.adam.AdamW": ADAM,
    "hpsearch.optim.sgd.SGD": SGD_FORM,
}
