"""Words of the gateway to the driver, and of the driver to the gateway alone."""

OPENED = "opened"  # number of workers wanted, the nodes in words
REFUSED = "refused"  # why nothing can be done with the cluster
UP = "up"  # slot, facts of its node, what Ray calls that
DOWN = "down"  # slot
SAID = "said"  # slot, number of the worker, kind, payload

RELEASE = "release"  # the node of a slot may go
