import math

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.base.rng import address
from hpsearch.data.augment import Range, augment, uniform, values_of
from hpsearch.data.colour import ColourJitter, Erasing
from hpsearch.data.geometry import Crop, Flip, ResizedCrop, Rotation
from hpsearch.data.part import Split

UNIT = Range(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
ALL = {
    "flip": Flip(),
    "crop": Crop(padding=2),
    "resized_crop": ResizedCrop(scale=(0.3, 1.0)),
    "rotation": Rotation(degrees=30.0),
    "colour_jitter": ColourJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    "erasing": Erasing(),
}


def images(n=12, channels=3, height=8, width=8, seed=0):
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(seed))


def u(*values):
    return torch.tensor([values])


def slow_mix(x):
    x ^= x >> 16
    x = x * 0x7FEB352D & 0xFFFFFFFF
    x ^= x >> 15
    x = x * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


def test_uniform_numbers_equal_a_slow_computation():
    key = (address(5, "augment", "flip", 3) & 0xFFFFFFFF) - 2**31
    drawn = uniform(torch.tensor([4, 0, 70_000]), 3, key)
    for place, row in enumerate((4, 0, 70_000)):
        for j in range(3):
            bits = slow_mix((row * 3 + j) ^ slow_mix(key & 0xFFFFFFFF))
            assert drawn[place, j].item() == (bits >> 8) / 2**24


def test_uniform_numbers_are_uniform_and_independent():
    drawn = uniform(torch.arange(50_000), 2, 12345)
    assert drawn.min() >= 0 and drawn.max() < 1
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.005)
    assert drawn.var().item() == pytest.approx(1 / 12, abs=0.002)
    assert abs(torch.corrcoef(drawn.T)[0, 1]) < 0.02
    assert abs(torch.corrcoef(torch.stack((drawn[1:, 0], drawn[:-1, 0])))[0, 1]) < 0.02


def test_what_a_sample_becomes_depends_on_seed_epoch_and_row_alone():
    x, rows = images(), torch.arange(12)
    part = Split(x, torch.zeros(12))
    change = augment(1, ALL, part)
    whole = change(x, rows, 2)
    order = torch.tensor([5, 0, 11, 3])
    torch.testing.assert_close(augment(1, ALL, part)(x[order], order, 2), whole[order], rtol=0, atol=1e-6)
    assert torch.equal(augment(1, ALL, part)(x, rows, 2), whole)
    assert not torch.equal(change(x, rows, 3), whole)
    assert not torch.equal(augment(2, ALL, part)(x, rows, 2), whole)
    assert not torch.equal(
        change(x[:1].repeat(2, 1, 1, 1), rows[:2], 2)[0], change(x[:1].repeat(2, 1, 1, 1), rows[:2], 2)[1]
    )


def test_the_order_of_names_does_not_matter():
    part = Split(images(), torch.zeros(12))
    first, second = augment(1, ALL, part), augment(1, dict(reversed(ALL.items())), part)
    assert list(first.steps) == ["crop", "flip", "resized_crop", "rotation", "colour_jitter", "erasing"]
    assert torch.equal(first(part.x, torch.arange(12), 1), second(part.x, torch.arange(12), 1))


def test_no_augmentation_is_none_and_features_are_refused():
    assert augment(1, {}, Split(images(), torch.zeros(12))) is None
    with pytest.raises(ConfigError, match=r"augment\.flip: needs images, the inputs have shape \(4,\)"):
        augment(1, {"flip": Flip()}, Split(torch.zeros(3, 4), torch.zeros(3)))


@pytest.mark.parametrize("name", ALL)
def test_a_linear_scaling_does_not_change_what_an_augmentation_does(name):
    x = images()
    x[0, :, 0, 0], x[0, :, 0, 1] = 0, 1
    scaled = x * 3 - 1
    rows, y = torch.arange(12), torch.zeros(12)
    plain = augment(1, {name: ALL[name]}, Split(x, y))(x, rows, 1)
    other = augment(1, {name: ALL[name]}, Split(scaled, y))(scaled, rows, 1)
    torch.testing.assert_close(other, plain * 3 - 1, rtol=1e-5, atol=1e-5)
    assert not torch.equal(plain, x)
    assert plain.dtype == x.dtype and plain.shape == x.shape


def test_the_range_is_that_of_each_channel():
    x = images(channels=2) * torch.tensor([1.0, 5.0])[:, None, None]
    values = values_of(Split(x, torch.zeros(12)))
    assert values.black.flatten().tolist() == [x[:, 0].min().item(), x[:, 1].min().item()]
    assert values.white.flatten().tolist() == [x[:, 0].max().item(), x[:, 1].max().item()]


