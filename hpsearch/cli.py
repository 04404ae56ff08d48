"""The words of the command line: what they ask for is done elsewhere, and shown by `terminal`."""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from hpsearch.base import platform
from hpsearch.base.commands import command, own_words
from hpsearch.base.errors import ConfigError, HpsearchError, MachineError, lacking, nearest
from hpsearch.base.files import is_folder
from hpsearch.base.grammar import without_restart
from hpsearch.base.installed import own_version
from hpsearch.base.printed import say
from hpsearch.base.stopping import stops
from hpsearch.study.options import composed
from hpsearch.terminal.ending import stopped, told
from hpsearch.terminal.help import COMMANDS, PROGRAM, command_help, full_help, short_help
from hpsearch.terminal.option_help import help_pages

_ANSWERS = ("list", "status", "doctor", "ask", "tell")
"""Commands that are for what they print."""


def run(arguments: Sequence[str]) -> int:
    """Do what a command line asks.

    Args:
        arguments: its words, without the program's name.

    Returns:
        The exit code: 0 done, 1 a trial stayed FAILED, a replay differs or the doctor found a problem, 2 bad input,
        3 a gate failed, 130 interrupted.
    """
    platform.speak_utf8()
    try:
        parsed = _parse(arguments)
        code = _dispatch(parsed)
        sys.stdout.flush()
    except HpsearchError as error:
        say(f"hpsearch: {_why(arguments, error)}", sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return stopped(_command(arguments))
    except Exception as error:
        if stops.heard:
            return stopped(_command(arguments))  # a library took the interrupt for a fault of its own
        if not (lack := lacking(error)):
            raise
        say(f"hpsearch: {lack}; a study goes on with the same command", sys.stderr)
        return MachineError.exit_code
    answers = not arguments or parsed.version or parsed.help or parsed.cfg or parsed.command in _ANSWERS
    return told(code, bool(answers))


def _why(arguments: Sequence[str], error: HpsearchError) -> str:
    from hpsearch.terminal.refusal import refusal

    return refusal(arguments, error, _parse)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Refuse a word of the command line.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{message}; see {PROGRAM} --help")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("words", nargs="*")
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--cfg", choices=("job", "space"))
    parser.add_argument("--config-dir", action="append", default=[])
    parser.add_argument("--path", action="append", default=[])
    parser.add_argument("--port", type=int)
    parser.add_argument("--epoch", type=int)
    parser.add_argument("--failed", nargs="?", const="")
    parser.add_argument("--points", type=int)
    for switch in ("--check", "--print", "--tables", "--json", "--repair", "--follow", "--dashboard"):
        parser.add_argument(switch, action="store_true")
    given, program = _apart(arguments)
    parsed = parser.parse_intermixed_args(given)
    parsed.program = program
    parsed.command = parsed.words.pop(0) if parsed.words and re.fullmatch(r"[A-Za-z][\w-]*", parsed.words[0]) else None
    parsed.line = _command(arguments)
    return parsed


def _apart(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return what is ours of the arguments of `run`, and the program after ``--``."""
    if "run" not in arguments[:1] or "--" not in arguments:
        return list(arguments), []
    place = arguments.index("--")
    return list(arguments[:place]), list(arguments[place + 1 :])


def _command(arguments: Sequence[str]) -> str:
    """Return the command line that goes on with what these words started."""
    return command(*without_restart(arguments))


def _dispatch(parsed: argparse.Namespace) -> int:
    _check(parsed)
    sys.path[:0] = [str(Path(folder).resolve()) for folder in parsed.path]
    if parsed.version:
        print(f"hpsearch {own_version()}")
    elif parsed.help:
        words = [parsed.command, *parsed.words] if parsed.command else parsed.words
        print(help_pages(words, parsed.config_dir) if words else full_help(parsed.config_dir))
    elif parsed.command:
        stops.work()
        return _COMMANDS[parsed.command](parsed)
    elif parsed.cfg:
        _print_config(parsed)
    elif parsed.words:
        return _study(parsed) if any(_searches(word) for word in parsed.words) else _trial(parsed)
    else:
        print(short_help())
    return 0


_OPTIONS_OF = (
    *(("port", "ui"), ("check", "replay"), ("epoch", "tell"), ("failed", "tell"), ("points", "run")),
    *(("print", "report"), ("tables", "report"), ("repair", "doctor"), ("json", "doctor", "status")),
    *(("follow", "status"), ("dashboard", "ui")),
)


def _check(parsed: argparse.Namespace) -> None:
    if parsed.command and parsed.command not in COMMANDS and not parsed.help:
        from hpsearch.study.corrected import hint_at_option

        hint = nearest(parsed.command, COMMANDS) or hint_at_option(parsed.command, parsed.config_dir)
        raise ConfigError(
            f"no command '{parsed.command}'{hint} (commands: {', '.join(COMMANDS)}; an override is written KEY=VALUE)"
        )
    for option, *owners in _OPTIONS_OF:
        if getattr(parsed, option) not in (None, False) and parsed.command not in owners:
            raise ConfigError(f"--{option} belongs to {' and '.join(f'`{PROGRAM} {owner}`' for owner in owners)}")
    for folder in parsed.path:
        if not is_folder(folder):
            raise ConfigError(f"--path {folder}: no such folder")
    if parsed.multirun:
        raise ConfigError(
            "-m/--multirun is not needed: +study=NAME runs a search (see --help for the studies), and its space is "
            "changed with words such as 'space.optimizer.lr=tag(log, interval(1e-3, 1))'"
        )


def _searches(word: str) -> bool:
    return re.match(r"(\+{0,2}study=|\+{0,2}~?space[.\[=])", word) is not None


def _study(parsed: argparse.Namespace) -> int:
    composition = composed(parsed.words, parsed.config_dir)  # refuses before what trains is imported
    from hpsearch.progress.display import progress
    from hpsearch.study.api import run_composed
    from hpsearch.terminal.summary import show_outcome

    stops.work()
    with progress(show=lambda outcome: show_outcome(outcome, parsed.line)) as observer:
        return run_composed(composition, observer=observer).exit_code


def _trial(parsed: argparse.Namespace) -> int:
    composition = composed(parsed.words, parsed.config_dir)  # refuses before what trains is imported
    from hpsearch.progress.display import progress
    from hpsearch.study.single import run_composed
    from hpsearch.terminal.summary import show_trial

    stops.work()
    with progress(show=lambda outcome: show_trial(outcome, parsed.line)) as observer:
        return run_composed(composition, observer=observer).exit_code


def _run(parsed: argparse.Namespace) -> int:
    from hpsearch.study.programs import run_words

    parsed.words = run_words(parsed.words, parsed.program, parsed.points)
    return _study(parsed) if any(map(_searches, parsed.words)) else _trial(parsed)


def _new(parsed: argparse.Namespace) -> int:
    from hpsearch.study.new import write_project
    from hpsearch.terminal.summary import show_project

    folder = Path(_only_name(parsed) or "my_project")
    show_project(folder, write_project(folder))
    return 0


def _replay(parsed: argparse.Namespace) -> int:
    from hpsearch.progress.display import progress
    from hpsearch.study.single import replay
    from hpsearch.terminal.summary import show_replay

    name = _one_name(parsed, "RUN")
    with progress() as observer:
        outcome = replay(name, overrides=parsed.words, config_dirs=parsed.config_dir, observer=observer)
    show_replay(outcome)
    return 1 if parsed.check and not outcome.same else 0


def _continue(parsed: argparse.Namespace) -> int:
    from hpsearch.progress.display import progress
    from hpsearch.study.continued import continue_trial
    from hpsearch.terminal.summary import show_trial

    name = _one_name(parsed, "STUDY/POINT/SEED")
    with progress(show=lambda outcome: show_trial(outcome, parsed.line)) as observer:
        return continue_trial(
            name, parsed.words, config_dirs=parsed.config_dir, observer=observer, on_interrupt="return"
        ).exit_code


def _curvature(parsed: argparse.Namespace) -> int:
    from hpsearch.study.curvature import curvature
    from hpsearch.study.curvatures import curvatures
    from hpsearch.terminal.curvature import show_curvature, show_curvatures

    name = _one_name(parsed, "RUN")
    if "/" not in name and not re.fullmatch(r"[0-9a-f]{32}", name):
        show_curvatures(curvatures(name, overrides=parsed.words, config_dirs=parsed.config_dir))
        return 0
    show_curvature(curvature(name, overrides=parsed.words, config_dirs=parsed.config_dir))
    return 0


def _report(parsed: argparse.Namespace) -> int:
    from hpsearch.base.words import shown_path
    from hpsearch.study.existing import compare_studies, damage, rebuild_report

    name, other = _one_name(parsed, "NAME"), _name(parsed)
    for line in damage(name, other):
        say(line)
    plugins, parsed.words = own_words(parsed.words), [word for word in parsed.words if not own_words([word])]
    _no_more_words(parsed)
    if parsed.print or parsed.tables:
        from hpsearch.study.printed import export_tables, print_report
    if parsed.print:
        path = print_report(name, other, plugins, config_dirs=parsed.config_dir)
        say(f"to print  {shown_path(path)}")
    if parsed.tables:
        for path in export_tables(name, other, plugins, config_dirs=parsed.config_dir):
            say(f"tables  {shown_path(path)}")
    if not (parsed.print or parsed.tables):
        path = compare_studies(name, other) if other else rebuild_report(name, plugins, config_dirs=parsed.config_dir)
        say(f"report  {shown_path(path)}")
    return 0


def _list(parsed: argparse.Namespace) -> int:
    from hpsearch.study.existing import list_studies
    from hpsearch.terminal.summary import show_studies

    _no_more_words(parsed)
    show_studies(list_studies(note=say), time.time())
    return 0


def _status(parsed: argparse.Namespace) -> int:
    from hpsearch.terminal.status import status

    return status(_only_name(parsed), follow=parsed.follow, as_json=parsed.json)


def _sync(parsed: argparse.Namespace) -> int:
    from hpsearch.study.existing import sync

    for study, sent in sync(_name(parsed), overrides=parsed.words, config_dirs=parsed.config_dir, note=say).items():
        say(f"{study}: {f'{sent} event files sent' if sent else 'everything was sent before'}")
    return 0


def _doctor(parsed: argparse.Namespace) -> int:
    from hpsearch.terminal.doctor import doctor

    return doctor(_name(parsed), parsed.words, parsed.config_dir, repair=parsed.repair, as_json=parsed.json)


def _ui(parsed: argparse.Namespace) -> int:
    from hpsearch.study.existing import open_dashboard, open_ui

    if parsed.dashboard:
        return open_dashboard(_only_name(parsed), port=parsed.port or 8080)
    return open_ui(_name(parsed), overrides=parsed.words, config_dirs=parsed.config_dir, port=parsed.port or 5000)


def _show(parsed: argparse.Namespace) -> int:
    from hpsearch.base.words import shown_path
    from hpsearch.study.show import show_schedulers

    what = _one_name(parsed, "WHAT")
    if what == "layers":
        return _show_layers(parsed)
    if what != "scheduler":
        known = ("scheduler", "layers")
        raise ConfigError(f"`{parsed.line}`: nothing to show of '{what}'{nearest(what, known)} ({', '.join(known)})")
    for path in show_schedulers(_name(parsed) or ".", parsed.words, parsed.config_dir):
        say(f"figure  {shown_path(path)}")
    return 0


def _show_layers(parsed: argparse.Namespace) -> int:
    from hpsearch.study.layers import show_layers
    from hpsearch.terminal.summary import show_layer_figures

    show_layer_figures(show_layers(_one_name(parsed, "RUN"), overrides=parsed.words, config_dirs=parsed.config_dir))
    return 0


def _try(parsed: argparse.Namespace) -> int:
    from hpsearch.study.by_hand import try_point

    say(try_point(_one_name(parsed, "STUDY"), parsed.words))
    return 0


def _skip(parsed: argparse.Namespace) -> int:
    from hpsearch.study.by_hand import skip_point

    name = _one_name(parsed, "STUDY/POINT")
    _no_more_words(parsed)
    say(skip_point(name))
    return 0


def _ask(parsed: argparse.Namespace) -> int:
    from hpsearch.progress.display import LineProgress
    from hpsearch.study.turns import ask_trial

    name = _one_name(parsed, "NAME")
    asked, why = ask_trial(name, parsed.words, parsed.config_dir, LineProgress(sys.stderr, time.monotonic))
    if asked is None:
        say(f"hpsearch: nothing to train: {why}", sys.stderr)
        return 1
    print(json.dumps(asked))
    return 0


def _tell(parsed: argparse.Namespace) -> int:
    from hpsearch.progress.display import LineProgress
    from hpsearch.study.turns import parted, tell_trial, told_by

    name, (place, said) = _one_name(parsed, "NAME"), parted(parsed.words)
    told = told_by(said, parsed.epoch, parsed.failed, lambda: "" if sys.stdin.isatty() else sys.stdin.read())
    print(json.dumps(tell_trial(name, told, LineProgress(sys.stderr, time.monotonic), place, parsed.config_dir)))
    return 0


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    each.__name__.removeprefix("_"): each
    for each in (
        *(_run, _new, _report, _list, _ui, _replay, _continue, _curvature),
        *(_show, _status, _sync, _doctor, _try, _skip, _ask, _tell),
    )
}


def _name(parsed: argparse.Namespace) -> str | None:
    """Take the command's name from its words; what is left are overrides."""
    return parsed.words.pop(0) if parsed.words and "=" not in parsed.words[0] else None


def _only_name(parsed: argparse.Namespace) -> str | None:
    name = _name(parsed)
    _no_more_words(parsed)
    return name


def _one_name(parsed: argparse.Namespace, placeholder: str) -> str:
    name = _name(parsed)
    if name is None:
        raise ConfigError(f"`{parsed.line}`: {placeholder} is missing ({command_help(parsed.command).splitlines()[0]})")
    return name


def _no_more_words(parsed: argparse.Namespace) -> None:
    if parsed.words:
        usage = command_help(parsed.command).splitlines()[0]
        raise ConfigError(f"`{parsed.line}`: unexpected {' '.join(parsed.words)} ({usage})")


def _print_config(parsed: argparse.Namespace) -> None:
    import yaml

    from hpsearch.study.options import configuration

    content = configuration(parsed.words, config_dirs=parsed.config_dir, space=parsed.cfg == "space")
    print(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), end="")
