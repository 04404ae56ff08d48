"""Workers in jobs of Slurm.

Beside the driver stand the `launcher`, its `jobs` and who submits them (`submitted`); in each job an `agent` starts
ordinary worker processes, and passes on their frames over a `wire`.
"""
