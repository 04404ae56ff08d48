import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.models.vit import ViT
from hpsearch.nn.dropout import Dropout


def test_a_patch_is_a_token_of_its_own():
    model = ViT((2, 8, 12), 3, patch_size=4, size=8, heads=2)
    x = torch.randn(1, 2, 8, 12)
    tokens = model.patches(x).flatten(2).transpose(1, 2)
    assert tokens.shape == (1, 6, 8)
    weight = model.patches.weight.flatten(1)
    for row in range(2):
        for column in range(3):
            patch = x[0, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4].flatten()
            torch.testing.assert_close(tokens[0, 3 * row + column], weight @ patch + model.patches.bias)


def test_only_positions_tell_one_patch_from_another():
    model = ViT((1, 8, 8), 3, size=8, heads=2)
    x = torch.randn(1, 1, 8, 8)
    swapped = torch.cat([x[..., 4:], x[..., :4]], -1)
    assert not torch.allclose(model(x), model(swapped))
    model.positions.data.zero_()
    torch.testing.assert_close(model(x), model(swapped))


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_parameter_count():
    layer = 4 * (64 * 64 + 64) + 2 * (2 * 64) + 64 * 128 + 128 + 128 * 64 + 64
    assert parameters(ViT((1, 28, 28), 10)) == 16 * 64 + 64 + 49 * 64 + 4 * layer + 128 + 650
    assert parameters(ViT((1, 28, 28), 10, attention="additive")) - parameters(ViT((1, 28, 28), 10)) == 4 * (512 + 16)


def test_dropout_is_ours_alone():
    model = ViT((1, 8, 8), 3, dropout=0.1, depth=2)
    assert sum(isinstance(layer, Dropout) for layer in model.modules()) == 1 + 2 * 4
    assert not [layer for layer in model.modules() if type(layer).__module__ == "torch.nn.modules.dropout"]


def test_patches_must_tile_the_image():
    with pytest.raises(ConfigError) as error:
        ViT((1, 28, 28), 10, patch_size=8)
    assert str(error.value) == (
        "model.patch_size = 8: patches must tile the image of 28x28 pixels; 1, 2, 4, 7, 14, 28 do"
    )
    with pytest.raises(ConfigError, match=r"ViT needs images of at least 4x4 pixels"):
        ViT((1, 3, 8), 10)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("patch_size", 0),
        ("size", 0),
        ("depth", 0),
        ("heads", 5),
        ("attention", "sum"),
        ("expansion", 0),
        ("activation", "rely"),
        ("dropout", 1.0),
    ],
)
def test_a_bad_option_is_named(option, value):
    with pytest.raises(ConfigError, match=rf"^model\.{option}"):
        ViT((1, 8, 8), 10, **{option: value})
