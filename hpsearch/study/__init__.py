"""What a command runs: a search, a trial, a recipe."""
