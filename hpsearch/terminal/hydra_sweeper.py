"""Hydra's sweeper that is hpsearch: ``python train.py -m hydra/sweeper=hpsearch 'lr=tag(log, interval(1e-4, 1))'``.

Hydra looks for sweepers in the namespace package `hydra_plugins` alone, and imports all of them in every application:
this file is installed there too, as `hydra_plugins.hpsearch_sweeper`, and imports nothing but Hydra before it searches.
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

_HOME = "hydra_plugins.hpsearch_sweeper"
_JOBS = "HPSEARCH_JOBS"
"""The environment variable with the folder of this sweep, in which every job has one of its own."""
_GROUP, _ONE_SEED, _SEEDS = "hydra/hpsearch_job", "one_seed", "seeds"
"""The option that is added to every job: its folder, and who takes what it returns."""
_RETURNED = "returned.jsonl"
_TRIED = 20
"""Values of a key with which a job is composed before anything is searched."""
_OURS = ("hydra.sweeper", "hydra/sweeper", "hydra.launcher", "hydra/launcher", "hydra.mode", "hydra.sweep.dir")


@dataclass
class SweeperOptions:
    """The keys ``hydra.sweeper.*``.

    Attributes:
        metric: what the returned number is called; of a mapping that is returned, or of what `hpsearch.report` is told
            inside, the name of the objective.
        direction: ``maximize`` or ``minimize``; null: ``maximize``, and it is said.
        points: settings to try; null: what the sampler does by default.
        sampler: an option of hpsearch's group ``sampler``.
        pruner: the same of ``pruner``; it judges what `hpsearch.report` is told.
        seeds: jobs of each setting; more than one needs `seed_key`.
        seed_key: the application's key that is set to the seed; null: it is told none, and no replay is promised.
        workers: jobs at a time; null: what hpsearch does by default.
        name: of the study; null: the script's, with what is searched.
        params: search expressions by key, beside those of the command line.
        overrides: further words of hpsearch, such as ``budget.seconds=3600``.
    """

    _target_: str = f"{_HOME}.HpsearchSweeper"
    metric: str = "value"
    direction: str | None = None
    points: int | None = None
    sampler: str = "auto"
    pruner: str = "auto"
    seeds: int = 1
    seed_key: str | None = None
    workers: int | None = None
    name: str | None = None
    params: dict[str, Any] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)


def _store() -> None:
    """Tell Hydra of the sweeper, and of the option by which a job knows its folder and hands over what it returns."""
    store = ConfigStore.instance()
    store.store(group="hydra/sweeper", name="hpsearch", node=SweeperOptions, provider="hpsearch")
    folder = f"${{oc.env:{_JOBS},${{oc.env:HPSEARCH_FOLDER}}/hydra}}/${{hydra.sweep.subdir}}"
    returned = {"_target_": f"{_HOME}.ReturnedValue", "metric": "value"}
    for name, run in ((_ONE_SEED, folder), (_SEEDS, f"{folder}/${{oc.env:HPSEARCH_SEED}}")):
        node = {"hydra": {"run": {"dir": run}, "callbacks": {"hpsearch": returned}}}
        store.store(group=_GROUP, name=name, node=node, package="_global_", provider="hpsearch")


_store()


class HpsearchSweeper(Sweeper):
    """Searches the overrides of an application: every job is a program of its own, run by hpsearch's launcher.

    Args:
        options: see `SweeperOptions`.
    """

    config: DictConfig
    _loader: ConfigLoader

    def __init__(self, **options: Any) -> None:
        self._options = SweeperOptions(**options)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:  # noqa: ARG002
        """Take what Hydra gives to a sweeper."""
        self.config = config
        self._loader = hydra_context.config_loader

    def sweep(self, arguments: list[str]) -> Any:
        """Search, and print what was found; the study's exit code, where it is not 0, ends the application.

        Args:
            arguments: the overrides of the application; those with several values are searched.

        Returns:
            The outcome, as `hpsearch.run_search` does.
        """
        from hpsearch.base.errors import HpsearchError
        from hpsearch.base.printed import say
        from hpsearch.terminal.summary import show_study

        again = shlex.join([*_application(), *sys.argv[1:]])
        try:
            outcome = self._search(arguments)
        except HpsearchError as error:
            say(f"hpsearch: {error}", sys.stderr)
            sys.exit(error.exit_code)
        show_study(outcome, again)
        if outcome.exit_code:
            sys.exit(outcome.exit_code)
        return outcome

    def _search(self, arguments: Sequence[str]) -> Any:
        import hpsearch
        from hpsearch.base.errors import ConfigError
        from hpsearch.base.printed import say
        from hpsearch.study.programs import study_name

        given = self._options
        words = [f"{key}={value}" for key, value in given.params.items()]
        parsed = OverridesParser.create(self._loader).parse_overrides([*words, *arguments])
        searched = {each.get_key_element(): each for each in parsed if each.is_sweep_override()}
        if not searched:
            raise ConfigError(
                "nothing to search: give a key of the application a search expression, as lr=interval(0, 1)"
            )
        if given.seeds > 1 and given.seed_key is None:
            raise ConfigError(
                f"hydra.sweeper.seeds = {given.seeds}: hydra.sweeper.seed_key must name the key of the seed"
            )
        fixed = [str(each.input_line) for each in parsed if each.get_key_element() not in searched]
        self._check(fixed, searched)
        if given.direction is None:
            say(f"hpsearch: maximizing {given.metric}; hydra.sweeper.direction=minimize for a loss", sys.stderr)
        names = _names(searched)
        told = [f"{key}={{{name}}}" for key, name in names.items() if name != key]
        command = [*self._command(fixed), *told]
        space = {names[key]: _expression(each) for key, each in searched.items()}
        sweep = Path(self.config.hydra.sweep.dir).absolute()
        sweep.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, sweep / "multirun.yaml")
        os.environ |= {
            _JOBS: str(sweep),
            "HYDRA_FULL_ERROR": "1",
        }  # an error's own line is the last one that is printed
        ours = [] if given.workers is None else [f"launcher.workers={given.workers}"]
        ours += [] if given.seed_key else ["study.confirm=0"]  # without a seed another job is the same one
        metrics = ["trainer.arguments=words", "trainer.pattern=null", f"trainer.metrics='{{folder}}/{_RETURNED}'"]
        return hpsearch.run_search(
            command,
            space=space,
            objective=given.metric,
            direction=given.direction,
            points=given.points,
            sampler=given.sampler,
            pruner=given.pruner,
            seeds=given.seeds,
            name=given.name or study_name(command, [f"{name}={text}" for name, text in space.items()], given.overrides),
            overrides=[*metrics, *ours, *given.overrides],
            on_interrupt="return",
        )

    def _check(self, fixed: Sequence[str], searched: Mapping[str, Override]) -> None:
        """Compose a job with each value of a key that is searched: an application may have no such key or option."""
        from hpsearch.base.errors import ConfigError

        values = {key: _values(each) for key, each in searched.items()}
        first = {key: each[:1] for key, each in values.items()}
        tried = [first, *({**first, key: [value]} for key, each in values.items() for value in each[1:])]
        for job in tried:
            words = [f"{key}={value}" for key, each in job.items() for value in each]
            try:
                self._loader.load_sweep_config(self.config, [*fixed, *words])
            except HydraException as error:
                raise ConfigError("; ".join(str(error).splitlines()[:2])) from None

    def _command(self, fixed: Sequence[str]) -> list[str]:
        """Return the words that run the application once, in a job's folder of this sweep."""
        given = self._options
        hydra = [word for word in self.config.hydra.overrides.hydra if not word.lstrip("+~").startswith(_OURS)]
        seed = [f"{given.seed_key}={{seed}}"] if given.seed_key else []
        option = _ONE_SEED if given.seeds == 1 else _SEEDS
        job = [f"+{_GROUP}={option}", "hydra.job.num={point}", "hydra.job.id={point}"]
        job += [f"hydra.callbacks.hpsearch.metric={given.metric}"]
        return [*_application(), *fixed, *hydra, *seed, *job]


