import inspect
import math
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch.optim import lr_scheduler as torch_schedulers

from hpsearch.base.errors import ConfigError
from hpsearch.config.parts import with_parts
from hpsearch.schedules import MomentumWarmup, Schedule, decays, table
from hpsearch.schedules.table import LENGTHS

CONF = Path(__file__).resolve().parents[3] / "conf" / "scheduler"
OPTIONS = {path.stem: OmegaConf.to_container(OmegaConf.load(path)) for path in sorted(CONF.glob("*.yaml"))}
OURS = {"per", "warmup", "warmup_steps"}
RESERVED = {"_target_", "_partial_", *OURS}
TORCHS = [name for name, o in OPTIONS.items() if o["_target_"].startswith("torch.") and "metric" not in o]
STEPS, EPOCHS = 20, 10


def scheduler(option, **changes):
    options = {key: value for key, value in OPTIONS[option].items() if key not in RESERVED}
    module, _, name = OPTIONS[option]["_target_"].rpartition(".")
    return partial(getattr(import_module(module), name), **(options | changes))


def by_hand(make, lr=0.1, per="step", warmup_steps=0, steps_per_epoch=STEPS, epochs=EPOCHS):
    """Train a dummy the way torch's documentation tells, with torch's own warm-up."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)
    schedule = make(optimizer)
    if warmup_steps:
        warmup = torch_schedulers.LinearLR(optimizer, 1 / (warmup_steps + 1), 1.0, warmup_steps)
        schedule = torch_schedulers.SequentialLR(optimizer, [warmup, schedule], [warmup_steps])
    values = []
    for step in range(1, steps_per_epoch * epochs + 1):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if per == "step" or step % steps_per_epoch == 0:
            schedule.step()
    return torch.tensor(values, dtype=torch.float64)


COSINE = partial(torch_schedulers.CosineAnnealingLR, T_max=200)
CASES = {
    "constant": (scheduler("constant"), scheduler("constant")),
    "step": (scheduler("step", step_size=3), scheduler("step", step_size=3)),
    "cosine": (partial(decays.cosine, T_max=200, min_factor=0.0), COSINE),
    "exponential": (partial(torch_schedulers.ExponentialLR, gamma=0.97),) * 2,
    "warm restarts": (partial(torch_schedulers.CosineAnnealingWarmRestarts, T_0=7),) * 2,
}


@pytest.mark.parametrize("per", ["step", "epoch"])
@pytest.mark.parametrize("case", CASES)
def test_the_table_is_torchs_scheduler_stepped_by_hand(case, per):
    ours, theirs = CASES[case]
    expected = by_hand(theirs, per=per)
    rows = table(ours, 0.1, 0.9, STEPS, EPOCHS, per).lr
    assert rows.shape == (200,) and rows.dtype == torch.float64
    torch.testing.assert_close(rows, expected, rtol=0, atol=1e-7)


@pytest.mark.filterwarnings("ignore:The epoch parameter in")  # torch's SequentialLR warns of itself
@pytest.mark.parametrize("warmup_steps", [1, 17, 150])
@pytest.mark.parametrize("case", CASES)
def test_warm_up_is_torchs_linear_warm_up_in_front(case, warmup_steps):
    ours, theirs = CASES[case]
    expected = by_hand(theirs, warmup_steps=warmup_steps)
    rows = table(ours, 0.1, 0.9, STEPS, EPOCHS, "step", warmup_steps).lr
    torch.testing.assert_close(rows, expected, rtol=0, atol=1e-7)


def test_warm_up_rises_evenly_from_above_zero_to_the_first_value():
    rows = table(None, 0.8, None, 10, 1, "epoch", warmup_steps=3).lr
    torch.testing.assert_close(rows[:4], torch.tensor([0.2, 0.4, 0.6, 0.8], dtype=torch.float64))
    assert rows[3:].tolist() == [0.8] * 7


def test_an_epoch_schedule_counts_its_epochs_from_the_end_of_the_warm_up():
    make = scheduler("step", step_size=1, gamma=0.5)
    rows = table(make, 1.0, 0.9, steps_per_epoch=4, epochs=3, per="epoch", warmup_steps=2).lr
    expected = [1 / 3, 2 / 3] + [1.0] * 4 + [0.5] * 4 + [0.25] * 2
    torch.testing.assert_close(rows, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(("per", "warmup_steps", "moves"), [("step", 0, 200), ("step", 50, 150), ("epoch", 0, 10)])
def test_cosine_spans_what_the_run_has_left(per, warmup_steps, moves):
    rows = table(scheduler("cosine"), 0.1, None, STEPS, EPOCHS, per, warmup_steps).lr
    assert rows[warmup_steps] == 0.1
    last = 0.05 * (1 + math.cos(math.pi * (moves - 1) / moves))
    assert abs(rows[-1] - last) < 1e-12
    assert (rows[warmup_steps:].diff() <= 0).all()


def test_a_length_that_is_given_is_kept():
    rows = table(scheduler("cosine", T_max=40, min_factor=0.1), 0.1, None, STEPS, EPOCHS, "step").lr
    assert abs(rows[40] - 0.01) < 1e-12


def test_a_partial_made_by_hydra_is_given_its_length():
    options = {
        key: value for key, value in OPTIONS["cosine"].items() if key not in RESERVED - {"_target_", "_partial_"}
    }
    ours, theirs = instantiate(options), scheduler("cosine", T_max=200)
    expected = table(theirs, 0.1, None, STEPS, EPOCHS, "step").lr
    assert torch.equal(table(ours, 0.1, None, STEPS, EPOCHS, "step").lr, expected)


def test_no_scheduler_is_a_constant():
    result = table(None, 0.3, 0.9, 5, 2)
    assert result.lr.tolist() == [0.3] * 10 and result.momentum is None


@pytest.mark.parametrize("warmup_steps", [0, 30])
def test_a_schedule_that_cycles_momentum_fills_its_column(warmup_steps):
    make = partial(torch_schedulers.OneCycleLR, max_lr=1.0, total_steps=None)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    schedule = torch_schedulers.OneCycleLR(optimizer, max_lr=1.0, total_steps=200 - warmup_steps)
    momentum = []
    for step in range(200 - warmup_steps):
        momentum.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if step < 200 - warmup_steps - 1:
            schedule.step()
    result = table(make, 0.1, 0.9, STEPS, EPOCHS, "step", warmup_steps)
    expected = torch.tensor(momentum[:1] * warmup_steps + momentum, dtype=torch.float64)
    torch.testing.assert_close(result.momentum, expected, rtol=0, atol=1e-12)
    assert result.momentum.min() < 0.86 and result.momentum.max() > 0.94


def test_cycling_momentum_without_a_momentum_is_refused():
    make = partial(torch_schedulers.OneCycleLR, max_lr=1.0, total_steps=None)
    with pytest.raises(ConfigError, match=r"scheduler: .*momentum"):
        table(make, 0.1, None, STEPS, EPOCHS, "step")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(torch_schedulers.ReduceLROnPlateau), "follows a metric"),
        (partial(torch_schedulers.StepLR), "step_size"),
        (partial(torch_schedulers.OneCycleLR, max_lr=1.0, total_steps=-1), "total_steps"),
        (partial(torch_schedulers.OneCycleLR, max_lr=1.0, total_steps=20), "total steps is 20"),
    ],
)
def test_a_scheduler_that_has_no_table(make, message):
    with pytest.raises(ConfigError, match=rf"^scheduler\b.*{message}"):
        table(make, 0.1, 0.9, STEPS, EPOCHS, "step")


@pytest.mark.parametrize("warmup_steps", [200, 1000])
def test_a_warm_up_as_long_as_the_run_is_refused(warmup_steps):
    with pytest.raises(ConfigError, match=f"scheduler.warmup_steps = {warmup_steps}: the run has 200 steps"):
        table(None, 0.1, None, STEPS, EPOCHS, "step", warmup_steps)


def test_a_run_of_no_steps_has_an_empty_table():
    assert table(scheduler("cosine"), 0.1, None, STEPS, 0, "step").lr.shape == (0,)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("per", "steps"),
        ("per", None),
        ("warmup_steps", -1),
        ("warmup_steps", 1.0),
        ("warmup_steps", True),
        ("warmup", "cubic"),
    ],
)
def test_a_bad_key_is_named(field, value):
    with pytest.raises(ConfigError, match=rf"^scheduler\.{field} = "):
        Schedule(**{field: value})
    with pytest.raises(ConfigError, match=rf"^scheduler\.{field} = "):
        table(None, 0.1, None, STEPS, EPOCHS, **({"per": "step", "warmup_steps": 0} | {field: value}))


@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        ("step", "step_size", 0),
        ("cosine", "T_max", 0),
        ("cosine_restarts", "T_mult", 1.5),
        ("cosine", "min_factor", 1.5),
        ("exponential", "decay_steps", 0),
        ("natural_exponential", "staircase", 1),
        ("polynomial", "end_factor", -0.1),
        ("exponential", "gamma", -1),
        ("step", "gamma", math.nan),
        ("polynomial", "power", "abc"),
    ],
)
def test_what_torch_takes_and_no_run_can_follow_is_named(option, field, value):
    with pytest.raises(ConfigError, match=rf"^scheduler\.{field} = "):
        table(scheduler(option, **{field: value}), 0.1, None, STEPS, 1)


def test_a_negative_rate_and_a_momentum_of_one_are_refused():
    with pytest.raises(ConfigError, match=r"^scheduler: the learning rate of call \d+ = -"):
        table(partial(COSINE, eta_min=-0.1), 0.1, None, STEPS, EPOCHS, "step")
    rising = partial(torch_schedulers.OneCycleLR, max_lr=0.1, total_steps=200, base_momentum=0.8, max_momentum=1.0)
    with pytest.raises(ConfigError, match=r"^scheduler: the momentum of call 0 = 1\.0"):
        table(rising, 0.1, 0.9, STEPS, EPOCHS, "step")


@pytest.mark.parametrize("option", TORCHS)
def test_keys_are_torchs_arguments(option):
    known = inspect.signature(scheduler(option).func).parameters.keys() - {"optimizer", "last_epoch"}
    assert OPTIONS[option].keys() - RESERVED == known


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_has_the_keys_of_ours(option):
    follows_a_metric = "metric" in OPTIONS[option]  # once per epoch, so that `per` would change nothing
    keys = {"warmup", "warmup_steps"} | (set() if follows_a_metric else {"per"})
    assert OPTIONS[option].keys() & RESERVED == keys | {"_target_", "_partial_"}
    Schedule(**{key: OPTIONS[option][key] for key in keys})
    assert (OPTIONS[option]["warmup"], OPTIONS[option]["warmup_steps"]) == ("linear", 0)


@pytest.mark.filterwarnings("ignore:The epoch parameter in")  # torch's SequentialLR warns of itself
@pytest.mark.parametrize("warmup_steps", [1, 17, 150])
@pytest.mark.parametrize("case", CASES)
def test_exponential_warm_up_is_torchs_exponential_in_front(case, warmup_steps):
    ours, _ = CASES[case]
    plain = table(ours, 0.1, 0.9, STEPS, EPOCHS, "step", warmup_steps).lr
    rows = table(ours, 0.1, 0.9, STEPS, EPOCHS, "step", warmup_steps, "exponential").lr
    assert torch.equal(rows[warmup_steps:], plain[warmup_steps:])
    assert rows[0].item() == pytest.approx(plain[0].item())
    first = plain[warmup_steps].item()
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=first / (warmup_steps + 1))
    rising = torch_schedulers.ExponentialLR(optimizer, (warmup_steps + 1) ** (1 / warmup_steps))
    for step in range(warmup_steps + 1):
        assert rows[step].item() == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        rising.step()


def test_a_smaller_momentum_at_first():
    early = MomentumWarmup(initial_momentum=0.5, initial_momentum_steps=30)
    result = table(None, 0.1, 0.9, STEPS, EPOCHS, momentum_warmup=early)
    assert result.momentum.tolist() == [0.5] * 30 + [0.9] * 170
    assert table(None, 0.1, 0.9, STEPS, EPOCHS, momentum_warmup=MomentumWarmup()).momentum is None
    with pytest.raises(ConfigError, match="neither a momentum nor betas"):
        table(None, 0.1, None, STEPS, EPOCHS, momentum_warmup=early)


@pytest.mark.parametrize("field", [{"initial_momentum": 1.0}, {"initial_momentum_steps": -1}])
def test_a_bad_momentum_warm_up_is_named(field):
    with pytest.raises(ConfigError, match=rf"^optimizer\.{next(iter(field))} = "):
        MomentumWarmup(**field)


@pytest.mark.parametrize(("steps_per_epoch", "epochs"), [(1, 1), (2, 1), (3, 1), (10, 1), (1, 3)])
@pytest.mark.parametrize("option", [name for name, each in OPTIONS.items() if "metric" not in each])
def test_every_schedule_has_a_table_of_the_smallest_runs(option, steps_per_epoch, epochs):
    whole = with_parts({"scheduler": OPTIONS[option]}, OPTIONS.__getitem__)["scheduler"]
    make = instantiate({key: value for key, value in whole.items() if key not in OURS})
    for per in ("step", "epoch"):
        rows = table(make, 0.1, 0.9, steps_per_epoch, epochs, per)
        assert rows.lr.shape == (steps_per_epoch * epochs,)
        assert rows.lr.isfinite().all() and (rows.lr >= 0).all()
        if option in TORCHS:
            calls = epochs if per == "epoch" else steps_per_epoch * epochs
            lengths = {key: calls for key in LENGTHS if key in OPTIONS[option] and OPTIONS[option][key] is None}
            theirs = by_hand(scheduler(option, **lengths), per=per, steps_per_epoch=steps_per_epoch, epochs=epochs)
            torch.testing.assert_close(rows.lr, theirs, rtol=0, atol=1e-9)
