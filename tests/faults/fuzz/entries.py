"""All entry points."""

from tests.faults.fuzz import data, stored, studies, words

ENTRIES = (*data.ENTRIES, *stored.ENTRIES, *words.ENTRIES, *studies.ENTRIES)
