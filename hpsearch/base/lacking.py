"""What a record says without holding it: whoever trains again gives it, on the command line."""

from collections.abc import Mapping
from typing import Any

from hpsearch.base.commands import SCRIPT, is_program
from hpsearch.base.environment import TAKEN, as_recorded
from hpsearch.base.grammar import value_text
from hpsearch.base.plain import flatten

COMMAND = "trainer.command"
"""The words of a program."""
OPENS = "${"
"""Stands at the beginning of what would be looked up, in the environment or anywhere else."""


def lacking(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a configuration of a record does not hold, by dotted key.

    Args:
        config: see `hpsearch.base.environment.as_recorded`.

    Returns:
        What stands in the places of values of the environment, and the words of a program.
    """
    found = {}
    if OPENS in repr(config):
        flat = flatten({name: value for name, value in config.items() if name != TAKEN})
        found = {key: value for key, value in flat.items() if OPENS in repr(value)}
    return {**found, COMMAND: config["trainer"].get("command")} if is_program(config) else found


def of_command(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a configuration the command that trains it again is made of, as a configuration."""
    trainer = {name: config.get("trainer", {}).get(name) for name in ("_target_", "command")}
    script = {SCRIPT: config[SCRIPT]} if SCRIPT in config else {}
    named = {key: value for key, value in lacking_of_record(config).items() if key != COMMAND}
    return {**named, **script, "trainer": {name: value for name, value in trainer.items() if value is not None}}


def lacking_words(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the words that give a command what the record of a configuration does not hold."""
    return tuple(f"{key}={value_text(value)}" for key, value in lacking_of_record(config).items())


def lacking_of_record(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a configuration, as a record has it or will have it, does not hold."""
    return lacking(as_recorded(config) if OPENS in repr(config) else config)
