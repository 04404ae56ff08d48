"""What every training loop promises."""

import math
from functools import partial

import pytest
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from hpsearch.base.types import Decision, Report, Started, TrialRun, TrialState
from hpsearch.metrics.auroc import Auroc
from hpsearch.metrics.f1_macro import F1Macro
from hpsearch.metrics.top_k import TopK
from hpsearch.optim.adam import Adam
from hpsearch.optim.lion import Lion
from hpsearch.optim.sgd import SGD
from hpsearch.regularizers import EMA, SWA, EarlyStopping, ElasticNet, MaxNorm, Mixup
from hpsearch.schedules.plateau import Plateau
from hpsearch.trial import checkpoint
from hpsearch.trial.loop import Job, train
from tests.support.fused import beside
from tests.support.jobs import at, curve, drive, make_job, make_splits, same_weights, weights

LONG = pytest.mark.long
OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "momentum, the rate inside": lambda p: SGD(p, lr=0.1, momentum=0.9, form="inside"),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "adam, uncorrected": lambda p: Adam(p, lr=0.1, bias_correction=False),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
    "lion": lambda p: Lion(p, lr=0.01),
}

PLATEAU = partial(ReduceLROnPlateau, mode="max", factor=0.3, patience=0, threshold=0.2)
EXTRAS = {
    "plateau": {"more": {"plateau": Plateau(PLATEAU, 0.1, "valid/acc")}},
    "early stopping": {"more": {"early_stopping": EarlyStopping(patience=2, min_delta=0.2)}},
    "mixup": {"more": {"mixing": Mixup(alpha=1.0)}},
    "max-norm": {"more": {"constraints": (MaxNorm(limit=0.4),)}},
    "balanced sampling": {"more": {"sampling": "balanced"}},
    "EMA": {"more": {"averaging": EMA(epochs=0.5)}},
    "SWA": {"more": {"averaging": SWA(start=2)}},
    "elastic net": {"regularizers": {"elastic_net": ElasticNet(strength=0.01)}},
    "whole metrics": {"metrics": {"f1_macro": F1Macro(), "auroc": Auroc(), "top_k": TopK(2)}},
}
"""What a trial may carry besides an optimizer, as arguments of `make_job`."""


