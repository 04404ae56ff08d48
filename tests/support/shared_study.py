"""What a database holds of a study that several drivers share."""

import json

from hpsearch.tracking.events import fold_trial


class SharedStudy:
    """What the database holds of a study."""

    def __init__(self, server, url, name="shared"):
        self.server, self.name = server, name
        self.database = url.rpartition("/")[2].partition("?")[0]

    def rows(self, statement):
        return self.server.rows(self.database, statement)

    def events(self):
        """The lines of every trial, by the name of its file."""
        rows = self.rows("select file, content from hpsearch.lines where file like 'events/%-%' order by file, start")
        lines = {}
        for file, content in rows:
            lines.setdefault(file, []).extend(map(json.loads, bytes(content).splitlines()))
        return lines

    def begun(self):
        """How many trials are on record."""
        try:
            return self.rows("select count(distinct file) from hpsearch.lines where file like 'events/%-%'")[0][0]
        except Exception:  # the server is away, or the tables are not there yet
            return 0

    def ended(self):
        """How many trials have ended on record."""
        try:
            return sum(any(_is_end(line) for line in lines) for lines in self.events().values())
        except Exception:  # the server is away, or the tables are not there yet
            return 0

    @property
    def term(self):
        """How many drivers have led it."""
        return self.rows("select term from hpsearch.studies")[0][0]

    @property
    def leader(self):
        """The process that leads."""
        try:
            rows = self.rows("select l.holder from hpsearch.studies s join hpsearch.leases l on l.id = s.leader")
        except Exception:  # the tables are not there yet
            return None
        return int(rows[0][0].split()[1]) if rows else None


def _is_end(line):
    return line["event"] == "state" and line["state"] in ("COMPLETE", "PRUNED", "INFEASIBLE", "FAILED")


def check_whole(study, points):
    """Every point was trained once, and by one driver at a time."""
    events = study.events()
    assert sorted(events) == sorted(f"events/{point}-0-0.jsonl" for point in range(points))
    for file, lines in events.items():
        assert sum(map(_is_end, lines)) == 1, file
        assert _is_end(lines[-1]), file
        reports = fold_trial(lines).reports
        assert sorted(reports) == list(range(1, len(reports) + 1)), file
    assert study.rows("select count(*) from hpsearch.claims") == [(0,)]
    assert study.rows("select count(*) from hpsearch.messages") == [(0,)]
    assert study.rows("select count(*) from hpsearch.leases") == [(0,)]
