"""Fashion-MNIST."""

from dataclasses import dataclass
from typing import ClassVar

from hpsearch.data.idx_images import IdxImages


@dataclass(frozen=True, kw_only=True)
class FashionMNIST(IdxImages):
    """60,000 training and 10,000 test images of clothes, 28x28 pixels of 0 to 255, ten balanced classes.

    Source: H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
    Algorithms, arXiv:1708.07747, 2017.
    """

    torchvision_name: ClassVar = "FashionMNIST"
    debian_name: ClassVar = "fashion-mnist"
    class_names: ClassVar = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    url: ClassVar = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
    sha256: ClassVar = {
        "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    }
