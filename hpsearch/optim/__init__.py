"""What optimizers are given."""
