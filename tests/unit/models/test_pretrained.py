"""Models of other libraries; torchvision and timm by stand-ins, and themselves where they are installed."""

import sys
from importlib import import_module

import pytest
import torch
from torch import nn
from torch.nn import functional

from hpsearch.base.errors import ConfigError
from hpsearch.models.named import named_weights, place_of_weights, reading
from hpsearch.models.pretrained import Preprocess, PretrainedNet, Recipe
from hpsearch.models.timm import Timm
from hpsearch.models.torchvision import Torchvision
from hpsearch.trial.finetune import blocks
from tests.support.vision import CLASSES, MEAN, STD, install, weights_of

KINDS = {"torchvision": Torchvision, "timm": Timm}


@pytest.fixture
def files(tmp_path, monkeypatch):
    return dict(zip(KINDS, install(monkeypatch, tmp_path), strict=True))


def names(modules, model):
    by_id = {id(module): name for name, module in model.named_modules()}
    return [by_id[id(module)] for module in modules]


def normalized(x):
    return (x.expand(-1, 3, -1, -1) - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def test_images_are_resized_by_the_shorter_side_cropped_repeated_and_normalized():
    recipe = Recipe((12,), (10, 10), "bilinear", MEAN, STD)
    x = torch.rand(2, 1, 24, 30)
    large = functional.interpolate(x, (12, 15), mode="bilinear", antialias=True)
    torch.testing.assert_close(Preprocess(recipe, None)(x), normalized(large[..., 1:11, 2:12]))


def test_a_size_of_the_user_is_reached_without_a_crop_and_images_of_it_stay_as_they_are():
    recipe = Recipe((12,), (10, 10), "bicubic", MEAN, STD)
    x = torch.rand(2, 3, 7, 9)
    wanted = functional.interpolate(x, (8, 8), mode="bicubic", antialias=True)
    torch.testing.assert_close(Preprocess(recipe, 8)(x), normalized(wanted))
    torch.testing.assert_close(Preprocess(recipe, 8)(wanted), normalized(wanted))
    assert not Preprocess(recipe, 8).state_dict()


@pytest.mark.parametrize("library", KINDS)
def test_weights_are_loaded_and_the_head_fits_the_data(library, files):
    wanted = weights_of()
    same, other = (KINDS[library]((1, 8, 8), outputs, "small", "default") for outputs in (CLASSES, 5))
    for name, value in same.net.state_dict().items():
        assert torch.equal(value, wanted[name]), name
    kept = {name: value for name, value in other.net.state_dict().items() if not name.startswith("head")}
    assert kept and all(torch.equal(value, wanted[name]) for name, value in kept.items())
    assert (same.fresh_head, other.fresh_head) == (False, True)
    assert other.train()(torch.rand(2, 1, 8, 8)).shape == (2, 5)
    assert other.preprocess(torch.rand(2, 1, 8, 8)).shape == (2, 3, 10, 10)
    same.renew_head()
    assert same.fresh_head and not torch.equal(same.net.head[2].weight, wanted["head.2.weight"])


@pytest.mark.parametrize("library", KINDS)
def test_random_weights_take_images_as_they_are(library, files):
    files[library].unlink()
    model = KINDS[library]((1, 9, 8), 5, "small")
    x = torch.rand(2, 1, 9, 8)
    assert torch.equal(model.preprocess(x), x.expand(-1, 3, -1, -1))
    assert model(x).shape == (2, 5) and not model.weights and not model.digest


@pytest.mark.parametrize("library", KINDS)
def test_what_is_wrong_is_said_in_one_line(library, files):
    kind, file = KINDS[library], files[library]
    tag = {"torchvision": "FIRST", "timm": "first"}[library]
    wrong = {
        r"model.name = 'smal': is not among .*, did you mean 'small'\?": ((1, 8, 8), "smal", None),
        rf"model.weights = '{tag}x': is not among the weights of small \(default.*, did you mean '{tag}'\?": (
            (1, 8, 8),
            "small",
            f"{tag}x",
        ),
        r"takes images of 1 or 3 channels, the inputs have shape \(4,\)": ((4,), "small", None),
        r"takes images of 1 or 3 channels, the inputs have shape \(2, 8, 8\)": ((2, 8, 8), "small", None),
    }
    for message, (shape, name, weights) in wrong.items():
        with pytest.raises(ConfigError, match=message) as error:
            kind(shape, 5, name, weights)
        assert "\n" not in str(error.value)
    assert kind((1, 8, 8), 5, "small", tag).weights
    broken = {"torchvision": "is damaged or another file", "timm": "cannot be read"}[library]
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError, match=rf"model.weights = 'default': {file} {broken}"):
        kind((1, 8, 8), 5, "small", "default")
    file.unlink()
    with pytest.raises(ConfigError, match=rf"{file.name}.* is missing: put it at {file}, or .*model.download=true"):
        kind((1, 8, 8), 5, "small", "default")


