"""Studies in PostgreSQL, on which several drivers work.

One of them leads: it asks, decides, tells and records, as the only driver of an embedded study does. The others train
what it hands out; when it is gone one of them takes its place. The database holds the study's folder, who is there, and
who trains what.
"""
