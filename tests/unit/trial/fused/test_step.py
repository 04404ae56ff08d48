"""One update of all members: where memory is short, on a device without values, in bf16, and with a mistake in it."""

import dataclasses

import pytest
import torch
from torch import nn

from hpsearch.base.types import TrialState
from hpsearch.nn import stacked_rules
from hpsearch.nn.stacked import EVERYONE, Stacked
from hpsearch.trial.fused import fusing, joint, step
from hpsearch.trial.fused.step import Update
from hpsearch.trial.updates import first_batches
from tests.support.fused import DIGITS, Trained, alone, assert_same, make, together

NET = (*DIGITS, "model=mlp", "optimizer=momentum", "regularizer=l2")
OPTIONS = ("model.hidden=[8]", "model.norm=batch", "model.dropout=0.2", "trainer.epochs=2")
WIDTH = 5


def jobs_in(folder, width=WIDTH, words=(*NET, *OPTIONS)):
    return [make([*words, f"optimizer.lr={0.02 * (1 + k)}"], folder / str(k), k) for k in range(width)]


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    return [alone(job) for job in jobs_in(tmp_path_factory.mktemp("plain"))]


class Scarce:
    """Memory that suffices for so many members at once, and never for some.

    Attributes:
        widest: most members that got through at once, in training and in evaluations.
    """

    def __init__(self, patch, at_once, never=(), where=(True, False)):
        self.widest = {True: 0, False: 0}
        plain = Stacked.__call__

        def call(stack, x, members=EVERYONE, shared=False):
            outputs = plain(stack, x, members, shared)  # which has moved statistics when memory runs out
            computing, training = range(len(stack))[members], torch.is_grad_enabled()
            if training in where and (len(computing) > at_once or any(stack.models[k] in never for k in computing)):
                raise MemoryError("too many")
            self.widest[training] = max(self.widest[training], len(computing))
            return outputs

        patch.setattr(Stacked, "__call__", call)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_where_memory_runs_out_members_go_in_parts(tmp_path, monkeypatch, twins, at_once):
    scarce = Scarce(monkeypatch, at_once)
    for found, twin in zip(together(jobs_in(tmp_path)), twins, strict=True):
        assert_same(found, twin)
    assert scarce.widest == {True: at_once, False: at_once}


@pytest.mark.parametrize("failing", [[0], [3], [1, 4]])
def test_a_member_for_which_memory_never_suffices_is_infeasible(tmp_path, monkeypatch, twins, failing):
    jobs = jobs_in(tmp_path)
    Scarce(monkeypatch, WIDTH, [jobs[k].model for k in failing], where=(True,))
    for k, found in enumerate(together(jobs)):
        if k in failing:
            assert (found.result.state, found.result.reason) == (TrialState.INFEASIBLE, "out of memory: too many")
        else:
            assert_same(found, twins[k])


def test_one_that_joins_when_memory_suffices_for_nobody_is_trained(tmp_path, monkeypatch, twins):
    jobs = jobs_in(tmp_path)
    Scarce(monkeypatch, WIDTH, [job.model for job in jobs[:4]], where=(True,))
    *failed, late = together(jobs, after={4: (0, 0)})
    assert {each.result.state for each in failed} == {TrialState.INFEASIBLE}
    assert_same(late, twins[4])


def test_members_that_cannot_be_evaluated_as_one_are_evaluated_by_themselves(tmp_path, monkeypatch, twins):
    jobs = jobs_in(tmp_path)
    Scarce(monkeypatch, WIDTH, [jobs[2].model], where=(False,))
    for found, twin in zip(together(jobs), twins, strict=True):
        assert_same(found, twin)


def test_one_that_cannot_be_evaluated_even_so_is_infeasible(tmp_path, monkeypatch, twins):
    jobs = jobs_in(tmp_path)
    Scarce(monkeypatch, WIDTH, [jobs[2].model], where=(False,))
    evaluated = []

    def scarce(model, _):
        evaluated.append(model)
        if not model.training and len(evaluated) > 1:  # the untrained model is evaluated before
            raise MemoryError("too many")

    jobs[2].model.register_forward_pre_hook(scarce)
    for k, (found, twin) in enumerate(zip(together(jobs), twins, strict=True)):
        if k == 2:
            assert (found.result.state, found.result.reason) == (TrialState.INFEASIBLE, "out of memory: too many")
        else:
            assert_same(found, twin)


