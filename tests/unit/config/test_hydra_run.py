import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import OmegaConf

from hpsearch.config import hydra_run as module
from hpsearch.config.groups import CONF
from hpsearch.config.hydra_run import hydra_run

WORDS = {
    "nothing": [],
    "options": ["+study=lr_sweep", "model=lenet", "launcher=inline"],
    "a value": ["optimizer.lr=0.5"],
    "the last of two": ["optimizer.lr=0.5", "optimizer.lr=0.25"],
    "options and values": ["trainer.epochs=3", "+study=lr_sweep", "+study.name=a", "model=mlp", "model.hidden=[3,4]"],
    "new keys": ["+args.lr=1", "++args.deep={a: 1}", "++trainer.epochs=4"],
    "a key less": ["+study=lr_sweep", "~space", "+space.optimizer.momentum='choice(0, 0.9)'"],
    "an interpolation": ["args=${optimizer}", "optimizer.lr=${seed}"],
    "several options": ["regularizer=[l2,max_norm]", "regularizer.l2.strength=0.5"],
    "values of Hydra's own": ["hydra.job.name=x", "seed=3"],
    "a new key of Hydra's own": ["+hydra.job.env_set.A=1", "seed=3"],
    "a table for a group": ["model={hidden: [2]}"],
}
REFUSED = {
    "no such key": ["optimizer.nothing=1"],
    "a key that is there": ["+optimizer.lr=1"],
    "no such option": ["model=nothing", "optimizer.nothing=1"],
    "nothing to take out": ["~optimizer.nothing"],
    "a table over a list": ["plugins={a: 1}"],
    "a search": ["optimizer.lr=choice(1, 2)"],
    "no group": ["optimizer.lr@here=1"],
}


def at_once(words):
    """All overrides by a run of Hydra."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), job_name="hpsearch", version_base="1.3"):
        config = compose("config", overrides=words, return_hydra_config=True)
    raw = OmegaConf.to_container(config, resolve=False)
    choices = raw.pop("hydra")["runtime"]["choices"]
    return raw, {group: option for group, option in choices.items() if not group.startswith("hydra/")}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
def test_options_first_and_values_then_are_one_run_of_hydra(words):
    expected = at_once(words)
    for _ in range(2):
        assert hydra_run((), tuple(words), ()) == expected
        hydra_run.cache_clear()


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_hydra_refuses_is_refused_in_its_words(words):
    with pytest.raises(Exception) as expected:
        at_once(words)
    with pytest.raises(type(expected.value)) as error:
        hydra_run((), tuple(words), ())
    assert str(error.value) == str(expected.value)


def test_values_leave_the_kept_options_as_they_were():
    first, _ = hydra_run((), ("model=lenet", "~model.channels", "optimizer.lr=7"), ())
    assert hydra_run((), ("model=lenet",), ()) == at_once(["model=lenet"]) and first["optimizer"]["lr"] == 7


def test_other_values_run_hydra_no_more(monkeypatch):
    hydra_run((), ("model=mlp", "seed=101"), ())
    monkeypatch.setattr(module, "_ours", None)
    monkeypatch.setattr(module, "_with_its_own", None)
    assert hydra_run((), ("seed=102", "model=mlp"), ())[0]["seed"] == 102


@pytest.mark.parametrize("name", ["nothing", "options", "options and values", "several options", "a table for a group"])
def test_options_of_ours_are_chosen_without_hydras_own_configuration(name, monkeypatch):
    module._options_run.cache_clear()
    expected = at_once(WORDS[name])
    monkeypatch.setattr(module, "_with_its_own", None)
    assert hydra_run((), tuple(WORDS[name]), (("other", 1),)) == expected


def test_what_a_file_of_a_user_says_of_hydra_is_heard_by_hydra(tmp_path):
    (tmp_path / "study").mkdir()
    theirs = tmp_path / "study" / "theirs.yaml"
    theirs.write_text("# @package _global_\nseed: 7\nhydra: {job: {name: a}}\n")
    assert hydra_run((tmp_path,), ("+study=theirs",), ())[0] == at_once(["seed=7"])[0]
    theirs.write_text("# @package _global_\nhydra: {searchpath: [file:///nowhere]}\n")
    with pytest.raises(HydraException, match="searchpath is only supported from the primary config"):
        hydra_run((tmp_path,), ("+study=theirs",), (("other", 1),))
