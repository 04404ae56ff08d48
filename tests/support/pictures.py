"""What a picture drawn by matplotlib shows, as numbers."""

import numpy as np
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.figure import Figure

from hpsearch.reports.kit.still import HEIGHT_PX, PIXELS_PER_INCH, fill


def picture_of(figure):
    """The matplotlib figure that a plotly figure becomes."""
    picture = Figure(figsize=(7.6, (figure.layout.height or HEIGHT_PX) / PIXELS_PER_INCH))
    fill(picture, figure.parts)
    return picture


def series(picture):
    """Every line and every set of marks as points `[n, 2]`."""
    lines = [np.column_stack([line.get_xdata(), line.get_ydata()]) for ax in picture.axes for line in ax.lines]
    marks = [c.get_offsets() for ax in picture.axes for c in ax.collections if isinstance(c, PathCollection)]
    return [np.ma.filled(np.ma.asarray(points, dtype=float), np.nan) for points in (*lines, *marks)]


def segments(picture):
    """Every error bar as its two ends ``(x0, y0, x1, y1)``."""
    found = [c.get_segments() for ax in picture.axes for c in ax.collections if isinstance(c, LineCollection)]
    return np.array([np.ravel(segment) for of_one in found for segment in of_one]).reshape(-1, 4)


def bars(picture):
    """Every horizontal bar as its two ends ``(left, right)``."""
    return np.array([(b.get_x(), b.get_x() + b.get_width()) for ax in picture.axes for b in ax.patches]).reshape(-1, 2)


def cells(picture):
    """The values of every heat map."""
    maps = [c for ax in picture.axes for c in ax.collections if isinstance(c, QuadMesh)]
    return [np.ma.filled(mesh.get_array(), np.nan) for mesh in maps]
