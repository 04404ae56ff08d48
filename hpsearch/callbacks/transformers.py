"""Hugging Face transformers: `ReportCallback` for a Trainer, `checkpoint` for its ``resume_from_checkpoint``."""

from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

import hpsearch
from hpsearch.base import current
from hpsearch.callbacks.generators import read_generators, set_generators
from hpsearch.callbacks.reporting import Reporter, ask_checkpoint, saves

_DEFAULT_SEED = 42
"""`TrainingArguments.seed`, with which a Trainer seeds everything unless it is told another."""

_NOT_MEASURED = ("epoch", "_runtime", "_per_second", "_preparation_time")
"""Endings of what an evaluation returns beside metrics: how fast it was, which no replay gives again."""


def checkpoint() -> str | None:
    """Return the checkpoint of this trial to go on from, None for a fresh start: ``resume_from_checkpoint`` of `train`.

    A trial that asks for it has one written at each evaluation.
    """
    path: Path | None = ask_checkpoint()
    return None if path is None else str(path)


class ReportCallback(TrainerCallback):
    """Reports after each evaluation of a training what was measured: ``eval_loss``, ``eval_accuracy`` and the like.

    ``eval_strategy="epoch"`` gives epochs, ``"steps"`` counts the evaluations. When the trial is to end, the control's
    ``should_training_stop`` is set. In a trial the Trainer writes into the trial's folder, whatever ``output_dir``
    says; where `checkpoint` was asked for it saves at each evaluation (the two newest are kept if it would not have
    saved), with the states of the global generators. A Trainer seeds everything with ``seed=42`` unless it is told
    otherwise: that default becomes the trial's own seed.

    Example:
        ``Trainer(..., callbacks=[ReportCallback()]).train(resume_from_checkpoint=checkpoint())``
    """

    def __init__(self) -> None:
        self._say = Reporter()
        self._measured: dict[str, Any] = {}
        self._training = False
        self._before = read_generators() if current.present() is not None else None
        self._seed = torch.initial_seed() % 2**32

    def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - of the Trainer
        """Put the trial's seed and folder in place of the Trainer's defaults."""
        if self._before is None:
            return
        if args.seed == _DEFAULT_SEED:
            args.seed = self._seed
            set_generators(self._before)
        args.output_dir = str(hpsearch.folder())

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Report from here on; a Trainer that would not save keeps the two newest checkpoints."""
        self._training = True
        if saves() and args.save_strategy == "no" and args.save_total_limit is None:
            args.save_total_limit = 2

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, Any], **kwargs: Any) -> None:  # noqa: ARG002
        """Note what was measured; it is reported when its checkpoint is written."""
        if not self._training:
            return
        self._measured = {name: value for name, value in metrics.items() if not name.endswith(_NOT_MEASURED)}
        if saves():
            control.should_save = True
        else:
            self._report(args, state, control)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Report what was measured before this checkpoint."""
        self._report(args, state, control)

    on_step_begin = on_epoch_begin = on_save
    """Where nothing was saved after an evaluation (``save_strategy="best"``), it is reported as training goes on."""

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Report the last evaluation where it was not yet, and nothing after it."""
        self._report(args, state, control)
        self._training = False

    def _report(self, args: Any, state: Any, control: Any) -> None:
        if not self._training or not self._measured:
            return
        measured, self._measured = self._measured, {}
        if not state.is_world_process_zero:
            return
        by_steps = args.eval_strategy == "steps"
        epoch = round(state.global_step / state.eval_steps) if by_steps else round(state.epoch)
        if self._say(measured, epoch, state.global_step):
            control.should_training_stop = True
