import gzip
import hashlib
import struct
import threading
from dataclasses import dataclass
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import torch

from hpsearch.base.errors import ConfigError, DataError
from hpsearch.data.mnist import MNIST, FashionMNIST, IdxImages

SYSTEM = Path("/usr/share/datasets/fashion-mnist")


def encode(array):
    return struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()


def write(folder, suffix=".gz", train=200, labels=None, test=50):
    """Write four files of 6x6 images whose first pixel is the class."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, n in (("train", train), ("t10k", test)):
        y = np.arange(n, dtype=np.uint8) % 10
        x = np.random.default_rng(n).integers(0, 256, (n, 6, 6)).astype(np.uint8)
        x[:, 0, 0] = y
        y = y[: labels if part == "train" else None]
        for stem, array in ((f"{part}-images-idx3-ubyte", x), (f"{part}-labels-idx1-ubyte", y)):
            content = encode(array)
            (folder / f"{stem}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty working folder, an empty cache and no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path


@pytest.mark.parametrize("source", [MNIST, FashionMNIST])
@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("layout", [".", "{name}/raw"])
@pytest.mark.parametrize("given", [True, False])
def test_files_are_found(home, source, suffix, layout, given):
    root = home / "files" if given else home / "data"
    write(root / layout.format(name=source.torchvision_name), suffix)
    splits = source(root=str(root) if given else None, scaling="none").load(test=True)
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [180, 20, 50]
    assert splits.in_shape == (1, 6, 6) and splits.num_outputs == 10
    for part in (splits.train, splits.valid, splits.test):
        assert torch.equal(part.x[:, 0, 0, 0].long(), part.y)


def test_a_home_folder_is_expanded(home, monkeypatch):
    monkeypatch.setenv("HOME", str(home))
    write(home / "images")
    assert len(MNIST(root="~/images").load().train) == 180


def test_the_test_files_are_not_opened_by_a_search(home):
    folder = write(home / "files")
    for file in folder.glob("t10k*"):
        file.write_bytes(b"broken")
    source = MNIST(root=str(folder))
    assert len(source.load().train) == 180
    with pytest.raises(DataError, match="t10k-images"):
        source.load(test=True)
    for file in folder.glob("t10k*"):
        file.unlink()
    assert source.load().test is None


def test_a_given_folder_without_the_files_says_where_it_looked(home):
    write(home / "data")
    (home / "empty").mkdir()
    for root, folders in (("empty", "empty, empty/MNIST/raw (no such folder)"), ("gone", "gone (no such folder)")):
        with pytest.raises(DataError) as error:
            MNIST(root=root).load()
        assert f"data.root = '{root}': no train-images-idx3-ubyte and train-labels-idx1-ubyte" in str(error.value)
        assert folders in str(error.value)
        assert "\n" not in str(error.value)


def test_images_without_their_labels_are_not_enough(home):
    folder = write(home / "files")
    (folder / "train-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="no train-images-idx3-ubyte and train-labels-idx1-ubyte"):
        MNIST(root=str(folder)).load()


def test_images_and_labels_of_different_length(home):
    write(home / "files", labels=150)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz has 200 images, but .*gz has 150 labels"):
        MNIST(root=str(home / "files")).load()


@pytest.mark.parametrize("root", ["", 3, True, ["data"]])
def test_a_root_that_is_no_folder(root):
    with pytest.raises(ConfigError, match=r"data.root = .*: must be a folder or null"):
        MNIST(root=root)


def test_without_files_and_network_there_is_one_clear_line(home, monkeypatch):
    monkeypatch.setattr(MNIST, "debian_name", "not-installed")
    with pytest.raises(DataError) as error:
        MNIST().load()
    text = str(error.value)
    assert text.startswith("MNIST: no train-images-idx3-ubyte and train-labels-idx1-ubyte (or .gz) in data (no such")
    assert f"download of {MNIST.url}train-images-idx3-ubyte.gz failed (ProxyError); data.root names their" in text
    assert "\n" not in text


@pytest.fixture
def server(tmp_path):
    asked = []

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    folder = write(tmp_path / "served")
    with HTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{httpd.server_port}/", asked
        httpd.shutdown()
        thread.join()


def remote(folder, url):
    @dataclass(frozen=True, kw_only=True)
    class Remote(IdxImages):
        torchvision_name = "Remote"
        debian_name = "remote"
        class_names = tuple("0123456789")

    Remote.url = url
    Remote.sha256 = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    return Remote


def test_files_are_downloaded_once(home, server):
    folder, url, asked = server
    source = remote(folder, url)()
    first, second = source.load(), source.load()
    assert len(first.train) == 180 and first.digest == second.digest
    assert asked == ["/train-images-idx3-ubyte.gz", "/train-labels-idx1-ubyte.gz"]
    assert (home / "cache" / "hpsearch" / "remote" / "train-images-idx3-ubyte.gz").is_file()


def test_a_download_that_is_not_what_it_should_be_is_refused(home, server):
    folder, url, _ = server
    source = remote(folder, url)()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"something else")
    with pytest.raises(DataError, match="SHA256 hash") as error:
        source.load()
    assert "\n" not in str(error.value)
    assert not (home / "cache" / "hpsearch" / "remote" / "train-images-idx3-ubyte.gz").exists()


@pytest.mark.skipif(not SYSTEM.is_dir(), reason="the files of Fashion-MNIST are not installed")
def test_the_real_fashion_mnist(home):
    splits = FashionMNIST().load(test=True)
    assert [len(part) for part in (splits.train, splits.valid, splits.test)] == [54_000, 6_000, 10_000]
    assert splits.in_shape == (1, 28, 28)
    assert splits.train.y.bincount().tolist() == [5_400] * 10
    assert abs(splits.train.x.mean() - 0.286) < 0.002
    raw = FashionMNIST(scaling="none").load()
    assert torch.equal(raw.train.x / 255, splits.train.x)
