"""What holds a model back from fitting noise; importing this loads no torch."""

from hpsearch.regularizers.averaging import EMA, SWA, TorchEMA
from hpsearch.regularizers.base import Averaging, Constraint, Extent, Mixing, Penalty, Regularizer
from hpsearch.regularizers.early_stopping import EarlyStopping
from hpsearch.regularizers.max_norm import MaxNorm
from hpsearch.regularizers.mixing import CutMix, Mixup
from hpsearch.regularizers.penalties import L1, L2, ElasticNet, Lp

__all__ = [
    "EMA",
    "L1",
    "L2",
    "SWA",
    "Averaging",
    "Constraint",
    "CutMix",
    "EarlyStopping",
    "ElasticNet",
    "Extent",
    "Lp",
    "MaxNorm",
    "Mixing",
    "Mixup",
    "Penalty",
    "Regularizer",
    "TorchEMA",
]
