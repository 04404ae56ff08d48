"""How many samples of a trial go through its model at once."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from hpsearch.base.errors import first_line, out_of_memory
from hpsearch.trial.job import Job

Result = TypeVar("Result")


class Groups:
    """How many samples of a trial go through its model at once, in training and in evaluations.

    With ``data.micro_batch=auto`` they are halved where memory runs out, and stay so.

    Args:
        job: the trial.
        training: samples at once in training, found before; None: as the configuration says.

    Attributes:
        training: samples at once in training.
        evaluation: the same in evaluations.
    """

    def __init__(self, job: Job, training: int | None = None) -> None:
        self.training = training or job.batching.micro or job.batching.size
        self.evaluation = job.trainer.eval_batch_size
        self._auto = job.batching.auto
        self._model = job.model

    @property
    def facts(self) -> dict[str, int]:
        """What a trial's record says of what was found."""
        return {"data.micro_batch": self.training} if self._auto else {}

    def train(self, attempt: Callable[[int], Result]) -> Result:
        """Call `attempt` with the samples at once in training, again with half of them where memory runs out.

        Args:
            attempt: leaves nothing behind where memory runs out.

        Returns:
            What it returns.

        Raises:
            MemoryError: it runs out and batch normalization, whose statistics are of the whole batch, forbids groups.
        """
        while True:
            try:
                return attempt(self.training)
            except Exception as error:
                self.training = self._half(self.training, error)
                if layer := _batch_norm(self._model):
                    why = f"{first_line(error)} (data.micro_batch=auto: {layer} normalizes over the whole batch)"
                    raise MemoryError(why) from error
            free_memory()

    def evaluate(self, attempt: Callable[[int], Result]) -> Result:
        """Call `attempt` with the samples at once in an evaluation, again with half of them where memory runs out."""
        while True:
            try:
                return attempt(self.evaluation)
            except Exception as error:
                self.evaluation = self._half(self.evaluation, error)
            free_memory()

    def _half(self, size: int, error: Exception) -> int:
        if not self._auto or size == 1 or not out_of_memory(error):
            raise error
        return (size + 1) // 2


def free_memory() -> None:
    """Give back what a pass held that ran out of memory; called when no error refers to it any more."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _batch_norm(model: nn.Module) -> str:
    """Return the name of the first layer that normalizes over the batch in training; empty where there is none."""
    found = (name for name, m in model.named_modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training)
    return next(found, "")
