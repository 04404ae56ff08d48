"""What changed since trials were trained, the code of a user's own or the data: what is said, refused, begun anew."""

from dataclasses import dataclass

from hpsearch.base.errors import StorageError
from hpsearch.base.types import TrialState
from hpsearch.base.words import count
from hpsearch.tracking.events import CODE, TrialRecord

ALLOWED = "changed_ok"
"""Value of `study.code` with which trials are added beside those of other code."""
OF_DATA = "data"
_RESULTS = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.INFEASIBLE)


@dataclass(frozen=True, slots=True)
class Changes:
    """Trials on record that were trained by other code, or on other data, than would train them now.

    Attributes:
        subject: ``code`` or ``data``.
        study: name of the study that they are of.
        trials: each with the digest of what is there now.
        what: differs, in words.
    """

    subject: str
    study: str = ""
    trials: tuple[tuple[TrialRecord, str], ...] = ()
    what: str = ""

    @property
    def kept(self) -> int:
        """How many of them nothing can stand beside: COMPLETE ones, of other data whatever was told of."""
        states = _RESULTS if self.subject == OF_DATA else (TrialState.COMPLETE,)
        return sum(record.state in states for record, _ in self.trials)

    @property
    def unfinished(self) -> tuple[tuple[TrialRecord, str], ...]:
        """Those that begin anew when the study goes on: the ones that failed, and those not at an end."""
        return tuple(
            (record, digest)
            for record, digest in self.trials
            if record.state is TrialState.FAILED or not record.state.finished
        )

    def lines(self) -> list[str]:
        """Return what is said of them when the study is run again."""
        if not self.trials:
            return []
        anew, kept = len(self.unfinished), len(self.trials) - len(self.unfinished)
        changed = f"the {self.subject} changed since trials of study '{self.study}' were trained ({self.what})"
        return [
            *([f"{changed}: results of {count(kept, 'trial')} are those of the old {self.subject}"] if kept else ()),
            *([f"{changed}: {count(anew, 'trial')} that failed or had not ended begin anew"] if anew else ()),
        ]

    def refuse(self, allowed: str | None) -> None:
        """Refuse to train beside results of other code or data.

        Args:
            allowed: what `study.code` says; data have no such word.

        Raises:
            StorageError: there are some, and it is not allowed.
        """
        if not self.kept or (self.subject == CODE and allowed == ALLOWED):
            return
        word = f"study.code={ALLOWED} goes on beside them, " if self.subject == CODE else ""
        kind = "COMPLETE trial" if self.subject == CODE else "trial"
        raise StorageError(
            f"study '{self.study}': the {self.subject} changed since {count(self.kept, kind)} were trained "
            f"({self.what}); {word}study.restart=true starts again, another study.name is another study"
        )
