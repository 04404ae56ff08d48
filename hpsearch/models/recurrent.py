"""Recurrent networks that read a sequence, of features or of words, or an image row by row."""

import torch
from torch import Tensor, nn

from hpsearch.base.errors import ConfigError, check_int
from hpsearch.base.steps import PADDING
from hpsearch.nn.dropout import Dropout
from hpsearch.nn.recurrent import Recurrent


class RecurrentNet(nn.Module):
    """Recurrent layers, then one linear layer on what they know at the end, or at every word.

    An image [C, H, W] is a sequence of H steps, its rows from the top, with C * W features each. At the end is the
    last step; of layers that read in both directions, the state of each direction at the end of its reading.

    Words [T] are numbers, of which each has a vector of its own; every word has outputs, of its state. What is behind
    the end of a sequence (`hpsearch.base.steps.PADDING`) is not read, in either direction.

    Source: Le, Jaitly and Hinton, A Simple Way to Initialize Recurrent Networks of Rectified Linear Units,
    arXiv:1504.00941, reads images as sequences, pixel by pixel; see `hpsearch.nn.recurrent.Recurrent` for the cells.

    Args:
        in_shape: (channels, height, width) of an image, (steps, features) of a sequence, or (steps,) of words.
        num_outputs: number of classes or targets.
        cell: ``elman``, ``jordan``, ``lstm`` or ``gru``.
        hidden: units of each layer and direction.
        layers: number of recurrent layers.
        bidirectional: whether each layer reads the sequence in both directions.
        activation: ``tanh`` or ``relu`` in ``elman`` and ``jordan``, ``tanh`` in the others.
        dropout: rate after each recurrent layer, in [0, 1).
        norm: ``none``, ``layer`` or ``weight``, see `hpsearch.nn.normalized_cells.Cell`.
        norm_eps: added to the variance by ``layer``; None is 1e-5.
        embedding: entries of a word's vector; None: as many as `hidden`. Without words it means nothing.
        vocabulary: how many different words there are, those that stand for none among them; None: inputs are no words.

    Raises:
        ConfigError: when the input is neither an image nor a sequence.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        num_outputs: int,
        cell: str = "elman",
        hidden: int = 128,
        layers: int = 1,
        bidirectional: bool = False,
        activation: str = "tanh",
        dropout: float = 0.0,
        norm: str = "none",
        norm_eps: float | None = None,
        embedding: int | None = None,
        vocabulary: int | None = None,
    ) -> None:
        super().__init__()
        if vocabulary is None and len(in_shape) not in (2, 3):
            raise ConfigError(
                "a recurrent network needs images (channels, height, width) or sequences (steps, features), "
                f"the data has inputs of shape {in_shape}"
            )
        check_int("model.hidden", hidden, 1)
        if embedding is not None:
            check_int("model.embedding", embedding, 1)
        features = in_shape[0] * in_shape[2] if len(in_shape) == 3 else in_shape[-1]
        self.embedding: nn.Embedding | None = None
        if vocabulary is not None:
            features = embedding or hidden
            self.embedding = nn.Embedding(vocabulary, features, padding_idx=PADDING)
        self.hidden = hidden
        self.recurrent = Recurrent(cell, features, hidden, layers, bidirectional, dropout, activation, norm, norm_eps)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(self.recurrent.size, num_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, num_outputs] outputs of a batch [B, *in_shape]; of words [B, T, num_outputs]."""
        if self.embedding is not None:
            lengths = (x != PADDING).sum(1).clamp(min=1)
            each: Tensor = self.output(self.dropout(self.recurrent(self.embedding(x), lengths)))
            return each
        steps = x if x.ndim == 3 else x.transpose(1, 2).flatten(2)
        states = self.recurrent(steps)
        outputs: Tensor = self.output(self.dropout(self._end(states)))
        return outputs

    def _end(self, states: Tensor) -> Tensor:
        """Return [B, S] where each direction of the states [B, T, S] has read everything."""
        return torch.cat([states[:, -1, : self.hidden], states[:, 0, self.hidden :]], -1)