def test_flip_mirrors_where_the_number_is_below_p():
    x = images(3)
    out = Flip(p=0.3).apply(x, torch.tensor([[0.29], [0.3], [0.9]]), UNIT)
    assert torch.equal(out[0], x[0].flip(-1)) and torch.equal(out[1:], x[1:])
    assert torch.equal(Flip(p=1.0).apply(x, torch.rand(3, 1), UNIT), x.flip(-1))


def test_crop_equals_a_slow_shift():
    x = images(40, height=5, width=7)
    draws = torch.rand(40, 2, generator=torch.Generator().manual_seed(1))
    values = Range(torch.full((3, 1, 1), -1.0), UNIT.white)
    out = Crop(padding=3).apply(x, draws, values)
    seen = set()
    for b in range(40):
        down, right = (int(draws[b, axis] * 7) - 3 for axis in range(2))
        seen.add((down, right))
        for i in range(5):
            for j in range(7):
                a, c = i + down, j + right
                want = x[b, :, a, c] if 0 <= a < 5 and 0 <= c < 7 else torch.full((3,), -1.0)
                assert torch.equal(out[b, :, i, j], want)
    assert len(seen) > 20


def test_a_whole_box_is_the_image_itself():
    x = images(height=6, width=9)
    out = ResizedCrop(scale=(1.0, 1.0), ratio=(1.5, 1.5)).apply(x, torch.rand(12, 4), UNIT)
    torch.testing.assert_close(out, x, atol=1e-5, rtol=0)


def test_a_quarter_box_is_that_quarter_stretched():
    x = images(1)
    step = ResizedCrop(scale=(0.25, 0.25), ratio=(1.0, 1.0))
    for top, left in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0)):
        rows, columns = slice(int(4 * top), int(4 * top) + 4), slice(int(4 * left), int(4 * left) + 4)
        want = torch.nn.functional.interpolate(x[:, :, rows, columns], size=(8, 8), mode="bilinear")
        out = step.apply(x, u(0.5, 0.5, top, left), UNIT)
        torch.testing.assert_close(out[:, :, 1:-1, 1:-1], want[:, :, 1:-1, 1:-1], atol=1e-5, rtol=0)


