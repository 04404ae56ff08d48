"""My own code: what the options in `my_conf` name."""
