"""The figures of a study, one per file: each takes a record or a table and returns a plotly figure."""
