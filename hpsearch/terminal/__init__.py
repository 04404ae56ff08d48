"""What a person sees: help, live progress, results."""
