"""What the gates of a recipe measure."""
