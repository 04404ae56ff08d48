"""What the layers of one trial did."""
