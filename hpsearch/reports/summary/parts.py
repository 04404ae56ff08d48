"""The answer of a study in parts, of which a terminal shows some in rows."""

from typing import NamedTuple


class Parts(NamedTuple):
    """What the answer of a study is made of.

    Attributes:
        lead: which point is best, with n, mean, spread and interval; without a full stop.
        rivals: which others may be as good, a clause; empty where there are none.
        rates: which values train, a clause.
        more: further sentences.
        setting: the best point as a command line writes it, its values told from those of other points; empty without
            one.
    """

    lead: str
    rivals: str = ""
    rates: str = ""
    more: str = ""
    setting: str = ""

    @property
    def short(self) -> str:
        """The answer without the clauses, which stand in rows of their own on a terminal."""
        return f"{self.lead}. {self.more}".rstrip()
