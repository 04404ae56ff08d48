"""What a record does not hold, and whoever trains again gives."""

from hpsearch.base.lacking import lacking_words
from hpsearch.study.specs import find_trial


def lacked(study, point, seed=0):
    """The words that a trial of the working folder's needs to be trained again."""
    return lacking_words(find_trial(f"{study}/{point}/{seed}", None)[1].config)
