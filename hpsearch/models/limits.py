"""What arguments that several models have may be."""

from hpsearch.base.limits import BELOW_ONE, Limits, each, flag

LIMITS: Limits = {"hpsearch.models.*": {"dropout": each(BELOW_ONE), "norm_first": flag}}
