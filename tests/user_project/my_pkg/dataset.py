"""A dataset of one's own, as torch defines them; a DataLoader reads it as training goes on."""

import torch
from torch import Tensor
from torch.utils.data import Dataset


class Stripes(Dataset[tuple[Tensor, int]]):
    """Grey 8x8 images with stripes along one of the two axes, drawn anew with other noise whenever they are read."""

    classes = ("rows", "columns")

    def __init__(self, samples: int, noise: float) -> None:
        self.noise = noise
        self.targets = [sample % 2 for sample in range(samples)]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, sample: int) -> tuple[Tensor, int]:
        target = self.targets[sample]
        stripes = (torch.arange(8) + sample) % 4 < 2
        image = stripes.float().expand(8, 8)
        return (image if target else image.T)[None] + self.noise * torch.randn(1, 8, 8), target
