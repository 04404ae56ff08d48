"""The staged recipe: checks, learning rate, coarse, fine, curves, confirmation."""
