"""What holds a model back from fitting noise; importing this loads no torch."""

from hpsearch.regularizers.base import Constraint, Mixing, Penalty, Regularizer
from hpsearch.regularizers.early_stopping import EarlyStopping
from hpsearch.regularizers.max_norm import MaxNorm
from hpsearch.regularizers.mixing import CutMix, Mixup
from hpsearch.regularizers.penalties import L1, L2, ElasticNet, Lp

__all__ = [
    "L1",
    "L2",
    "Constraint",
    "CutMix",
    "EarlyStopping",
    "ElasticNet",
    "Lp",
    "MaxNorm",
    "Mixing",
    "Mixup",
    "Penalty",
    "Regularizer",
]
