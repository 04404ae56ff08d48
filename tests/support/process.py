"""What belongs to whoever runs a process: a call leaves it as it was."""

import asyncio
import builtins
import faulthandler
import gc
import locale
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import optuna
import pandas as pd
import plotly.io as pio
import torch

LOGGERS = ("", "mlflow", "alembic", "urllib3", "urllib3.connectionpool", "optuna", "pooch", "hydra", "torch", "git")


def snapshot() -> dict[str, Any]:
    """Return what a call must not change, by name."""
    umask = os.umask(0o022)
    os.umask(umask)
    return {
        "environment": dict(os.environ),
        "loggers": {name: _logger(logging.getLogger(name)) for name in LOGGERS},
        "logging": logging.root.manager.disable,
        "optuna": optuna.logging.get_verbosity(),
        "warnings": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "timers": signal.getitimer(signal.ITIMER_REAL),
        "folder": os.getcwd(),  # noqa: PTH109
        "path": list(sys.path),
        "arguments": list(sys.argv),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "hooks": (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.displayhook),
        "finders": (list(sys.meta_path), list(sys.path_hooks)),
        "trace": (sys.gettrace(), sys.getprofile(), threading.gettrace()),
        "recursion": sys.getrecursionlimit(),
        "switch": sys.getswitchinterval(),
        "collector": (gc.isenabled(), gc.get_threshold(), list(gc.callbacks)),
        "faulthandler": faulthandler.is_enabled(),
        "umask": umask,
        "locale": locale.setlocale(locale.LC_ALL),
        "temporary": tempfile.tempdir,
        "start method": multiprocessing.get_start_method(allow_none=True),
        "event loop policy": type(asyncio.get_event_loop_policy()),
        "print": builtins.print,
        "python generator": random.getstate(),
        "numpy generator": repr(np.random.get_state()),
        "numpy errors": np.geterr(),
        "numpy printing": repr(np.get_printoptions()),
        "torch generator": torch.get_rng_state().tolist(),
        "torch": _torch(),
        "matplotlib": (mpl.get_backend(), repr(dict(mpl.rcParams))),
        "plotly": (pio.templates.default, sorted(pio.templates), pio.renderers.default),
        "pandas": {key: pd.get_option(key) for key in ("display.max_rows", "display.width", "mode.copy_on_write")},
        "threads": sorted(thread.name for thread in threading.enumerate() if thread.is_alive()),
    }


def _logger(logger: logging.Logger) -> tuple[Any, ...]:
    return logger.level, logger.disabled, logger.propagate, list(logger.handlers), list(logger.filters)


def _torch() -> dict[str, Any]:
    return {
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_anomaly_enabled()),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,
        ),
        "precision": torch.get_float32_matmul_precision(),
        "cudnn": tuple(
            getattr(torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic", "allow_tf32")
        ),
        "mkldnn": torch.backends.mkldnn.enabled,
        "autocast": tuple(torch.is_autocast_enabled(device) for device in ("cpu", "cuda")),
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is another one, by name: what it was and what it is."""
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}
