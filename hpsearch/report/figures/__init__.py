"""The figures of a study: each function takes a record or table and returns a plotly figure."""

from hpsearch.report.figures.history import history_figure
from hpsearch.report.figures.learning import curves_figure
from hpsearch.report.figures.parallel import parallel_figure
from hpsearch.report.figures.score import score_figure
from hpsearch.report.figures.timeline import timeline_figure

__all__ = ["curves_figure", "history_figure", "parallel_figure", "score_figure", "timeline_figure"]
