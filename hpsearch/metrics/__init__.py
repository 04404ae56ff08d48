"""What is measured of a model's outputs besides the loss: one file and one option of ``conf/metric`` per metric.

Importing a module of this package loads no torch: a driver asks a metric's class for its direction and its range.
"""
