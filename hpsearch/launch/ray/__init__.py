"""Trials on the machines of a Ray cluster.

The driver never imports Ray: the gateway, a process beside it, speaks with it (`program`, whose end here is `gateway`).
There every slot has an actor (`agent`), which runs ordinary worker processes on its node and passes on their frames.
"""
