"""The workers of a command, and what they refuse before anything is created."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Any, Self

from hpsearch.base.commands import is_outside
from hpsearch.base.contents import DataState
from hpsearch.base.errors import ConfigError, HpsearchError
from hpsearch.base.keys import SILENT_SECONDS
from hpsearch.base.outcome import NamedMetric
from hpsearch.config.build import build, own_loop
from hpsearch.config.code import Code, CodeReader, loaded_before
from hpsearch.config.compose import Composition
from hpsearch.launch.base import Launcher
from hpsearch.search.watch import START_SEC
from hpsearch.study.specs import find_source, tracking_uri
from hpsearch.trial import build as ours
from hpsearch.trial import generator as theirs
from hpsearch.trial.given import carried
from hpsearch.trial.reading import files_state, forget, source_key


@dataclass(frozen=True, slots=True)
class Checked:
    """What a worker said of the configurations that it built.

    Attributes:
        facts: of each, as its `preflight` returned them.
        states: what their data were read from, by `source_key`; nothing of a loop of the user's.
    """

    facts: tuple[Mapping[str, Any], ...]
    states: Mapping[str, DataState]

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed or left out in reading the data, each once."""
        return tuple(dict.fromkeys(note for each in self.facts for note in each.get("notes", ())))


class Workers:
    """The workers of a command: started when they are needed, stopped at the end, killed after an error.

    Args:
        composition: names the launcher, and says where the objective came from.
        launcher: with workers of somebody else, which are there already and stay.
        options: of the launcher, in the place of those that it is configured with.
    """

    def __init__(
        self,
        composition: Composition,
        launcher: Launcher | None = None,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._composition = composition
        config = composition.config["launcher"]
        own = {name: value for name, value in options.items() if name in config}
        self.launcher: Launcher = launcher or build("launcher", {**config, **own}, composition.config["plugins"])
        self._borrowed = launcher is not None
        self._running = False
        self._reader, self._codes = CodeReader(), list[Code]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(now=kind is not None)

    def start(self, config: Mapping[str, Any]) -> None:
        """Start workers that train such a configuration, unless they run."""
        if not (self._borrowed or self._running):
            self._refuse_old_code([config])
            self.launcher.start(carried(runner_of(config).execute, config["trainer"]["_target_"]))
            self._running = True
            if not self.launcher.detached:
                forget()

    def stop(self, now: bool = False) -> None:
        """Let the workers go, unless they are somebody else's; `now` kills them."""
        if self._running:
            self._running = False
            self.launcher.stop(now=now)
            for code in self._codes:  # what was imported as it trained is known from now on
                loaded_before(code)

    def check(self, configs: Mapping[str, Mapping[str, Any]]) -> Checked:
        """Start the workers and let one of them build every configuration, so that bad ones are refused.

        Args:
            configs: trial configurations, at least one, by the words that an error adds; all train by ours or all by a
                loop of the user's.

        Returns:
            What a worker said of each.

        Raises:
            ConfigError: a study whose first loss is not finite in any setting. Whatever a worker refuses is raised too.
        """
        self._refuse_old_code(configs.values())
        self.start(next(iter(configs.values())))
        reader = CodeReader()
        told = tuple(self._facts(config, words, reader.of(config)) for words, config in configs.items())
        losses = [float(facts.get("loss", 0.0)) for facts in told]
        if self._composition.study_option and not any(map(math.isfinite, losses)):
            raise ConfigError(
                f"the loss of the first batch is {losses[0]} in every setting that was tried ({len(losses)}): "
                "no trial would have a score; check data, model, init and loss"
            )
        pairs = zip(configs.values(), told, strict=True)
        return Checked(told, {source_key(config): facts["state"] for config, facts in pairs if "state" in facts})

    def _refuse_old_code(self, configs: Iterable[Mapping[str, Any]]) -> None:
        """Refuse to train in this process by modules that it holds as they were before an edit."""
        for code in () if self.launcher.detached else map(self._reader.of, configs):
            if old := loaded_before(code):
                again = "; ".join(f"importlib.reload({name})" for name in old)
                raise ConfigError(
                    f"{', '.join(old)} was edited after this process loaded it, which still has the old code: "
                    f"restart it, load it anew ({again}), or train in new processes (launcher=processes)"
                )
            self._codes.append(code)

    def files(self, config: Mapping[str, Any]) -> dict[str, DataState]:
        """Return what the files of a configuration hold, by `source_key`; its samples are not read."""
        if runner_of(config) is not ours:
            return {}
        source = find_source(config, tracking_uri(self._composition))
        return {source_key(config): self.launcher.call(files_state, config, source)}

    def _facts(self, config: Mapping[str, Any], words: str, code: Code) -> Mapping[str, Any]:
        needed = config, find_source(config, tracking_uri(self._composition)), code.digest, code.targets
        silent_sec = self._composition.config["budget"]["silent_seconds"]
        within_sec = None if silent_sec is None else silent_sec + START_SEC
        with _naming(words):
            preflight = runner_of(config).preflight
            try:
                facts: Mapping[str, Any] = self.launcher.call(preflight, *needed, within_sec=within_sec)
            except TimeoutError:
                raise ConfigError(
                    f"{SILENT_SECONDS} = {silent_sec:g}: the untrained model and its first batch were not there after "
                    f"that and {START_SEC:g} s more for imports and data: model or data hang, or the limit is too low "
                    f"(from {self._composition.where(SILENT_SECONDS)})"
                ) from None
        check_metric(self._composition, facts["metrics"], facts.get("further"), config)
        if wrong := _other_files(code.files, facts):
            raise ConfigError(f"trainer.command: {wrong}")
        self.launcher.everywhere(preflight, *needed, unlike=partial(_unlike, code.files, facts))
        return facts


def runner_of(config: Mapping[str, Any]) -> Any:
    """Return the module that trains a configuration: ours, or the one for a loop of the user's.

    Raises:
        ConfigError: its trials are trained outside.
    """
    if is_outside(config):
        raise ConfigError(
            "trainer = outside: nothing here can train it; its trials are asked for, by `python -m hpsearch ask NAME` "
            "or from Python by hpsearch.open_search"
        )
    return theirs if own_loop(config["trainer"], config["plugins"]) else ours


def trains_own_code(config: Mapping[str, Any]) -> bool:
    """Return whether a function of the user's trains; see `runner_of`."""
    return runner_of(config) is theirs


def _other_files(files: Mapping[str, str], there: Mapping[str, Any]) -> str:
    """Return which file of a program another machine lacks, or has otherwise; empty for none.

    Args:
        files: digests on the driver's machine.
        there: what a worker said.
    """
    for path, digest in files.items():
        if (found := there["files"].get(path)) != digest:
            how = "is not there" if found is None else "is another one there"
            return f"{path} {how}; what a program needs must lie on every machine that trains, by the same path"
    return ""


def _unlike(files: Mapping[str, str], here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """Return how another machine differs in what it trains with; empty where it does not."""
    if wrong := _other_files(files, there):
        return wrong
    digests = [facts["state"].digest if "state" in facts else "" for facts in (here, there)]
    return "" if digests[0] == digests[1] else f"its data are others: digest {digests[1]}, elsewhere {digests[0]}"


@contextmanager
def _naming(words: str) -> Iterator[None]:
    """Add the searched options to the message of what is raised inside."""
    try:
        yield
    except HpsearchError as error:
        if words:
            error.args = (*error.args[:-1], f"{error.args[-1]} (met with {words})")
        raise


def check_metric(
    composition: Composition,
    reported: Sequence[str] | None,
    further: Sequence[str] | None = None,
    config: Mapping[str, Any] | None = None,
) -> None:
    """Refuse objectives that no trial reports.

    Args:
        composition: its configuration.
        reported: what a trial reports; None where that is not known.
        further: what an objective beside the first and a limit may name, facts of a trial too; None where that is not
            known.
        config: of the trial, such as one of a record, which has an objective of its own; None: the composition's.

    Raises:
        ConfigError: an objective is not among them, or is of the test split.
    """
    objective = (config or composition.config)["objective"]
    others = enumerate(objective.get("others") or ())
    named = [(NamedMetric("objective.metric", objective["metric"]), reported)]
    named += [(NamedMetric(f"objective.others[{place}].metric", other["metric"]), further) for place, other in others]
    limits = objective.get("limits") or {}
    named += [(NamedMetric(f"objective.limits.{name}", name, limit), further) for name, limit in limits.items()]
    for each, known in named:
        if known is not None and each.metric not in known:
            raise ConfigError(each.unreported(known, composition.where(each.key.partition("[")[0])))
        if each.metric.startswith("test/"):
            raise ConfigError(f"{each.setting}: the test split is never an objective; use valid/...")