@pytest.mark.parametrize("library", KINDS)
def test_a_library_that_is_missing_or_broken_is_named_with_the_command_that_installs_it(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=f"needs {library}, which is not installed: pip install {library}$"):
        KINDS[library]((1, 8, 8), 5, "small")


def test_weights_are_fetched_where_that_is_asked_for(files, tmp_path):
    file = files["torchvision"]
    url = (tmp_path / "server").joinpath(file.name)
    url.parent.mkdir()
    file.rename(url)
    entry = sys.modules["torchvision"].models.get_model_weights("small").DEFAULT.value
    entry.url = url.as_uri()
    assert Torchvision((1, 8, 8), 5, "small", "default", download=True).weights and file.is_file()
    file.unlink()
    url.write_bytes(b"something else")
    with pytest.raises(ConfigError, match=r"model.download = True: file:.* cannot be fetched \(invalid hash"):
        Torchvision((1, 8, 8), 5, "small", "default", download=True)
    assert not file.exists()


def test_which_weights_a_configuration_names_is_known_without_a_model(files):
    config = {"_target_": "hpsearch.models.torchvision.Torchvision", "name": "small", "weights": "default"}
    assert named_weights(config) == ("torchvision", "small", "default")
    assert place_of_weights(config).path == str(files["torchvision"])
    for random in ({**config, "weights": None}, {"_target_": "hpsearch.models.mlp.MLP"}, {}):
        assert named_weights(random) is None and place_of_weights(random) is None


class Layer(nn.Module):
    """Of a transformer: two linear layers in a sequence of its own."""

    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2, 2), nn.GELU(), nn.Linear(2, 2))


class Holder(nn.Module):
    """Holds modules by name."""

    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            setattr(self, name, module)


class Encoder(Holder):
    """Another class than what holds it."""


def test_blocks_open_an_encoder_but_not_its_layers_and_end_with_all_heads():
    layers = nn.ModuleList([Layer(), Layer()])
    base = Encoder(embed=nn.Linear(3, 2), encoder=Holder(layers=layers), norm=nn.LayerNorm(2))
    net = Holder(base=base, first=nn.Linear(2, 2), second=nn.Linear(2, 2))
    model = PretrainedNet(net, (net.first, net.second), None, None, None, True)
    assert [names(part, model.net) for part in blocks(model)] == [
        ["base.embed"],
        ["base.encoder.layers.0"],
        ["base.encoder.layers.1", "base.norm"],
        ["first", "second"],
    ]


def test_blocks_with_branches_that_stand_side_by_side_are_not_opened():
    branches = [Holder(branch=nn.Sequential(Layer(), Layer())) for _ in "ab"]
    net = Holder(first=branches[0], second=branches[1], head=nn.Linear(2, 2))
    model = PretrainedNet(net, (net.head,), None, None, None, True)
    assert [names(part, model.net) for part in blocks(model)] == [["first"], ["second"], ["head"]]


def test_blocks_of_a_convolutional_net(files):
    model = Torchvision((1, 8, 8), 5, "small")
    assert [names(part, model.net)[0] for part in blocks(model)] == ["stem", "stages.0.0", "stages.1.0", "head.2"]
    assert names(blocks(model)[-2], model.net)[-1] == "head.1"


@pytest.mark.parametrize("library", KINDS)
def test_the_library_itself(library):
    try:
        import_module(library)
    except Exception as error:
        pytest.skip(f"{library}: {error}")
    model = KINDS[library]((1, 32, 32), 7, "resnet18")
    assert model(torch.rand(2, 1, 32, 32)).shape == (2, 7)
    assert [names(part, model.net)[0] for part in blocks(model)][-2:] == ["layer4.1", "fc"]
    with pytest.raises(ConfigError, match="did you mean 'resnet18'"):
        KINDS[library]((1, 32, 32), 7, "resnet19")


def test_whatever_a_library_raises_of_its_weights_is_one_line():
    with pytest.raises(ConfigError) as error, reading("default", "weights.pth"):
        raise RuntimeError("Weights only load failed.\n\t(1) try this\n\t(2) or that")
    assert str(error.value) == "model.weights = 'default': weights.pth cannot be read (Weights only load failed.)"
