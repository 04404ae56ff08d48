"""Results of single samples are read from a study's folder, when they are asked for, and never run."""

import numpy as np

from hpsearch.base.samples import SAMPLES, write_samples
from hpsearch.base.types import TrialId
from hpsearch.reports.kit.points import points_of
from hpsearch.tracking.query import table_from_events
from hpsearch.tracking.record import Record
from tests.support.fake_study import finish, open_study, report, spec, start

ROWS = np.asarray([[1, 1, 1, 0, 1, 1, 0, 1, 1, 1], [1, 1, 0, 0, 1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 1, 0, 0, 1, 1, 1]])


def studied(folder):
    """A study of one point with three seeds, each with the results of ten samples; its folder."""
    record = Record(folder)
    open_study(record, config={"study": {"seeds": 3}})
    for seed, row in enumerate(ROWS):
        made = spec(folder, 0, seed)
        start(record, made)
        report(record, made, 1, **{"valid/acc": float(row.mean())})
        finish(record, made, score=float(row.mean()))
        (folder / "trials" / made.id.stem).mkdir(parents=True)
        write_samples(folder / "trials" / made.id.stem / SAMPLES, made.key, {"valid/acc": row[None].astype(float)}, {})
    record.close()
    return folder


def told(folder):
    (point,) = points_of(table_from_events(folder), ["optimizer.lr"])
    return point.known


def test_the_interval_counts_samples_as_long_as_every_seed_has_its_file(tmp_path):
    folder = studied(tmp_path / "study")
    table = table_from_events(folder)
    assert table.samples[TrialId(0, 1)].values["valid/acc"].tolist() == ROWS[1].tolist()
    assert told(folder).over == "over seeds and 10 validation samples"
    file = folder / "trials" / "0-1-0" / SAMPLES
    whole = file.read_bytes()
    for damaged in (whole[:-1], b"\x80\x04N.", b""):
        file.write_bytes(damaged)
        assert told(folder).over == "over seeds" and told(folder).interval is not None
    file.unlink()
    assert told(folder).over == "over seeds"
