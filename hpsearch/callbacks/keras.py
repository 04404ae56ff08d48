"""Keras 3: `ReportCallback` for the callbacks of `fit`."""

from typing import Any

from keras.callbacks import Callback

from hpsearch.callbacks.reporting import Reporter


class ReportCallback(Callback):
    """Reports the logs of each epoch: ``loss``, ``val_loss``, ``val_accuracy`` and the like.

    When the trial is to end, the model's ``stop_training`` is set. A trial that was cut off starts again.

    Example:
        ``model.fit(x, y, validation_split=0.2, epochs=10, callbacks=[ReportCallback()])``
    """

    def __init__(self) -> None:
        super().__init__()
        self._say = Reporter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report an epoch, which Keras counts from 0."""
        if self._say(logs or {}, epoch + 1):
            self.model.stop_training = True
