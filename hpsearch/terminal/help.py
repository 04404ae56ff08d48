"""The help pages: plain text, made without any heavy import."""

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from hpsearch.study.options import available_options

PROGRAM = "python -m hpsearch"

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": (
        "[ARGUMENT=SWEEP | KEY=VALUE] ... [--points N] -- PROGRAM ...",
        "search the arguments of a program in any language, as 'lr=tag(log, interval(1e-4, 1))'; without a sweep it "
        "runs once, as a trial",
    ),
    "new": ("[FOLDER]", "write a small project to begin with: a model, data and a study of your own, which run"),
    "report": (
        "NAME [OTHER] [--print] [--tables]",
        "write the report of a study again; of two studies, one page side by side; --print: print.html, for A4 paper "
        "or PDF; --tables: its tables in LaTeX and Markdown, to be pasted",
    ),
    "list": ("", "list the studies in this folder, best point and state"),
    "status": (
        "[STUDY] [--follow] [--json]",
        "how a study stands, from any terminal or machine that sees this folder: done, running, queue, failures, best, "
        "when it may end; without a name all that run, else the last one; --follow: again until it ends",
    ),
    "ui": (
        "[NAME] [--port N] [--dashboard]",
        "open MLflow on this machine, with a link to the trials of each study; --dashboard: a study in Optuna's "
        "dashboard, also while it runs",
    ),
    "replay": ("RUN [--check]", "train a logged trial again; --check: exit 1 when its curve differs"),
    "continue": (
        "STUDY/POINT/SEED trainer.epochs=N ...",
        "train a trial that has ended for longer, from its last weights and optimizer state: a new single trial",
    ),
    "curvature": (
        "RUN | STUDY [curvature.KEY=VALUE ...]",
        "Hessian of the training loss at a trial's weights: eigenvalues, density, minimum or saddle; of a study, where "
        "its trials ended: minimum ratio against training loss; "
        "KEY: samples, k, probes, steps, longest, exact, precision",
    ),
    "show": (
        "scheduler [OUT] | layers RUN",
        "draw learning-rate schedules: that of the words, those of a study's arms, or every one, into OUT; "
        "gradients, updates and outputs of a trial's layers over training",
    ),
    "try": (
        "STUDY KEY=VALUE ...",
        "add a point to a study: a value for every searched key; its driver trains it, whatever the budget",
    ),
    "skip": ("STUDY/POINT", "give up a point of a study, one that trains, waits or is queued"),
    "ask": (
        "NAME ['space.KEY=...' ...]",
        "print the next trial of a study that is trained outside, as JSON: its arguments and its name; the first time "
        "with what it searches; exit 1 where there is none",
    ),
    "tell": (
        "NAME TRIAL METRIC=VALUE ... [--epoch N | --failed WHY]",
        "say what such a trial came to; --epoch: on its way, prints whether it goes on; without metrics: JSON from "
        "standard input",
    ),
    "sync": ("[NAME]", "send what a tracking server has not received yet; bring a study here from its database"),
    "doctor": (
        "[STUDY | FOLDER] [--repair] [--json]",
        "look at versions, device, disks, stores and studies, and say what is wrong and the way out; exit 1 where "
        "something needs a hand; --repair: remove what killed processes left, rebuild what the record can give back",
    ),
}
"""Name, arguments and meaning of every command."""

_WIDTH, _NARROW = 118, 48

_START = (
    ("+study=lr_sweep", "search learning rates on a small data set: seconds, on any laptop"),
    ("optimizer.lr=0.05 model=mlp", "train one trial and track it"),
    ("ui", "look at the trials in MLflow"),
)

_OPTIONS = (
    ("--config-dir DIR", "add a folder with options of your own (may be repeated)"),
    ("--path DIR", "look for packages of your own in a folder, besides the working folder (may be repeated)"),
    ("--cfg job|space", "print the composed configuration, or the search space, and train nothing"),
    ("--version", "print the version"),
    ("-h, --help", "this page; with a command: its arguments; with GROUP, GROUP=OPTION or a key: what their files say"),
)

