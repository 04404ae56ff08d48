"""What arguments of schedulers may be; torch fails late on some of its own, or not at all."""

from hpsearch.base.limits import (
    BELOW_ONE,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    Limits,
    Rules,
    count,
    flag,
    one_of,
    optional,
)

OPTIONS: Limits = {
    "scheduler": {"per": one_of("step", "epoch"), "warmup": one_of("linear", "exponential"), "warmup_steps": count(0)},
    "optimizer": {"initial_momentum": BELOW_ONE, "initial_momentum_steps": count(0)},
}
"""Keys of every option of a group that make the table of rates; they are taken out before its target is built."""

_DECAY: Rules = {"decay_steps": count(), "staircase": flag}

LIMITS: Limits = {
    "hpsearch.schedules.polynomial": {"total_iters": optional(count()), "power": POSITIVE, "end_factor": SHARE},
    "hpsearch.schedules.cosine": {"T_max": optional(count()), "min_factor": SHARE},
    "hpsearch.schedules.cosine_restarts": {"T_0": count(), "T_mult": count(), "min_factor": SHARE},
    "hpsearch.schedules.exponential": {"gamma": POSITIVE, **_DECAY},
    "hpsearch.schedules.natural_exponential": {"rate": NOT_NEGATIVE, **_DECAY},
    "hpsearch.schedules.inverse_time": {"a": POSITIVE, "b": POSITIVE, **_DECAY},
    "hpsearch.schedules.ReduceOnPlateau": {"patience": count(0), "cooldown": count(0), "min_factor": SHARE},
    "hpsearch.schedules.HalveWhenFlat": {"min_factor": SHARE},
    "hpsearch.schedules.cyclic": {
        "low": SHARE,
        "gamma": POSITIVE,
        "mode": one_of("triangular", "triangular2", "exp_range"),
        **dict.fromkeys(("step_size_up", "step_size_down"), optional(count())),
    },
    "hpsearch.schedules.one_cycle": {
        **{"pct_start": SHARE, "div_factor": POSITIVE, "final_div_factor": POSITIVE},
        "anneal_strategy": one_of("cos", "linear"),
    },
    "torch.optim.lr_scheduler.*": {
        **dict.fromkeys(("T_max", "T_0", "T_mult", "step_size", "total_steps"), optional(count())),
        **dict.fromkeys(("gamma", "power"), POSITIVE),
    },
}
