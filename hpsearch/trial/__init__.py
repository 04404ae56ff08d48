"""Training one trial: its loop, its evaluations, its files."""