USUAL = {
    "softmax": [],
    "mlp": ["model.hidden=[8,6]", "model.norm=batch", "model.dropout=0.2"],
    "lenet": ["model.kernel_size=3", "model.hidden=[8]", "model.channels=[3,4]", "model.norm=batch"],
    "small_conv": ["model.channels=[3,4]", "model.hidden=[8]", "model.norm=layer"],
    "resnet18": ["model.blocks=[1,1]", "model.width=4"],
}


def on(device, job):
    """Move a trial that has not begun."""
    before = [*job.model.parameters()]
    moved = {id(old): new for old, new in zip(before, job.model.to(device).parameters(), strict=True)}
    for group in job.optimizer.param_groups:
        group["params"] = [moved[id(each)] for each in group["params"]]
    parts = {name: getattr(job.splits, name).to(device) for name in ("train", "valid")}
    return dataclasses.replace(job, splits=dataclasses.replace(job.splits, **parts), loss=job.loss.to(device))


def stacked_batch(jobs):
    """Return inputs and targets [K, B, ...] of the first step."""
    batches = [next(first_batches(job, 1)) for job in jobs]
    return (torch.stack(each) for each in zip(*batches, strict=True))


@pytest.mark.parametrize("model", USUAL)
def test_a_step_reads_nothing_on_the_host(tmp_path, model):
    """On this device there is nothing to read: `item`, `bool`, `nonzero` and mixed devices raise."""
    words = [*DIGITS, f"model={model}", "optimizer=adam", "regularizer=[l1,lp,max_norm]", *USUAL[model]]
    more = ["trainer.clip_norm=1.0"], ["trainer.clip_value=0.1", "loss.label_smoothing=0.1"]
    jobs = [make([*words, *each], tmp_path, double=False) for each in more]
    x, y = (each.to("meta") for each in stacked_batch(jobs))
    jobs = [on("meta", job) for job in jobs]
    stack = Stacked([job.model for job in jobs])
    update = Update(jobs, stack)
    rates = torch.empty(2, dtype=torch.float64, device="meta")
    for _ in range(2):
        given = update.backward(x, y, y, torch.empty(2, dtype=torch.int64, device="meta"))
        update.update(rates, rates)
    assert update.measured(rates, rates).shape == (2, 3)
    assert (given.outputs.shape, given.loss.shape, given.penalty.shape) == ((2, 16, 10), (2,), (2,))
    assert all(each.is_meta for each in (given.loss, given.plain, given.outputs))
    assert update.forward(x[0], shared=True).shape == (2, 16, 10)


@pytest.mark.parametrize("model", USUAL)
def test_what_is_bf16_alone_is_bf16_together(tmp_path, model):
    words = [*DIGITS, f"model={model}", "optimizer=momentum", *USUAL[model], "trainer.precision=bf16"]
    jobs = [make(words, tmp_path, k, double=False) for k in range(2)]
    assert fusing.fault(jobs[0]) == ""
    x, y = stacked_batch(jobs)
    stack = Stacked([job.model for job in jobs])
    update = Update(jobs, stack)
    given = update.backward(x, y, y, torch.zeros(2, dtype=torch.int64))
    assert given.outputs.dtype == given.loss.dtype == torch.float32
    assert {each.grad.dtype for each in stack.parameters.values()} == {torch.float32}
    with torch.autocast("cpu", torch.bfloat16):
        found, expected = stack(x), [job.model(each) for job, each in zip(jobs, x, strict=True)]
    assert found.dtype == expected[0].dtype == torch.bfloat16
    torch.testing.assert_close(found, torch.stack(expected), rtol=0.05, atol=0.05)


