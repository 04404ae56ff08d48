"""Every kind of study that a report must stand; what is found in each and its figures are made once."""

from functools import cache

from hpsearch.reports.summary.figures import figures
from hpsearch.reports.summary.numbers import find
from hpsearch.reports.summary.page import render
from tests.support import synthetic

STUDIES = {
    "sweep": synthetic.sweep,
    "one_seed": lambda: synthetic.sweep(seeds=1),
    "one_epoch": lambda: synthetic.sweep(epochs=1),
    "one_trial": lambda: synthetic.sweep([0.1], seeds=1),
    "all_diverged": lambda: synthetic.sweep(diverges_from=0),
    "troubled": synthetic.troubled,
    "mixed": synthetic.mixed,
    "searched": synthetic.searched,
    "many": lambda: synthetic.mixed(points=300, epochs=4),
    "empty": synthetic.empty,
}
RESAMPLES = 10  # enough to draw


@cache
def table(name):
    """The table of a study."""
    return STUDIES[name]()


@cache
def found(name):
    """What a study supports."""
    return find(table(name), RESAMPLES)


@cache
def drawn(name):
    """The figures of a study: name, title, how to read it, figure."""
    return tuple(figures(found(name)))


@cache
def page(name):
    """The page of a study."""
    return render(found(name), drawn(name))
