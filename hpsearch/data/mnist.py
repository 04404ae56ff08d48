"""MNIST."""

from dataclasses import dataclass
from typing import ClassVar

from hpsearch.data.idx_images import IdxImages


@dataclass(frozen=True, kw_only=True)
class MNIST(IdxImages):
    """60,000 training and 10,000 test images of handwritten digits, 28x28 pixels of 0 to 255.

    Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document recognition,
    Proceedings of the IEEE 86(11), 1998.
    """

    torchvision_name: ClassVar = "MNIST"
    debian_name: ClassVar = "mnist"
    class_names: ClassVar = tuple("0123456789")
    url: ClassVar = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    sha256: ClassVar = {
        "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    }
