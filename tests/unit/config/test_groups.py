"""Groups, options and folders, read without Hydra."""

import subprocess
import sys

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.config.groups import CONF, checked_folders, describe_groups, option_file, read_plugins


def test_every_group_and_option_is_listed(my_conf):
    groups = describe_groups([my_conf])
    assert groups["optimizer"] == tuple(sorted(p.stem for p in (CONF / "optimizer").glob("*.yaml")))
    assert "my_net" in groups["model"] and "mlp" in groups["model"]
    assert groups["extra"] == ("one",)
    assert "." not in groups and "plugins" not in str(groups)


def test_options_are_found_in_both_places(my_conf):
    assert option_file("model", "mlp", [my_conf]) == CONF / "model" / "mlp.yaml"
    assert option_file("model", "my_net", [my_conf]) == my_conf / "model" / "my_net.yaml"
    assert option_file("model", "nope", [my_conf]) is None


def test_listing_groups_loads_nothing_heavy():
    code = (
        "import sys; from hpsearch.config.groups import describe_groups; describe_groups();"
        "print([name for name in ('hydra', 'omegaconf', 'torch', 'optuna', 'mlflow') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CONF.parent)
    assert out.stdout.strip() == "[]"


def test_composing_and_checking_loads_no_torch():
    code = (
        "import sys; from hpsearch.config.compose import compose; from hpsearch.search.space import Space;"
        "c = compose(['+study=lr_sweep']); s = Space.parse(c.space, c.where); c.check_space(s.ends());"
        "c.trial({'optimizer.lr': 0.1}, 0);"
        "print([name for name in ('torch', 'mlflow', 'plotly', 'pandas', 'ray') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CONF.parent)
    assert out.stdout.strip() == "[]"


def test_a_users_option_with_a_name_of_ours_names_both_files(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mlp.yaml").write_text("_target_: x.y\n")
    with pytest.raises(ConfigError) as error:
        checked_folders([tmp_path])
    assert str(tmp_path / "model" / "mlp.yaml") in str(error.value)
    assert str(CONF / "model" / "mlp.yaml") in str(error.value)


def test_two_folders_may_not_share_a_name(tmp_path, my_conf):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "my_net.yaml").write_text("_target_: x.y\n")
    with pytest.raises(ConfigError, match=r"my_net\.yaml has the name of"):
        checked_folders([my_conf, tmp_path])
    assert checked_folders([my_conf, my_conf]) == (my_conf,)


def test_a_missing_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"--config-dir .*nope: no such folder"):
        checked_folders([tmp_path / "nope"])


def test_plugins_are_read(my_conf, tmp_path):
    assert read_plugins([my_conf, tmp_path]) == ("my_net_package",)


@pytest.mark.parametrize(
    "text",
    [
        *("[a]", "plugins: a", "plugins: [1]", "other: [a]", "plugins: [a]\nx: 1", "a: [", "{}", ""),
        *("plugins: !!int x", "[" * 3000, "plugins: [a]\nplugins: [b]"),
    ],
)
def test_a_malformed_plugins_file(tmp_path, text):
    (tmp_path / "plugins.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        read_plugins([tmp_path])
    assert str(tmp_path / "plugins.yaml") in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_a_byte_order_mark_is_refused_in_one_line(tmp_path, mark):
    file = tmp_path / "study" / "mine.yaml"
    file.parent.mkdir()
    file.write_bytes(mark + b"# @package _global_\n")
    with pytest.raises(ConfigError) as error:
        checked_folders([tmp_path])
    assert str(error.value) == f"{file}: begins with a byte-order mark; save it as UTF-8 without one"
