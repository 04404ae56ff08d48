"""Other libraries' training loops as trials: one callback per library, in a file that imports it and nothing else does.

A callback reports what its library measured, and when the trial is to end it sets the library's own stop flag and
returns, as an exception there would make loggers finish as failed. Whatever the function returns then, the trial is
PRUNED.
"""
