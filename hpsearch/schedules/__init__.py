"""Learning-rate schedules as tables; importing this loads no torch."""

from hpsearch.schedules.table import MomentumWarmup, Run, Schedule, Table, table

__all__ = ["MomentumWarmup", "Run", "Schedule", "Table", "table"]
