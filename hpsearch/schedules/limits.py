"""What arguments of schedulers may be; torch fails late on some of its own, or not at all."""

from hpsearch.base.limits import BELOW_ONE, POSITIVE, Limits, count, one_of, optional

OPTIONS: Limits = {
    "scheduler": {"per": one_of("step", "epoch"), "warmup": one_of("linear", "exponential"), "warmup_steps": count(0)},
    "optimizer": {"initial_momentum": BELOW_ONE, "initial_momentum_steps": count(0)},
}
"""Keys of every option of a group that make the table of rates; they are taken out before its target is built."""

LIMITS: Limits = {
    "torch.optim.lr_scheduler.*": {
        **dict.fromkeys(("T_max", "T_0", "T_mult", "step_size", "total_steps"), optional(count())),
        **dict.fromkeys(("gamma", "power"), POSITIVE),
    },
}
