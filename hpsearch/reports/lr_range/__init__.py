"""Which learning rates a test of rates suggests."""
