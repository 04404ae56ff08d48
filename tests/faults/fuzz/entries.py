"""All entry points."""

from tests.faults.fuzz import data, stored

ENTRIES = (*data.ENTRIES, *stored.ENTRIES)
