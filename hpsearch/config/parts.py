"""Schedules made of schedules: what stands in ``scheduler.parts`` by name becomes the table of that option."""

from collections.abc import Callable, Mapping
from typing import Any

from hpsearch.base.errors import ConfigError, nearest
from hpsearch.base.grammar import shown_text
from hpsearch.base.plain import copied, get
from hpsearch.config.limits import target_part

PARTS = "scheduler.parts"
_COMBINED = "hpsearch.schedules.combined."

Option = Callable[[str], Mapping[str, Any]]
"""Returns what an option of the group holds; a ConfigError where there is none of that name."""


def is_combined(config: Mapping[str, Any]) -> bool:
    """Return whether the schedule of a configuration is one made of others."""
    return str(get(config, "scheduler._target_")).startswith(_COMBINED)


def with_parts(raw: Mapping[str, Any], option: Option) -> dict[str, Any]:
    """Return a configuration in which every part of its schedule is written out.

    A part is the name of an option, ``cosine``; a name with constants in place of the option's,
    ``{cosine: {min_factor: 0.1}}``; or a table with a ``_target_``. When it moves and the warm-up belong to the whole,
    so those keys of its option are left out. A part may be made of parts itself.

    Args:
        raw: nested dicts; those of another schedule are returned as they are.
        option: finds an option of the group.

    Returns:
        The same, or a copy of it. A part that is none of these raises a ConfigError.
    """
    if not is_combined(raw):
        return dict(raw)
    whole = raw["scheduler"]
    return {**raw, "scheduler": {**whole, "parts": _written_out(PARTS, whole.get("parts"), option, ())}}


def _written_out(key: str, parts: Any, option: Option, inside: tuple[str, ...]) -> list[Any]:
    if not isinstance(parts, list) or not parts:
        said = f"{key} = {shown_text(parts)}"
        raise ConfigError(f"{said}: must be a list of schedules, as [linear,cosine] or [linear,{{cosine:{{T_max:5}}}}]")
    return [_part(f"{key}[{place}]", part, option, inside) for place, part in enumerate(parts)]


def _part(key: str, part: Any, option: Option, inside: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(part, Mapping) and "_target_" in part:
        return dict(part)
    name, given = _named(key, part)
    if name in inside:
        raise ConfigError(f"{key} = {name}: is a part of itself")
    try:
        found = copied(target_part("scheduler", option(name)))
    except ConfigError as error:
        raise ConfigError(f"{key} = {name}: {error}") from None
    if "metric" in found:
        raise ConfigError(f"{key} = {name}: follows a metric, so it can be no part")
    for field in given:
        if field not in found or field.startswith("_"):
            known = [each for each in found if not each.startswith("_")]
            raise ConfigError(f"{key}.{name}.{field}: no such key{nearest(field, known)} ({', '.join(known)})")
    made = {**found, **given}
    if is_combined({"scheduler": made}):
        made["parts"] = _written_out(f"{key}.{name}.parts", made["parts"], option, (*inside, name))
    return made


def _named(key: str, part: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(part, str):
        return part, {}
    if isinstance(part, Mapping) and len(part) == 1:
        ((name, given),) = part.items()
        if isinstance(given, Mapping | None):
            return str(name), given or {}
    raise ConfigError(f"{key} = {shown_text(part)}: must be the name of a schedule, or {{NAME:{{KEY:VALUE}}}}")
