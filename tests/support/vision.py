"""Stand-ins for torchvision and timm, with the signatures of what is called of them and one small network each."""

import enum
import functools
import hashlib
import sys
from types import ModuleType, SimpleNamespace

import torch
from torch import nn

CLASSES = 12
"""That the stand-ins' weights know."""
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


class SmallNet(nn.Module):
    """Two convolutions with batch normalization in a sequence, and a linear layer."""

    def __init__(self, num_classes=CLASSES):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.stages = nn.Sequential(*(nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.ReLU()) for _ in "ab"))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(4, num_classes))

    def forward(self, x):
        return self.head(self.pool(self.stages(self.stem(x))))

    def get_classifier(self):
        return self.head[2]


def weights_of(seed=7, classes=CLASSES):
    """The state of a `SmallNet` that was trained before."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return SmallNet(classes).state_dict()


def saved(folder, state):
    """A file of weights as torchvision names it: with the first digits of its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "new.pth")
    digest = hashlib.sha256((folder / "new.pth").read_bytes()).hexdigest()
    return (folder / "new.pth").rename(folder / f"small-{digest[:8]}.pth")


def transforms():
    """What `weights.transforms()` of torchvision has."""
    return SimpleNamespace(
        crop_size=[10],
        resize_size=[12],
        mean=list(MEAN),
        std=list(STD),
        interpolation=SimpleNamespace(value="bilinear"),
    )


def torchvision_like(url, classes):
    """A module with the functions of ``torchvision.models``, which knows ``small`` by weights at an address."""
    entry = SimpleNamespace(url=url, transforms=transforms)

    class SmallWeights(enum.Enum):
        FIRST = entry
        DEFAULT = entry

        @property
        def url(self):
            return self.value.url

        @property
        def transforms(self):
            return self.value.transforms

    def get_model(name, *, weights=None, progress=True, num_classes=None):
        net = SmallNet(num_classes or classes)
        if weights is not None:
            net.load_state_dict(torch.hub.load_state_dict_from_url(weights.url, progress=progress, check_hash=True))
        return net

    library = ModuleType("torchvision")
    library.models = SimpleNamespace(
        get_model=get_model,
        get_model_weights=lambda name: SmallWeights,
        list_models=lambda module=None, include=None, exclude=None: ["small", "smaller"],
    )
    return library


def timm_like(classes):
    """A module with the functions of ``timm``, which knows ``small`` by the tag ``first``."""
    known = SimpleNamespace(
        url="https://example.org/small.pth",
        hf_hub_id=None,
        hf_hub_filename=None,
        input_size=(3, 10, 10),
        crop_pct=0.8,
        crop_mode="center",
        interpolation="bicubic",
        mean=MEAN,
        std=STD,
        num_classes=classes,
    )

    def list_models(filter="", module="", pretrained=False):
        return ["small.first"] if pretrained else ["small", "smaller"]

    def create_model(model_name, pretrained=False, pretrained_cfg_overlay=None, num_classes=None, in_chans=3):
        net = SmallNet(num_classes)
        if pretrained:
            state = torch.load(pretrained_cfg_overlay["file"], weights_only=True)
            kept = {} if num_classes == classes else {k: v for k, v in net.state_dict().items() if k.startswith("head")}
            net.load_state_dict({**state, **kept})
        return net

    library = ModuleType("timm")
    library.list_models, library.create_model = list_models, create_model
    library.get_pretrained_cfg = functools.partial(lambda name, allow_unregistered=True: known)
    return library


def install(monkeypatch, folder, classes=CLASSES):
    """Put both stand-ins where the libraries are imported from; their weights lie in torch's cache in a folder.

    Returns:
        The file of torchvision's weights, and that of timm's.
    """
    monkeypatch.setenv("TORCH_HOME", str(folder))
    cache = folder / "hub" / "checkpoints"
    file = saved(cache, weights_of(classes=classes))
    torch.save(weights_of(classes=classes), cache / "small.pth")
    monkeypatch.setitem(sys.modules, "torchvision", torchvision_like(f"https://example.org/{file.name}", classes))
    monkeypatch.setitem(sys.modules, "timm", timm_like(classes))
    return file, cache / "small.pth"
