"""Pretrained models by name: searched, fine-tuned, replayed; the user writes no line of code."""

import json

import pytest
import torch
from safetensors.torch import load_file

from hpsearch import run_study, run_trial
from hpsearch.base.errors import HpsearchError, StorageError
from hpsearch.base.types import TrialState
from hpsearch.cli import run
from hpsearch.config.compose import compose
from hpsearch.progress.display import Silent
from hpsearch.study.single import replay
from hpsearch.tracking.events import read_trials
from hpsearch.trial.build import preflight, prepare
from hpsearch.trial.loop import train
from tests.support.jobs import drive
from tests.support.vision import CLASSES, install, weights_of

DATA = ("data.train_size=60", "data.batch_size=20", "trainer.epochs=1", "trainer.device=cpu")
RUN = (*DATA, "launcher=inline", "tracker=none", "optimizer.lr=0.05")
SMALL = ("model=torchvision", "model.name=small", "model.weights=default")
VIT = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "image_size": 8,
    "patch_size": 4,
}


class Lines(Silent):
    """Keeps what a person is told."""

    def __init__(self):
        self.said = []

    def line(self, text):
        self.said.append(text)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def weights(here, monkeypatch):
    """The file of the stand-in for torchvision's weights."""
    return install(monkeypatch, here / "cache")[0]


