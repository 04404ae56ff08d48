"""What a search found, from numbers to page."""
