import numpy as np
import torch
from PIL import Image

from hpsearch.data.augment import augment
from hpsearch.data.geometry import Crop, Flip
from hpsearch.data.part import Split
from hpsearch.data.picture import EPOCHS, FILE, SAMPLES, draw, draw_once

TILE = 48 + 2


def part(channels=1, n=20):
    x = torch.rand(n, channels, 6, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return Split(x, torch.arange(n))


def test_rows_are_samples_and_columns_are_epochs():
    train = part()
    change = augment(3, {"flip": Flip(), "crop": Crop(padding=1)}, train)
    picture = draw(change, train)
    assert picture.shape == (1, SAMPLES * TILE, (EPOCHS + 1) * TILE)
    low, high = train.x.min(), train.x.max()
    rows = torch.linspace(0, 19, SAMPLES).long()
    for place, row in enumerate(rows):
        for epoch in range(EPOCHS + 1):
            tile = picture[0, place * TILE : (place + 1) * TILE, epoch * TILE : (epoch + 1) * TILE][1:-1:8, 1:-1:8]
            image = train.x[row : row + 1]
            image = change(image, row[None], epoch) if epoch else image
            assert torch.equal(tile, ((image[0, 0] - low) / (high - low) * 255).round().to(torch.uint8))


def test_colour_images_stay_colour_and_other_channels_show_the_first():
    for channels, shown in ((3, 3), (2, 1)):
        train = part(channels, n=3)
        picture = draw(augment(0, {"flip": Flip()}, train), train)
        assert picture.shape == (shown, 3 * TILE, (EPOCHS + 1) * TILE)


def test_one_replicate_of_a_point_draws_and_does_so_again_after_a_retry(tmp_path):
    train = part()
    change = augment(0, {"flip": Flip()}, train)
    assert draw_once(None, train, tmp_path / "4-0-0", 4) == ()
    assert not list(tmp_path.iterdir())
    assert draw_once(change, train, tmp_path / "4-0-0", 4) == (FILE,)
    assert draw_once(change, train, tmp_path / "4-1-0", 4) == ()
    assert draw_once(change, train, tmp_path / "4-0-0", 4) == (FILE,)
    assert draw_once(change, train, tmp_path / "5-1-0", 5) == (FILE,)
    assert sorted(p.parent.name for p in tmp_path.glob(f"*/{FILE}")) == ["4-0-0", "5-1-0"]
    assert draw_once(change, train, tmp_path / "elsewhere" / "tmpab12", 5) == (FILE,)
    assert [p.name for p in (tmp_path / "elsewhere").iterdir()] == ["tmpab12"]
    with Image.open(tmp_path / "4-0-0" / FILE) as image:
        assert np.array_equal(np.asarray(image), draw(change, train)[0].numpy())
