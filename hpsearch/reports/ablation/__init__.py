"""What an ablation found, from numbers to page."""
