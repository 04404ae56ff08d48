"""PyTorch Lightning: `ReportCallback` for the callbacks of a Trainer, `checkpoint` for the ``ckpt_path`` of `fit`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import hpsearch
from hpsearch.base.leftovers import temporary_path
from hpsearch.callbacks.generators import read_generators, set_generators
from hpsearch.callbacks.reporting import Reporter, ask_checkpoint, saves

if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
    from pytorch_lightning.callbacks import Callback
else:
    from lightning.pytorch.callbacks import Callback

_FINISHED = ("epoch_loop.batch_progress", "epoch_loop.val_loop.batch_progress")
"""Counters of batches that a new epoch begins at 0."""


def checkpoint() -> Path | None:
    """Return the checkpoint of this trial to go on from, None for a fresh start: the ``ckpt_path`` of `fit`.

    A trial that asks for it has one written by its `ReportCallback` before each report.
    """
    path: Path | None = ask_checkpoint()
    return path


class ReportCallback(Callback):
    """Reports after each epoch all that the module logged, validated metrics among them.

    An epoch without validation is not reported, where there is any. When the trial is to end, the Trainer's
    ``should_stop`` is set. Where `checkpoint` was asked for, ``checkpoint.ckpt`` is written into the trial's folder
    before each report; it holds the states of the global generators and of those of the training loaders as well, which
    Lightning's own do not, so that the next epoch is the same as in one go.

    Args:
        every: ``epoch``; ``validation`` reports each validation, counted from 1, as of long epochs that are validated
            several times, and writes no checkpoint.

    Raises:
        ValueError: `every` is neither.

    Example:
        ``Trainer(max_epochs=10, callbacks=[ReportCallback()]).fit(module, data, ckpt_path=checkpoint())``
    """

    def __init__(self, every: str = "epoch") -> None:
        if every not in ("epoch", "validation"):
            raise ValueError(f"ReportCallback: every = {every!r}; allowed: 'epoch', 'validation'")
        self._every = every
        self._say = Reporter()
        self._validations, self._reported = 0, 0
        self._validated = self._saving = False
        self._resumed: dict[str, Any] | None = None

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - of Lightning
        """Note that this epoch was validated; report it where every validation is."""
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self._validated = True
        self._validations += 1
        if self._every == "validation":
            self._report(trainer, self._validations)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - of Lightning
        """Report the epoch before, now that schedulers and other callbacks have done their work; or go on from it."""
        if self._resumed is not None:
            set_generators(self._resumed, _own(trainer))
            iter(trainer.fit_loop._data_fetcher)  # its order was drawn before the generators were set
            self._resumed = None
            return
        self._after_epoch(trainer)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - of Lightning
        """Report the last epoch."""
        self._after_epoch(trainer)

    def _after_epoch(self, trainer: Any) -> None:
        epoch = trainer.current_epoch
        if self._every != "epoch" or epoch <= self._reported or (trainer.enable_validation and not self._validated):
            return
        self._validated = False
        if saves():
            self._save(trainer)
        self._report(trainer, epoch)

    def _report(self, trainer: Any, epoch: int) -> None:
        """Report in the first process, and tell the others what it was answered."""
        self._reported = epoch
        ended = trainer.is_global_zero and self._say(trainer.callback_metrics, epoch, trainer.global_step)
        trainer.should_stop = trainer.strategy.broadcast(ended) or trainer.should_stop

    def _save(self, trainer: Any) -> None:
        """Write the checkpoint of whole epochs: under another name first, so that a kill leaves the one before."""
        file = hpsearch.folder() / "checkpoint.ckpt"
        new = Path(trainer.strategy.broadcast(str(temporary_path(file))))
        self._saving = True
        try:
            trainer.save_checkpoint(new)
        finally:
            self._saving = False
        if trainer.is_global_zero:
            new.replace(file)

    def on_save_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        """Add the generators; in a checkpoint of ours let the next epoch begin at its first batch."""
        checkpoint[_KEY] = {"generators": read_generators(_own(trainer)), "validations": self._validations}
        if not self._saving:
            return
        loop = checkpoint["loops"]["fit_loop"]
        if trainer.fit_loop.epoch_progress.current.ready > trainer.current_epoch:
            for counts in (loop["epoch_progress"]["total"], loop["epoch_progress"]["current"]):
                counts["ready"] -= 1  # the next epoch was announced, no more
        for name in _FINISHED:
            loop[name]["current"] = dict.fromkeys(loop[name]["current"], 0)
            loop[name]["is_last_batch"] = False

    def on_load_checkpoint(self, trainer: Any, pl_module: Any, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        """Take the generators out of a checkpoint; they are set when its next epoch begins."""
        if (kept := checkpoint.get(_KEY)) is not None and trainer.state.fn == "fit":
            self._resumed, self._validations = kept["generators"], kept["validations"]


_KEY = "hpsearch"


def _own(trainer: Any) -> Iterator[torch.Generator]:
    """The generators of the training loaders and of their samplers, each once."""
    combined = trainer.fit_loop._combined_loader
    seen: set[int] = set()
    for loader in combined.flattened if combined is not None else ():
        for holder in (loader, getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)):
            generator = getattr(holder, "generator", None)
            if isinstance(generator, torch.Generator) and id(generator) not in seen:
                seen.add(id(generator))
                yield generator
