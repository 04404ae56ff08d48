"""A module that leaves a thread, as some libraries do."""

from tests.support.trial_functions import start_a_thread

start_a_thread()
