"""All entry points."""

from tests.faults.fuzz import data, spaces, stored, studies, words

ENTRIES = (*data.ENTRIES, *stored.ENTRIES, *words.ENTRIES, *spaces.ENTRIES, *studies.ENTRIES)
