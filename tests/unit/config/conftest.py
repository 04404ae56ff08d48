"""A user's own folder of options, with the package they name."""

import sys
import textwrap

import pytest

from hpsearch.config.compose import compose

FILES = {
    "model/my_net.yaml": "_target_: my_net_package.Net\n_partial_: true\nwidth: 8\n",
    "data/my_data.yaml": "_target_: my_net_package.Data\nbatch_size: 32\nname: ${model.width}-wide\n",
    "extra/one.yaml": "level: 1\n",
    "study/my_study.yaml": """\
        # @package _global_
        defaults:
          - override /model: my_net
          - _self_
        study:
          question: How wide?
          seeds: 2
        trainer:
          epochs: 3
        space:
          model.width: choice(4, 8, 16)
          optimizer:
            lr: tag(log, interval(1e-3, 1))
          optimizer=adam:
            optimizer.eps: choice(1e-8, 1e-4)
        """,
    "study/groups.yaml": """\
        # @package _global_
        study:
          seeds: 1
        space:
          model: choice(mlp, lenet)
          model=lenet:
            model.kernel_size: choice(3, 5)
            scheduler=cosine:
              scheduler.min_factor: choice(0, 0.001)
          regularizer: choice(none, [l2])
        """,
    "plugins.yaml": "plugins: [my_net_package]\n",
}
PACKAGE = """
from torch import nn

class Net(nn.Module):
    def __init__(self, in_shape, num_outputs, width):
        super().__init__()
        if width > 100:
            raise ValueError("too wide\\nby far")
        self.shape = (in_shape, num_outputs, width)

def make_net(in_shape, num_outputs, width) -> nn.Module:
    return Net(in_shape, num_outputs, width)

def forgotten(in_shape, num_outputs, width):
    return Net(in_shape, num_outputs, width)

def liar(in_shape, num_outputs) -> "NoSuchName":
    return Net(in_shape, num_outputs, 1)

from pickle import loads

class Huge(nn.Module):
    def __init__(self, in_shape, num_outputs):
        raise MemoryError("no room")

class Bare(nn.Module):
    def __init__(self):
        super().__init__()
"""


@pytest.fixture(scope="session")
def my_conf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user") / "my conf"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text))
    return folder


@pytest.fixture
def my_package(tmp_path, monkeypatch):
    def write(source=PACKAGE):
        (tmp_path / "my_net_package.py").write_text(source)

    write()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_net_package", raising=False)
    yield write
    sys.modules.pop("my_net_package", None)


@pytest.fixture(scope="session")
def sweep():
    return compose(["+study=lr_sweep"])


@pytest.fixture(scope="session")
def mine(my_conf):
    return compose(["+study=my_study"], [my_conf])


@pytest.fixture(scope="session")
def every_key():
    """Every dotted key of every option in our folder."""
    from omegaconf import OmegaConf

    from hpsearch.base.plain import flatten
    from hpsearch.config.groups import CONF
    from hpsearch.config.words import STUDY_KEYS

    keys = {f"study.{name}" for name in STUDY_KEYS} | set(
        flatten(OmegaConf.to_container(OmegaConf.load(CONF / "config.yaml")))
    )
    for file in CONF.rglob("*.yaml"):
        content = OmegaConf.to_container(OmegaConf.load(file))
        group = file.parent.relative_to(CONF).as_posix()
        package = f"{group}.{file.stem}" if f"@package {group}.{file.stem}" in file.read_text() else group
        keys |= {f"{package}.{key}" for key in flatten(content)}
    return keys
