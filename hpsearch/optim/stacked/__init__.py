"""The update rules of optimizers for K members at once, by the tensors that they change."""
