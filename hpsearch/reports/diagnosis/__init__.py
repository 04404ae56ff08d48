"""What is wrong with a trial or a study."""
