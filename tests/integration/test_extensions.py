"""Whoever adds a model, an optimizer, a metric, a sampler or a launcher writes one file and one YAML, no more."""

import sys
import textwrap

import pytest

import hpsearch
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import TrialState
from hpsearch.config.compose import compose
from hpsearch.search.extension import Extension, Ranges
from hpsearch.study.plan import plan_search
from hpsearch.trial.build import objective_of

PACKAGE = "my_extensions"
CODE = {
    "model": """
        from torch import nn

        class Wide(nn.Module):
            def __init__(self, in_shape, num_outputs, width, dropout):
                super().__init__()
                size = in_shape[0] * in_shape[1] * in_shape[2]
                self.net = nn.Sequential(nn.Flatten(), nn.Linear(size, width), nn.ReLU(), nn.Linear(width, num_outputs))

            def forward(self, x):
                return self.net(x)
        """,
    "optimizer": """
        from torch.optim import SGD

        class Scaled(SGD):
            def __init__(self, params, lr, alpha, betas):
                if alpha > 2:
                    raise ValueError(f"alpha is {alpha}, at most 2")
                super().__init__(params, lr=alpha * lr)
        """,
    "metric": """
        import torch

        class ErrorRate(torch.nn.Module):
            '''The interface of a metric of torchmetrics, by hand.'''

            higher_is_better = False
            plot_lower_bound, plot_upper_bound = 0.0, 1.0

            def __init__(self, num_classes):
                super().__init__()
                self.num_classes = num_classes
                self.reset()

            def update(self, preds, target):
                assert preds.shape[1] == self.num_classes
                self.wrong += (preds.argmax(1) != target).sum()
                self.count += len(target)

            def compute(self):
                return self.wrong / self.count

            def reset(self):
                self.wrong, self.count = torch.tensor(0), 0
        """,
    "sampler": """
        from optuna.samplers import RandomSampler

        class Lowest(RandomSampler):
            '''Proposes the low end of every range, then at random.'''

            def sample_independent(self, study, trial, name, distribution):
                if trial.number == 0 and hasattr(distribution, "low"):
                    return distribution.low
                return super().sample_independent(study, trial, name, distribution)
        """,
    "launcher": """
        from hpsearch.launch.inline import InlineLauncher

        class Counting(InlineLauncher):
            submitted = 0

            def __init__(self):
                super().__init__()

            def submit(self, slot, specs):
                Counting.submitted += 1
                super().submit(slot, specs)
        """,
    "trainer": """
        def train(epochs, test):
            for epoch in range(3):
                yield {"valid/acc": epoch / 3}
        """,
}
OPTIONS = {
    "model/wide.yaml": "_target_: my_extensions.model.Wide\n_partial_: true\nwidth: 8\ndropout: 2\n",
    "optimizer/scaled.yaml": """
        _target_: my_extensions.optimizer.Scaled
        _partial_: true
        lr: 0.1
        alpha: 1.5
        betas: 3
        """,
    "metric/error.yaml": "# @package metric.error\n_target_: my_extensions.metric.ErrorRate\nnum_classes: 10\n",
    "sampler/lowest.yaml": "_target_: my_extensions.sampler.Lowest\n",
    "launcher/counting.yaml": "_target_: my_extensions.launcher.Counting\n",
    "trainer/mine.yaml": """
        # @package _global_
        trainer: {_target_: my_extensions.trainer.train}
        args: {epochs: many, test: [a, b]}
        """,
    "plugins.yaml": "plugins: [my_extensions]\n",
}
TINY = ("data.train_size=100", "trainer.epochs=2", "trainer.device=cpu", "tracker=none")
SEARCH = (
    *TINY,
    "+study=search",
    "storage=memory",
    "study.seeds=1",
    "pruner=none",
    "launcher=inline",
    "budget.points=3",
)


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """A user's folder of options beside a package of theirs; nothing of ours is changed."""
    package = tmp_path / PACKAGE
    package.mkdir()
    (package / "__init__.py").touch()
    for name, code in CODE.items():
        (package / f"{name}.py").write_text(textwrap.dedent(code))
    for name, text in OPTIONS.items():
        file = tmp_path / "conf" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "conf"
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def trained(conf, *words):
    outcome = hpsearch.run_trial((*TINY, "launcher=inline", *words), config_dirs=[conf])
    assert outcome.state is TrialState.COMPLETE, outcome.reason
    return outcome.metrics


