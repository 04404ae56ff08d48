"""skorch: `ReportCallback` for the callbacks of a net."""

from typing import Any

from skorch.callbacks import Callback

from hpsearch.callbacks.reporting import Reporter


class ReportCallback(Callback):
    """Reports the numbers of each epoch's row of the history: ``train_loss``, ``valid_loss``, ``valid_acc``, ...

    When the trial is to end, training is ended as skorch's own early stopping does it, by a KeyboardInterrupt that the
    net catches. A trial that was cut off starts again.

    Example:
        ``NeuralNetClassifier(module, callbacks=[ReportCallback()])``
    """

    def initialize(self) -> "ReportCallback":
        """Begin anew, as the net does."""
        self.reporter_ = Reporter()
        return self

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:  # noqa: ARG002 - of skorch
        """Report the last epoch.

        Raises:
            KeyboardInterrupt: the trial is to end; the net catches it.
        """
        row = {name: value for name, value in net.history[-1].items() if name not in ("epoch", "batches")}
        if self.reporter_(row, len(net.history)):
            raise KeyboardInterrupt