class ReturnedValue(Callback):
    """Hands over what a job's function returned: a number, or a mapping of metrics.

    Args:
        metric: what a number is called.
    """

    def __init__(self, metric: str) -> None:
        self._metric = metric

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:  # noqa: ARG002 - of Hydra
        """Write what was returned into the trial's folder; a function that returns nothing has reported.

        What is neither a number nor a mapping of numbers ends the job: of an error here Hydra would only warn.
        """
        folder = os.environ.get("HPSEARCH_FOLDER")
        if folder is None or job_return.status is not JobStatus.COMPLETED or job_return.return_value is None:
            return
        returned = job_return.return_value
        try:
            values = {name: float(value) for name, value in self._named(returned).items()}
        except (TypeError, ValueError):
            sys.exit(f"the function returned {returned!r}: must be a number, or a mapping of numbers")
        with (Path(folder) / _RETURNED).open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(values)}\n")

    def _named(self, returned: Any) -> Mapping[str, Any]:
        return returned if isinstance(returned, Mapping) else {self._metric: returned}


def _application() -> list[str]:
    """Return the words that start this application, with its options but those of a sweep."""
    given = get_args_parser().parse_args(sys.argv[1:])
    python = "python" if shutil.which("python") == sys.executable else sys.executable
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = spec.name.removesuffix(".__main__") if spec is not None else None
    options = (
        ("--config-path", given.config_path),
        ("--config-name", given.config_name),
        ("--config-dir", given.config_dir),
    )
    words = [word for option, value in options if value is not None for word in (option, value)]
    return [python, *(["-m", module] if module else [sys.argv[0]]), *words]


def _names(keys: Iterable[str]) -> dict[str, str]:
    """Return the argument of each key: ``+model/head@net`` is ``model.head.net``.

    A group of which a key is searched as well is ``GROUP.option`` (``optimizer`` beside ``optimizer.lr``).
    """
    names = {key: key.lstrip("+").replace("/", ".").replace("@", ".") for key in keys}
    holders = {name for name in names.values() if any(other.startswith(f"{name}.") for other in names.values())}
    return {key: f"{name}.option" if name in holders else name for key, name in names.items()}


def _values(override: Override) -> list[str]:
    """Return values that an override may get, a few of many; none where only hpsearch's own grammar says."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [str(value.start)]
    return [] if isinstance(value, Glob) else [*islice(override.sweep_string_iterator(), _TRIED)]


def _expression(override: Override) -> str:
    """Return the search expression of an override; values with commas between them are a choice."""
    text = (override.input_line or "").partition("=")[2]
    return text if override.is_sweep_override() and "(" in text.partition(",")[0] else f"choice({text})"