def test_a_model(conf):
    assert trained(conf, "model=wide", "model.width=4")["valid/loss"] > 0


def test_an_optimizer_whose_arguments_mean_something_else(conf):
    assert trained(conf, "optimizer=scaled")["train/loss"] > 0
    with pytest.raises(ConfigError, match=r"alpha is 2\.5, at most 2"):
        trained(conf, "optimizer=scaled", "optimizer.alpha=2.5")


def test_a_metric(conf):
    metrics = trained(conf, "metric=[acc,error]")
    for part in ("train", "valid"):
        assert metrics[f"{part}/error"] == pytest.approx(1 - metrics[f"{part}/acc"])
    with pytest.raises(ConfigError, match=r"metric\.error: does not fit the model's outputs"):
        trained(conf, "metric=error", "metric.error.num_classes=3")


def test_what_a_metric_says_of_its_direction_and_range_is_followed_and_recorded(conf):
    words = ("metric=error", "objective.metric=valid/error", "objective.direction=minimize")
    assert objective_of(compose(words, [conf]).config).share
    metrics = trained(conf, *words, "scheduler=reduce_on_plateau", "scheduler.patience=0", "trainer.epochs=3")
    assert metrics["valid/error"] <= 1
    stopping = ("metric=error", "regularizer=early_stopping", "regularizer.early_stopping.metric=valid/error")
    assert "valid/error" in trained(conf, *stopping)


def test_a_sampler(conf):
    outcome = hpsearch.run_study(
        (*SEARCH, "space.optimizer.lr=tag(log, interval(0.01, 0.1))", "sampler=lowest"), config_dirs=[conf]
    )
    assert outcome.counts[TrialState.COMPLETE] == 3
    rates = hpsearch.load_trials(outcome.name).sort_values("point")["optimizer.lr"].tolist()
    assert rates[0] == pytest.approx(0.01) and all(0.01 < rate <= 0.1 for rate in rates[1:])


def test_a_launcher(conf):
    words = (*SEARCH, "space.optimizer.lr=choice(0.01, 0.1)", "sampler=grid", "launcher=counting")
    outcome = hpsearch.run_study(words, config_dirs=[conf])
    assert outcome.counts[TrialState.COMPLETE] == 2
    from my_extensions.launcher import Counting

    assert Counting.submitted == 2
    again = hpsearch.run_trial((*TINY, "launcher=counting"), config_dirs=[conf])
    assert again.state is TrialState.COMPLETE and Counting.submitted == 3


def test_a_training_loop_whose_arguments_have_the_names_of_ours(conf):
    outcome = hpsearch.run_trial(("trainer=mine", "tracker=none", "launcher=inline"), config_dirs=[conf])
    assert outcome.metrics == {"valid/acc": pytest.approx(2 / 3)}


def test_a_range_is_widened_as_far_as_the_chosen_option_allows(conf):
    """Alpha ends below 1 for torch's RMSprop; of another optimizer nobody knows what the same name means."""
    words = (*SEARCH, "optimizer=rmsprop", "sampler=random")
    search = plan_search(compose((*words, "space.optimizer.alpha=interval(0.5, 0.9)"), [conf]))
    mine = (*SEARCH, "optimizer=scaled", "sampler=random")
    theirs = plan_search(compose((*mine, "space.optimizer.alpha=interval(0.5, 0.9)"), [conf]))
    best = {"optimizer.alpha": 0.9}
    assert [each.new for each in Extension().widenings(search.space, ranges_of(search), best)] == [(0.5, 0.99)]
    assert search.ruled(best) >= {"optimizer.alpha"} and not search.allowed({"optimizer.alpha": 1.0})
    assert Extension().widenings(theirs.space, ranges_of(theirs), best) == []
    (widening,) = Extension(edges=True).widenings(theirs.space, ranges_of(theirs), best)
    assert widening.new[1] > 1


def ranges_of(search):
    return Ranges(search.space, allowed=search.allowed, ruled=search.ruled)
