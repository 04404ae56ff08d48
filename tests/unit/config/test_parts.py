import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.config.compose import compose
from hpsearch.config.parts import with_parts
from hpsearch.search.space import Space

OWN = {"per": "epoch", "warmup": "linear", "warmup_steps": 0}
OPTIONS = {
    "linear": {"_target_": "a.Linear", "_partial_": True, "end": 0.0, **OWN},
    "plateau": {"_target_": "a.Plateau", "_partial_": True, "metric": None, "warmup": "linear", "warmup_steps": 0},
    "chained": {"_target_": "hpsearch.schedules.combined.chained", "_partial_": True, "parts": ["linear"], **OWN},
    "turn": {"_target_": "hpsearch.schedules.combined.chained", "_partial_": True, "parts": ["turn"], **OWN},
}
LINEAR = {"_target_": "a.Linear", "_partial_": True, "end": 0.0}


def option(name):
    if name not in OPTIONS:
        raise ConfigError("no such option")
    return OPTIONS[name]


def parts(given):
    whole = {"_target_": "hpsearch.schedules.combined.sequential", "parts": given}
    return with_parts({"scheduler": whole, "seed": 1}, option)["scheduler"]["parts"]


def test_names_tables_and_names_with_constants_are_written_out():
    own = {"_target_": "my.Own", "_partial_": True}
    assert parts(["linear", {"linear": {"end": 0.5}}, own, {"linear": None}]) == [
        LINEAR,
        {**LINEAR, "end": 0.5},
        own,
        LINEAR,
    ]
    nested = {"_target_": "hpsearch.schedules.combined.chained", "_partial_": True}
    assert parts(["chained", {"chained": {"parts": ["linear", "linear"]}}]) == [
        {**nested, "parts": [LINEAR]},
        {**nested, "parts": [LINEAR, LINEAR]},
    ]
    assert OPTIONS["chained"]["parts"] == ["linear"] and "per" in OPTIONS["linear"]


def test_another_schedule_may_have_parts_of_its_own():
    config = {"scheduler": {"_target_": "my.Own", "parts": [1, 2]}}
    assert with_parts(config, option) == config


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("linear", r"scheduler\.parts = linear: must be a list of schedules, as \[linear,cosine\]"),
        ([], r"scheduler\.parts = \[\]: must be a list of schedules"),
        ([3], r"scheduler\.parts\[0\] = 3: must be the name of a schedule, or \{NAME:\{KEY:VALUE\}\}"),
        ([{"linear": {}, "plateau": {}}], r"scheduler\.parts\[0\] = \{linear:\{\},plateau:\{\}\}: must be the name"),
        (["linear", "lin"], r"scheduler\.parts\[1\] = lin: no such option"),
        ([{"linear": {"ends": 1}}], r"scheduler\.parts\[0\]\.linear\.ends: no such key, did you mean 'end'\? \(end\)"),
        ([{"linear": {"per": "step"}}], r"scheduler\.parts\[0\]\.linear\.per: no such key"),
        ([{"linear": {"_target_": "b"}}], r"scheduler\.parts\[0\]\.linear\._target_: no such key"),
        (["plateau"], r"scheduler\.parts\[0\] = plateau: follows a metric"),
        (["turn"], r"scheduler\.parts\[0\]\.turn\.parts\[0\] = turn: is a part of itself"),
    ],
)
def test_what_is_no_part_is_one_line(given, message):
    with pytest.raises(ConfigError, match=message) as error:
        parts(given)
    assert "\n" not in str(error.value)


def test_a_trial_holds_what_the_parts_are_and_its_command_their_names():
    trial = compose(["scheduler=sequential", "scheduler.parts=[linear,{cosine:{min_factor:0.1}}]"]).trial({}, 0)
    found = [
        (part["_target_"].rpartition(".")[2], part.get("min_factor")) for part in trial.config["scheduler"]["parts"]
    ]
    assert found == [("LinearLR", None), ("cosine", 0.1)]
    assert trial.overrides == ("scheduler=sequential", "scheduler.parts=[linear,{cosine:{min_factor:0.1}}]")
    other = compose(["scheduler=sequential", "scheduler.parts=[linear,cosine]"]).trial({}, 0)
    assert other.key != trial.key
    short = compose(["scheduler=chained", "scheduler.parts.0.step.gamma=0.25"]).trial({}, 0)
    assert short.config["scheduler"]["parts"][0]["gamma"] == 0.25
    assert compose(short.overrides).trial({}, 0).key == short.key


def points(*words):
    composition = compose(["scheduler=sequential", *words])
    space = Space.parse(composition.space, composition.where)
    composition.check_space(space.ends())
    return [composition.trial(space.active(cell), 0) for cell in space.grid()]


def test_parts_are_searched_whole_and_by_their_constants():
    found = points("space.scheduler.parts=choice([linear,cosine],[constant,{exponential:{gamma:0.5}}])")
    assert [trial.overrides[-1] for trial in found] == [
        "scheduler.parts=[linear,cosine]",
        "scheduler.parts=[constant,{exponential:{gamma:0.5}}]",
    ]
    found = points(
        "space.scheduler.parts[1].exponential.gamma=choice(0.5,0.6)", "space.scheduler.milestones[0]=choice(3,4)"
    )
    held = [trial.config["scheduler"] for trial in found]
    assert [(each["parts"][1]["gamma"], each["milestones"]) for each in held] == [
        (0.5, [3]),
        (0.5, [4]),
        (0.6, [3]),
        (0.6, [4]),
    ]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "space.scheduler.parts=choice([linear,cosine],[linear,cosin])",
            r"parts\[1\] = cosin: no such option of scheduler, did you mean 'cosine'\?.* \(from the search space",
        ),
        (
            "space.scheduler.parts[1].exponential.gamma=choice(0.5,-1)",
            r"gamma = -1: must be a number in \(0, inf\) \(from the search space on the command line\)",
        ),
    ],
)
def test_parts_that_no_schedule_can_have_are_refused_before_anything_runs(word, message):
    with pytest.raises(ConfigError, match=message):
        points(word)
