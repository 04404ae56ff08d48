"""The curvature of a trained loss, on a page."""
