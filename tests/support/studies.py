"""Every kind of study that a report must stand."""

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