class TrainLoopContract:
    """Inherit it, and implement `start`: begin one trial."""

    def start(self, job: Job) -> TrialRun:
        raise NotImplementedError

    def test_messages_are_started_then_one_report_per_epoch(self, tmp_path):
        messages, result = drive(self.start(make_job(tmp_path, epochs=3)))
        started, *reports = messages
        assert isinstance(started, Started)
        assert started.epoch is None
        assert started.facts["parameters"] == (6 + 1) * 8 + (8 + 1) * 3
        assert [(r.epoch, r.step) for r in reports] == [(0, 0), (1, 6), (2, 12), (3, 18)]
        assert result.state is TrialState.COMPLETE
        assert set(reports[0].metrics) == {"valid/loss", "valid/acc"}
        wanted = {"train/loss", "train/acc", "valid/loss", "valid/acc"}
        wanted |= {"lr", "grad_norm", "update_ratio", "epoch_sec", "samples_per_sec"}
        assert set(reports[1].metrics) >= wanted

    def test_epoch_0_can_be_left_out(self, tmp_path):
        messages, _ = drive(self.start(make_job(tmp_path, epochs=2, eval_initial=False)))
        assert [m.epoch for m in messages[1:]] == [1, 2]

    def test_training_learns(self, tmp_path):
        messages, _ = drive(self.start(make_job(tmp_path, epochs=20)))
        first, last = messages[1].metrics, messages[-1].metrics
        assert last["valid/acc"] > first["valid/acc"] + 0.2
        assert last["train/loss"] < 0.6 * first["valid/loss"]

    @pytest.mark.parametrize("dropout", [0.0, 0.4])
    def test_same_seed_gives_the_same_trial_bit_for_bit(self, tmp_path, dropout):
        jobs = [make_job(tmp_path / str(i), dropout=dropout) for i in range(2)]
        first, _ = drive(self.start(jobs[0]))
        torch.rand(7)  # what others draw does not matter
        second, _ = drive(self.start(jobs[1]))
        assert curve(first) == curve(second)
        assert same_weights(weights(jobs[0]), weights(jobs[1]))

    def test_another_seed_gives_another_trial(self, tmp_path):
        first, _ = drive(self.start(make_job(tmp_path / "a", seed=1)))
        second, _ = drive(self.start(make_job(tmp_path / "b", seed=2)))
        assert curve(first) != curve(second)

    def test_stop_prunes(self, tmp_path):
        messages, result = drive(self.start(make_job(tmp_path, epochs=5)), at(2, Decision.STOP))
        assert messages[-1].epoch == 2
        assert (result.state, result.reason) == (TrialState.PRUNED, "stopped after epoch 2")
        assert not (tmp_path / checkpoint.LAST).exists()
        assert (tmp_path / checkpoint.BEST).exists()

    def test_a_decision_on_the_last_epoch_comes_too_late(self, tmp_path):
        for decision in (Decision.STOP, Decision.PAUSE):
            _, result = drive(self.start(make_job(tmp_path, epochs=2)), at(2, decision))
            assert result.state is TrialState.COMPLETE

    @pytest.mark.parametrize("optimizer", OPTIMIZERS)
    @pytest.mark.parametrize(
        "paused_at", [pytest.param(0, marks=LONG), pytest.param(1, marks=LONG), 2, pytest.param(3, marks=LONG)]
    )
    def test_a_paused_trial_goes_on_bit_for_bit(self, tmp_path, optimizer, paused_at):
        def job(name):
            return make_job(tmp_path / name, epochs=4, dropout=0.3, make_optimizer=OPTIMIZERS[optimizer])

        whole_job = job("whole")
        whole, _ = drive(self.start(whole_job))
        before, result = drive(self.start(job("paused")), at(paused_at, Decision.PAUSE))
        assert result.state is TrialState.PAUSED
        assert before[-1].epoch == paused_at
        resumed = job("paused")
        after, result = drive(self.start(resumed))
        assert after[0].epoch == paused_at
        assert after[1 : paused_at + 2] == before[1:]  # the reports so far come again, times included
        assert curve(after) == curve(whole)
        assert same_weights(weights(resumed), weights(whole_job))
        assert result.state is TrialState.COMPLETE
        assert not (tmp_path / "paused" / checkpoint.LAST).exists()

    @pytest.mark.parametrize("extra", EXTRAS)
    @pytest.mark.parametrize(
        "paused_at", [pytest.param(1, marks=LONG), 2, pytest.param(3, marks=LONG), pytest.param(4, marks=LONG)]
    )
    def test_what_else_it_carries_goes_on_bit_for_bit(self, tmp_path, extra, paused_at):
        def job(name):
            return make_job(tmp_path / name, epochs=6, dropout=0.3, test=True, **EXTRAS[extra])

        whole_job, plain = job("whole"), make_job(tmp_path / "plain", epochs=6, dropout=0.3, test=True)
        whole, end = drive(self.start(whole_job))
        assert curve(whole) != curve(drive(self.start(plain))[0])
        drive(self.start(job("paused")), at(paused_at, Decision.PAUSE))
        resumed = job("paused")
        after, result = drive(self.start(resumed))
        assert curve(after) == curve(whole)
        assert same_weights(weights(resumed), weights(whole_job))
        assert (result.state, result.facts) == (end.state, end.facts)

    def test_early_stopping_completes_the_trial_at_its_best_weights(self, tmp_path):
        def job(name, epochs, **more):
            return make_job(tmp_path / name, epochs=epochs, lr=1.0, test=True, more=more)

        stopping = job("stopped", 30, early_stopping=EarlyStopping(patience=2))
        messages, result = drive(self.start(stopping), at(30, Decision.STOP))
        scores = [m.metrics["valid/acc"] for m in messages[2:]]
        best = 1 + scores.index(max(scores))
        assert result.state is TrialState.COMPLETE
        assert result.facts["stopped_epoch"] == messages[-1].epoch == best + 2 < 30
        assert [m.epoch for m in messages[1:] if "test/acc" in m.metrics] == [best + 2]
        shorter = job("shorter", best)
        reports, _ = drive(self.start(shorter))
        assert same_weights(weights(stopping), weights(shorter))
        # evaluated alone where the best weights were restored, among others where they are the last ones
        assert messages[-1].metrics["test/loss"] == pytest.approx(reports[-1].metrics["test/loss"], rel=1e-6)
        kept = job("kept", 30, early_stopping=EarlyStopping(patience=2, restore_best=False))
        messages, _ = drive(self.start(kept))
        longer = job("longer", best + 2)
        drive(self.start(longer))
        assert same_weights(weights(kept), weights(longer))

    @pytest.mark.parametrize("decision", [Decision.STOP, Decision.PAUSE])
    def test_a_decision_on_the_epoch_of_early_stopping_comes_too_late(self, tmp_path, decision):
        job = make_job(tmp_path, epochs=30, lr=1.0, more={"early_stopping": EarlyStopping(patience=1)})
        scores = []

        def decide(message):
            if isinstance(message, Started) or message.epoch == 0:
                return Decision.CONTINUE
            scores.append(message.metrics["valid/acc"])
            return decision if len(scores) > 1 and scores[-1] <= max(scores[:-1]) else Decision.CONTINUE

        messages, result = drive(self.start(job), decide)
        assert result.state is TrialState.COMPLETE
        assert result.facts["stopped_epoch"] == messages[-1].epoch
        assert not (tmp_path / checkpoint.LAST).exists()

    @pytest.mark.parametrize("killed_at", [1, 2, 3])
    def test_a_killed_trial_goes_on_from_its_checkpoint(self, tmp_path, killed_at):
        whole, _ = drive(self.start(make_job(tmp_path / "whole", epochs=4)))
        run = self.start(make_job(tmp_path / "killed", epochs=4, checkpoint_sec=0))
        next(run)
        while (message := run.send((Decision.CONTINUE,))[0]).epoch < killed_at:
            pass
        assert isinstance(message, Report)
        run.close()
        after, result = drive(self.start(make_job(tmp_path / "killed", epochs=4)))
        assert after[0].epoch == killed_at - 1  # the checkpoint of an epoch is written after the answer to its report
        assert curve(after) == curve(whole)
        assert result.state is TrialState.COMPLETE

    def test_no_checkpoint_before_its_time(self, tmp_path):
        run = self.start(make_job(tmp_path, epochs=3, checkpoint_sec=3600))
        next(run)
        for _ in range(3):
            run.send((Decision.CONTINUE,))
        assert not (tmp_path / checkpoint.LAST).exists()
        run.close()

    def test_a_checkpoint_of_another_configuration_is_ignored(self, tmp_path):
        drive(self.start(make_job(tmp_path, epochs=4, key="one")), at(2, Decision.PAUSE))
        messages, _ = drive(self.start(make_job(tmp_path, epochs=4, key="other")))
        assert messages[0].epoch is None
        fresh, _ = drive(self.start(make_job(tmp_path / "fresh", epochs=4)))
        assert curve(messages) == curve(fresh)

    def test_a_non_finite_loss_is_infeasible_at_its_step(self, tmp_path):
        splits = make_splits()
        splits.train.x[17] = math.nan
        messages, result = drive(self.start(make_job(tmp_path, splits=splits, batch_size=1, lr=0.001)))
        order = torch.randperm(90, generator=torch.Generator().manual_seed(_order_seed(1)))
        step = order.tolist().index(17) + 1
        assert result.state is TrialState.INFEASIBLE
        assert result.reason == f"diverged at step {step}: loss nan"
        assert [m.epoch for m in messages[1:]] == [0]

    def test_test_metrics_come_once_at_the_end(self, tmp_path):
        messages, _ = drive(self.start(make_job(tmp_path, epochs=3, test=True)))
        assert [sorted(k for k in m.metrics if k.startswith("test/")) for m in messages[1:]] == [
            [],
            [],
            [],
            ["test/acc", "test/loss"],
        ]

    def test_the_thinned_losses_hold_the_first_step(self, tmp_path):
        messages, _ = drive(self.start(make_job(tmp_path, epochs=3, log_every=4)))
        assert [[step for step, _ in m.steps] for m in messages[1:]] == [[], [1, 5], [9], [13, 17]]

    def test_by_default_about_a_hundred_losses_are_kept_per_epoch(self, tmp_path):
        splits = make_splits(train=1000)
        messages, _ = drive(self.start(make_job(tmp_path, splits=splits, batch_size=3, epochs=2, lr=0.001)))
        kept = [[step for step, _ in m.steps] for m in messages[2:]]
        assert [len(steps) for steps in kept] == [84, 83]
        assert kept[0][:3] == [1, 5, 9]
        assert kept[1][0] == 337


def _order_seed(seed: int) -> int:
    from hpsearch.base import rng

    return rng.address(seed, "order", 1)


class TestPlainLoop(TrainLoopContract):
    def start(self, job: Job) -> TrialRun:
        return train(job)


class TestFusedLoop(TrainLoopContract):
    """Each trial is trained beside another one, of another seed."""

    def start(self, job: Job) -> TrialRun:
        return beside(job)

    def test_both_are_trained_as_one_program(self, tmp_path):
        _, result = drive(self.start(make_job(tmp_path, epochs=3)))
        assert result.facts["fused_widths"] == "3*2"
