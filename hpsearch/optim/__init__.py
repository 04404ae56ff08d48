"""What optimizers are given: parameter groups and the ranges of their options."""