@pytest.fixture
def folder(here):
    """A tiny vision transformer of the real library, as `save_pretrained` writes it, for 4 classes."""
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(1)
    config = transformers.ViTConfig(num_labels=4, **VIT)
    transformers.ViTForImageClassification(config).save_pretrained(here / "tiny")
    known = {"size": {"height": 8, "width": 8}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (here / "tiny" / "preprocessor_config.json").write_text(json.dumps(known))
    return here / "tiny"


def config(*words):
    return compose((*DATA, *words)).trial({}, 4, 0).config


TRAINED = {
    "predict": set(),
    "head": {"head"},
    "last_k": {"head", "stages.1"},
    "all": {"head", "stages.1", "stages.0", "stem"},
    "none": {"head", "stages.1", "stages.0", "stem"},
}


@pytest.mark.parametrize("mode", TRAINED)
def test_every_mode_starts_from_the_weights_and_trains_its_blocks_only(here, monkeypatch, mode):
    install(monkeypatch, here / "cache", classes=10 if mode == "predict" else CLASSES)
    job = prepare(config(*SMALL, f"finetune={mode}"), "key", here / "run")
    wanted, before = weights_of(), {name: value.clone() for name, value in job.model.net.state_dict().items()}
    assert all(torch.equal(value, wanted[name]) for name, value in before.items() if not name.startswith("head"))
    assert len(job.facts["finetune.digest"]) == 16
    _, result = drive(train(job))
    assert result.state is TrialState.COMPLETE
    moved = {name for name, value in job.model.net.state_dict().items() if not torch.equal(value, before[name])}
    assert all(name.startswith(tuple(TRAINED[mode])) for name in moved), moved
    assert all(any(name.startswith(part) for name in moved) for part in TRAINED[mode]), moved


REFUSED = {
    "standardize": (
        ("data.scaling=standardize",),
        r"data.scaling = 'standardize': model.weights = 'default' normalize by",
    ),
    "raw": (("data.scaling=none",), r"data.scaling = 'none': .* and the inputs go from 0 to 16: use minmax"),
    "init": (("init=he_normal",), "init: would draw over model.weights = 'default'; use init=default"),
    "head": (("finetune=predict",), "finetune=predict: model.weights has no head for these classes"),
    "fresh": (("finetune=predict", "finetune.fresh_head=true"), "finetune=predict trains nothing"),
    "k": (("finetune=last_k", "finetune.k=9"), "finetune.k = 9: the model has 3 blocks in front of its head"),
    "table": (("data=wine",), "takes images of 1 or 3 channels"),
    "name": (("model.name=smal",), "did you mean 'small'"),
    "number": (("model.size=0",), "model.size = 0: must be a whole number >= 1"),
    "random": (("model.weights=null", "finetune=head"), "finetune.source = null: .* or from model.weights"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_go_together_is_refused_in_one_line(weights, case):
    words, message = REFUSED[case]
    with pytest.raises(HpsearchError, match=message) as error:
        preflight(config(*SMALL, *words))
    assert error.value.exit_code == 2 and "\n" not in str(error.value)


def test_a_file_that_is_missing_is_named_before_anything_is_created(weights, here):
    weights.unlink()
    with pytest.raises(HpsearchError, match=f"put it at {weights}, or let it be fetched, model.download=true") as error:
        run_trial([*RUN, *SMALL])
    assert error.value.exit_code == 2 and not (here / "studies").exists()


def test_a_head_of_fitting_shape_starts_afresh_by_the_seed_where_that_is_asked_for(here, monkeypatch):
    install(monkeypatch, here / "cache", classes=10)
    words, again = (*SMALL, "finetune=head"), "finetune.fresh_head=true"
    kept, first, second = (prepare(config(*words, *more)).model.net.head[2].weight for more in ((), (again,), (again,)))
    assert torch.equal(kept, weights_of(classes=10)["head.2.weight"])
    assert torch.equal(first, second) and not torch.equal(kept, first)


def test_a_checkpoint_of_an_earlier_trial_goes_before_the_weights(weights, here):
    first = run_trial([*RUN, *SMALL])
    model = prepare(config(*SMALL, "finetune=head", "finetune.source=x"), source=str(best(here))).model
    assert torch.equal(model.net.stem.weight, load_file(best(here))["net.stem.weight"])
    assert first.run == "single/0/0" and not torch.equal(model.net.stem.weight, weights_of()["stem.weight"])


def best(here):
    return here / "studies" / "single" / "trials" / "0-0-0" / "best.safetensors"


def test_a_trial_is_replayed_and_a_change_of_its_weights_is_said(weights, here):
    first = run_trial([*RUN, "model=timm", "model.name=small", "model.weights=first", "finetune=head"])
    (record,) = read_trials(here / "studies" / "single")
    assert len(record.facts["finetune.digest"]) == 16
    assert replay(first.run, overrides=["launcher=inline", "tracker=none"]).same
    torch.save(weights_of(seed=8), weights.parent / "small.pth")
    lines = Lines()
    assert not replay(first.run, overrides=["launcher=inline", "tracker=none"], observer=lines).same
    assert any("(model.weights " in line and "digest" in line for line in lines.said), lines.said


def test_names_and_weights_are_searched_and_a_change_of_the_weights_is_refused(weights, here, monkeypatch):
    monkeypatch.setattr("hpsearch.study.search.write_search_report", lambda _table, folder: folder / "report.html")
    space = ("space.model.name=choice(small, smaller)", "space.model.weights=choice(null, default)")
    words = ["+study=search", *RUN, "model=timm", "sampler=grid", "study.confirm=0", "study.name=names", *space]
    assert run_study(words).counts == {TrialState.COMPLETE: 4}
    trials = read_trials(here / "studies" / "names")
    started = [(each.params["model.weights"], "finetune.digest" in each.facts) for each in trials]
    assert sorted(started, key=str) == [("default", True), ("default", True), (None, False), (None, False)]
    torch.save(weights_of(seed=8), weights.parent / "small.pth")
    with pytest.raises(StorageError, match=r"changed since 2 trials were trained \(model.weights .*digest"):
        run_study([*words, "study.grow=names", "space.trainer.clip_norm=choice(null, 1)"])


def test_a_model_of_transformers_starts_from_a_folder(folder):
    words = ("model=transformers", f"model.name={folder}", "model.weights=default")
    job = prepare(config(*words, "finetune=last_k", "data.classes=[0,1,2,3]"))
    source = pytest.importorskip("transformers").ViTForImageClassification.from_pretrained(folder)
    wanted, own = source.state_dict(), job.model.net.state_dict()
    assert own.keys() == wanted.keys() and all(torch.equal(own[name], value) for name, value in wanted.items())
    trained = {name for name, parameter in job.model.net.named_parameters() if parameter.requires_grad}
    assert trained == {name for name in own if name.startswith(("vit.layers.1", "vit.layernorm", "classifier"))}
    assert prepare(config(*words)).model.fresh_head and not job.model.fresh_head
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(HpsearchError, match=r"preprocessor_config.json of .* is missing: put it at .*config.json$"):
        preflight(config(*words))


@pytest.mark.long
def test_a_model_of_transformers_is_tuned_in_workers_by_words_alone(folder, here, capsys):
    words = ["+study=search", *DATA, "tracker=none", "launcher.workers=1", "model=transformers", f"model.name={folder}"]
    words += ["model.weights=default", "space.finetune=choice(head, last_k)", "sampler=grid"]
    assert run(words) == 0
