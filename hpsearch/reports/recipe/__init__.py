"""What the stages of a recipe found, on a page."""