def test_a_quarter_turn_is_rot90():
    x = images(2)
    turned = [Rotation(degrees=90.0).apply(x, torch.full((2, 1), end), UNIT) for end in (0.0, 1.0)]
    quarters = [torch.rot90(x, k, (2, 3)) for k in (1, -1)]
    torch.testing.assert_close(turned[0], quarters[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(turned[1], quarters[1], atol=1e-4, rtol=0)


def test_half_a_turn_of_a_long_image_and_none_at_all():
    x = images(2, height=4, width=9)
    half = Rotation(degrees=180.0).apply(x, torch.ones(2, 1), UNIT)
    torch.testing.assert_close(half, x.flip(2, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(Rotation().apply(x, torch.full((2, 1), 0.5), UNIT), x, atol=1e-5, rtol=0)


def test_a_turn_keeps_lengths_in_a_long_image():
    x = torch.zeros(1, 1, 9, 17)
    x[0, 0, 4, 5:12] = 1  # a bar of 7 pixels
    upright = Rotation(degrees=90.0).apply(x, torch.ones(1, 1), UNIT)
    want = torch.zeros(1, 1, 9, 17)
    want[0, 0, 1:8, 8] = 1
    torch.testing.assert_close(upright, want, atol=1e-4, rtol=0)


def test_colours_equal_a_slow_computation():
    x = images(4, height=3, width=3)
    draws = torch.rand(4, 4, generator=torch.Generator().manual_seed(2))
    out = ColourJitter(brightness=0.5, contrast=0.3, saturation=0.2, hue=0.1).apply(x, draws, UNIT)
    luma = torch.tensor([0.299, 0.587, 0.114])
    for b in range(4):
        factors = [1 - a + draws[b, i] * 2 * a for i, a in enumerate((0.5, 0.3, 0.2))]
        image = (x[b] * factors[0]).clamp(0, 1)
        mean = sum((image[:, i, j] * luma).sum() for i in range(3) for j in range(3)) / 9
        image = (mean + factors[1] * (image - mean)).clamp(0, 1)
        angle = (2 * draws[b, 3] - 1) * 2 * math.pi * 0.1
        k = torch.ones(3) / math.sqrt(3)
        for i in range(3):
            for j in range(3):
                grey = (image[:, i, j] * luma).sum()
                pixel = (grey + factors[2] * (image[:, i, j] - grey)).clamp(0, 1)
                turned = pixel * angle.cos() + torch.linalg.cross(k, pixel) * angle.sin()
                turned = turned + k * (k @ pixel) * (1 - angle.cos())
                torch.testing.assert_close(out[b, :, i, j], turned.clamp(0, 1), atol=1e-6, rtol=1e-5)


def test_a_third_of_a_turn_moves_red_to_green():
    red = torch.zeros(1, 3, 2, 2)
    red[:, 0] = 0.6
    out = ColourJitter(brightness=0, contrast=0, saturation=0, hue=1 / 3).apply(red, u(0, 0, 0, 1.0), UNIT)
    torch.testing.assert_close(out, red.roll(1, 1), atol=1e-6, rtol=0)


def test_grey_images_have_brightness_and_contrast_only():
    x = images(3, channels=1)
    out = ColourJitter(brightness=0, contrast=0, saturation=1.0, hue=0.5).apply(x, torch.rand(3, 4), UNIT)
    torch.testing.assert_close(out, x)
    with pytest.raises(ConfigError, match="the images have 2"):
        ColourJitter().apply(images(3, channels=2), torch.rand(3, 4), UNIT)


def test_erasing_paints_one_box_of_the_area_asked_for():
    x = torch.zeros(300, 3, 20, 30)
    draws = uniform(torch.arange(300), 5, 99)
    out = Erasing(p=0.6, scale=(0.1, 0.2), ratio=(0.5, 2.0), shade=1.0).apply(x, draws, UNIT)
    hit = out.amax((1, 2, 3)) > 0
    assert torch.equal(hit, draws[:, 0] < 0.6)
    for image in out[hit]:
        places = image[0].nonzero()
        (top, left), (bottom, right) = places.amin(0).tolist(), places.amax(0).tolist()
        assert image[:, top : bottom + 1, left : right + 1].min() == 1
        assert len(places) == (bottom - top + 1) * (right - left + 1)
        assert 0.07 < len(places) / 600 < 0.24
        assert 0.3 < (right - left + 1) / (bottom - top + 1) < 3
    starts = torch.stack([image[0].nonzero().amin(0) for image in out[hit]])
    assert starts.amin(0).tolist() == [0, 0]


def test_the_largest_box_fits_the_image():
    out = Erasing(p=1.0, scale=(1.0, 1.0), ratio=(1.0, 1.0), shade=0.25).apply(images(), torch.rand(12, 5), UNIT)
    assert torch.equal(out, torch.full_like(out, 0.25))


BAD = [
    (Flip, {"p": 1.1}, "augment.flip.p = 1.1"),
    (Crop, {"padding": -1}, "augment.crop.padding = -1"),
    (Crop, {"padding": 1.5}, "augment.crop.padding = 1.5"),
    (ResizedCrop, {"scale": [0.5]}, "augment.resized_crop.scale = [0.5]"),
    (ResizedCrop, {"scale": [0.5, 0.2]}, "augment.resized_crop.scale = [0.5, 0.2]"),
    (ResizedCrop, {"scale": [0.0, 1.0]}, "augment.resized_crop.scale = [0.0, 1.0]"),
    (ResizedCrop, {"ratio": "wide"}, "augment.resized_crop.ratio = 'wide'"),
    (Rotation, {"degrees": 181}, "augment.rotation.degrees = 181"),
    (ColourJitter, {"brightness": -0.1}, "augment.colour_jitter.brightness = -0.1"),
    (ColourJitter, {"hue": 0.6}, "augment.colour_jitter.hue = 0.6"),
    (Erasing, {"p": True}, "augment.erasing.p = True"),
    (Erasing, {"scale": [0.1, 1.1]}, "augment.erasing.scale = [0.1, 1.1]"),
    (Erasing, {"ratio": [math.nan, 1.0]}, "augment.erasing.ratio = [nan, 1.0]"),
    (Erasing, {"shade": 2}, "augment.erasing.shade = 2"),
]


@pytest.mark.parametrize(("kind", "fields", "said"), BAD)
def test_bad_settings_name_the_key_and_the_value(kind, fields, said):
    with pytest.raises(ConfigError) as error:
        kind(**fields)
    assert str(error.value).startswith(f"{said}: must be ")
    assert "\n" not in str(error.value)
