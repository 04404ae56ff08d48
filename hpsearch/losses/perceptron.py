"""The perceptron's criterion."""

from torch import Tensor, nn

from hpsearch.losses.hinge import class_scores, lacking
from hpsearch.losses.targets import class_shares


class Perceptron(nn.Module):
    """What a wrong answer costs a perceptron: by how much another class leads, ``max(0, max_{j != y} o_j - o_y)``.

    It is the hinge loss without a margin, the mean over samples. With `optimizer=sgd`, `data.batch_size=1` and
    `init=zeros` its updates are the perceptron's rule: a sample that is answered right changes nothing; otherwise its
    class's weights move by lr x towards it and those of the strongest other class by lr x away. Of two classes with one
    output, ``w := w + lr s x`` where ``s w x <= 0``, with s = 1 or -1; a tie is a mistake, so that training leaves 0.

    A loss of 0 says that no sample is answered wrong, not that it is answered surely. Scaling all weights scales the
    loss: it has no value of its own that would be much, so a trial diverges by it only where it is not finite.

    Source: Rosenblatt, The perceptron, Psychological Review 65(6), 1958; of several classes Duda and Hart, Pattern
    classification and scene analysis, 1973, as Crammer and Singer, JMLR 3, 2003, state it.
    """

    margin = 0.0

    def __init__(self) -> None:
        super().__init__()

    def forward(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the 0-d loss of outputs [B, C] for class numbers [B] or shares [B, C]."""
        return (class_shares(outputs, y) * self.class_losses(outputs)).sum(1).mean()

    def class_losses(self, outputs: Tensor) -> Tensor:
        """Return [B, classes] what the loss of each sample is if it is of class c."""
        return lacking(class_scores(outputs), self.margin)
