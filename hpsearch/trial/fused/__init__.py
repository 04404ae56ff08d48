"""The fused loop: trials of one architecture that are trained as one program, whatever else they differ in.

Each member keeps its own generator (`hpsearch.trial.loop.train`), model and optimizer, so that what is evaluated,
reported and kept is said once, for both loops. Their weights are views of stacked tensors, which the group trains from
one place at which a member is evaluated to the next. Members come and go where an epoch begins.
"""
