"""What `hpsearch doctor` looks at: the machine, the versions, the stores and the studies of a folder."""