_SEARCH = (
    ("+study=NAME", "what to search, how often to repeat and which question it answers"),
    ("'space.KEY=tag(log, interval(1e-3, 1))'", "search between two bounds, evenly in the logarithm"),
    (
        "'space.KEY=choice(1, 2)'",
        "among values; also range(1, 5), and whole groups: space.model=choice(mlp, lenet)",
    ),
    (
        "'space[KEY>=3].OTHER=...' 'space.where=[KEY % OTHER == 0]'",
        "only where a condition holds (=, !=, >=, <=, >, <, in [...]); what every point must meet",
    ),
    ("'~space.KEY'", "take a hyperparameter out of the space; KEY=VALUE fixes it instead"),
    ("study.grow=NAME", "go on with the study NAME in another space that holds all of its points"),
    ("'sampler.first=[{KEY: 0.1}, ...]'", "settings to try before anything else"),
    ("sampler.prior=NAME", "tell the model of auto, tpe or gp the points of the study NAME"),
    ("'objective.limits={parameters: 1e5}'", "the largest values that a trial may end with"),
    ("study.code=changed_ok", "go on although code of your own changed since trials of the study were trained"),
    ("study.restart=true", "start again; the earlier study is kept aside"),
)


def short_help() -> str:
    """Return what to type first."""
    return "\n".join([
        _TITLE,
        "",
        "start with",
        *rows([(f"{PROGRAM} {words}", text) for words, text in _START]),
        "",
        _MORE,
    ])


def full_help(config_dirs: Sequence[str | Path] = ()) -> str:
    """Return the commands, the options, and every group with its options; ``*`` marks the defaults."""
    available = available_options(config_dirs)
    commands = [(f"{name} {arguments}".strip(), text) for name, (arguments, text) in COMMANDS.items()]
    options = [
        (group, "  ".join(f"{name}*" if name == available.defaults.get(group) else name for name in names))
        for group, names in available.groups.items()
    ]
    sections = {
        "start with": _start(),
        "commands": rows(commands),
        "options": rows(_OPTIONS),
        "studies (+study=NAME)": rows(list(available.studies.items())),
        "groups (GROUP=OPTION; * is the default)": rows(options),
        "search": rows(_SEARCH),
    }
    usage = [
        f"usage: {PROGRAM} [KEY=VALUE | GROUP=OPTION | +study=NAME] ... [options]",
        f"       {PROGRAM} COMMAND ...",
    ]
    body = [line for title, rows in sections.items() if rows for line in ("", title, *rows)]
    return "\n".join([_TITLE, "", *usage, *body, "", _EXITS])


def command_help(name: str) -> str:
    """Return the usage of one command."""
    arguments, text = COMMANDS[name]
    return f"usage: {PROGRAM} {name} {arguments}".rstrip() + f"\n\n{text}"


_TITLE = "hpsearch tunes PyTorch models: it searches, repeats over seeds, tracks every trial and reports what holds."
_MORE = f"{PROGRAM} --help lists the commands, the models, data sets, optimizers and the rest."
_EXITS = "exit codes: 0 done; 1 a trial failed, a replay differs or there is a problem; 2 bad input; 3 a gate failed;"
_EXITS += "\n            130 interrupted"


def _start() -> list[str]:
    return rows([(f"{PROGRAM} {words}", text) for words, text in _START])


def rows(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Return lines of two columns, as wide as the terminal; what is too long on the left has a line of its own."""
    width = _width()
    short = [len(left) + 4 for left, _ in pairs if len(left) + 4 <= max(width // 2, 24)]
    column = max(short, default=24)
    lines = []
    for left, right in pairs:
        text = textwrap.wrap(right, width - column, break_on_hyphens=False) or [""]
        alone = len(left) + 4 > column
        lines += [f"  {left}"] if alone else [f"  {left}".ljust(column) + text[0]]
        lines += [" " * column + line for line in (text if alone else text[1:])]
    return [line.rstrip() for line in lines if line.strip()]


def wrapped(text: str) -> list[str]:
    """Return a text in lines as wide as the terminal."""
    return textwrap.wrap(text, _width(), break_on_hyphens=False)


def _width() -> int:
    return min(max(shutil.get_terminal_size((_WIDTH, 0)).columns, _NARROW), _WIDTH)
