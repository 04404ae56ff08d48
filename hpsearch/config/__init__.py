"""From words of a command line to plain configurations, and from these to objects."""