class Mistakes:
    """Ways to train members wrongly, each by a patch of what they are trained by."""

    @staticmethod
    def mean_over_members(patch):
        right = step.member_losses
        patch.setattr(step, "member_losses", lambda losses: lambda *given: right(losses)(*given) / len(losses))

    @staticmethod
    def shared_averages(patch):
        def shared(layer, x, own):
            outputs = stacked_rules.batch_norm(layer, x, own)
            own["running_mean"].data[:] = own["running_mean"].mean(0)
            return outputs

        patch.setitem(stacked_rules._RULES, nn.BatchNorm1d, stacked_rules.Rule(shared))

    @staticmethod
    def shared_statistics(patch):
        def shared(layer, x, own):
            if not layer.training:
                return stacked_rules.batch_norm(layer, x, own)
            variance, mean = torch.var_mean(x, (0, 1), correction=0)
            outputs = (x - mean) / (variance + layer.eps).sqrt()
            return outputs * own["weight"].unsqueeze(1) + own["bias"].unsqueeze(1)

        patch.setitem(stacked_rules._RULES, nn.BatchNorm1d, stacked_rules.Rule(shared))

    @staticmethod
    def rates_of_the_first(patch):
        right = joint._columns
        patch.setattr(joint, "_columns", lambda rows, device: right([rows[0]] * len(rows), device))

    @staticmethod
    def first_of(name):
        def mistake(patch):
            right = getattr(step, name)
            patch.setattr(step, name, lambda each, *rest: right([each[0]] * len(each), *rest))

        return mistake

    @staticmethod
    def option_of_the_first(option):
        def mistake(patch):
            right = step.rule_of

            def rule_of(optimizers, *rest):
                for optimizer in optimizers:
                    for group, first in zip(optimizer.param_groups, optimizers[0].param_groups, strict=True):
                        group[option] = first[option]
                return right(optimizers, *rest)

            patch.setattr(step, "rule_of", rule_of)

        return mistake

    @staticmethod
    def kept_momentum(patch):
        right, before = step.rule_of, []

        def rule_of(optimizers, parameters, stacked):
            for optimizer, own, left in zip(optimizers, parameters, before, strict=False):
                if not optimizer.state:
                    optimizer.state.update(zip(own, left, strict=True))
            before[:] = [
                [optimizer.state[p] for p in own] for optimizer, own in zip(optimizers, parameters, strict=True)
            ]
            return right(optimizers, parameters, stacked)

        patch.setattr(step, "rule_of", rule_of)


OPTIONS_OF = {
    "momentum": ("optimizer=momentum", [0.9, 0.5]),
    "dampening": ("optimizer=momentum", [0.0, 0.4]),
    "weight_decay": ("optimizer=momentum", [0.1, 0.2]),
    "betas": ("optimizer=adam", [[0.9, 0.999], [0.8, 0.9]]),
    "eps": ("optimizer=adam", [1e-3, 1e-2]),
    "rho": ("optimizer=adadelta", [0.9, 0.5]),
    "alpha": ("optimizer=rmsprop", [0.99, 0.5]),
    "lr_decay": ("optimizer=adagrad", [0.0, 0.5]),
    "momentum_decay": ("optimizer=nadam", [0.004, 0.4]),
}
MISTAKES = {
    "the mean over members": (Mistakes.mean_over_members, []),
    "statistics that are shared": (Mistakes.shared_statistics, []),
    "running averages that are shared": (Mistakes.shared_averages, []),
    "rates of the first": (Mistakes.rates_of_the_first, [["optimizer.lr=0.1"], ["optimizer.lr=0.01"]]),
    "penalties of the first": (
        Mistakes.first_of("member_penalties"),
        [[f"regularizer.l2.strength={each}"] for each in (0.1, 0.2)],
    ),
    "losses of the first": (
        Mistakes.first_of("member_losses"),
        [[f"loss.label_smoothing={each}"] for each in (0.1, 0.2)],
    ),
    "clipping of the first": (
        Mistakes.first_of("member_clipping"),
        [[f"trainer.clip_norm={each}"] for each in (0.1, 0.2)],
    ),
    **{
        f"{option} of the first": (
            Mistakes.option_of_the_first(option),
            [[optimizer, f"optimizer.{option}={value}"] for value in values],
        )
        for option, (optimizer, values) in OPTIONS_OF.items()
    },
}


def pairs(folder, members):
    for name in ("fused", "plain"):
        yield [make([*NET, *OPTIONS, *more], folder / f"{name}{k}", k) for k, more in enumerate(members)]


def assert_as_alone(found: list[Trained], twins) -> None:
    for each, twin in zip(found, twins, strict=True):
        assert_same(each, alone(twin))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_noticed(tmp_path, monkeypatch, mistake):
    patch, members = MISTAKES[mistake]
    jobs, twins = pairs(tmp_path, members or [[], []])
    patch(monkeypatch)
    found = together(jobs)
    monkeypatch.undo()
    with pytest.raises(AssertionError):
        assert_as_alone(found, twins)


def test_a_slot_that_keeps_its_momentum_is_noticed(tmp_path, monkeypatch):
    jobs, twins = pairs(tmp_path, [["trainer.epochs=1"], [], []])
    Mistakes.kept_momentum(monkeypatch)
    found = together(jobs, after={2: (0, 1)})
    with pytest.raises(AssertionError):
        assert_as_alone(found, twins)
