"""Configurations and words of records: data that anybody may have written.

A record holds values. What looks like an interpolation in it is looked up nowhere, neither in the environment nor by
any other resolver: whoever trains again says such a value himself. Objects are made of what options of ours name, and
of packages that the command line or a folder of one's own configuration names; programs, addresses of stores and
folders of configuration come from there alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.base.commands import FOLDERS, LOCAL_MODULE
from hpsearch.base.environment import TAKEN
from hpsearch.base.errors import ConfigError
from hpsearch.base.grammar import shown_text
from hpsearch.base.keys import ARGS, RUN_TIME
from hpsearch.base.lacking import COMMAND, OPENS, lacking
from hpsearch.base.passwords import without_password
from hpsearch.base.plain import copied, flatten, put
from hpsearch.config.environment import resolve, taken
from hpsearch.config.groups import checked_folders, read_plugins
from hpsearch.config.limits import built
from hpsearch.config.listed import recordable
from hpsearch.config.words import BLOCKS, COMMAND_LINE, Word, keys_of, parse_word

_LOADERS = ("LD_", "DYLD_", "PYTHON", "BASH_", "PERL", "RUBY", "NODE_", "JAVA_", "GIT_")
"""Beginnings of variables that change what a program is."""


def read_back(config: Mapping[str, Any], plugins: Sequence[str], words: Iterable[Word] = ()) -> dict[str, Any]:
    """Return the configuration of a record, to be trained again.

    Args:
        config: see `hpsearch.base.environment.as_recorded`.
        plugins: packages that the command line or a folder of one's own configuration names.
        words: of the command line, which give what the record does not hold.

    Returns:
        The configuration, with these packages.

    Raises:
        ConfigError: it lacks a value, a word gives one that it holds, or it names what no record may name.
    """
    asked, given = lacking(config), {word.key: word for word in words}
    for key, word in given.items():
        if key not in asked:
            raise ConfigError(f"{word.text}: the record holds {key}, and is trained as it is (from {COMMAND_LINE})")
    for key, value in asked.items():
        if key not in given:
            raise ConfigError(_refused(key, value))
    raw = copied({name: value for name, value in config.items() if name != TAKEN})
    for key, word in given.items():
        put(raw, key, word.value)
    raw["plugins"] = list(plugins)
    whole = {**resolve(raw), TAKEN: taken(raw)} if any(OPENS in repr(word.value) for word in given.values()) else raw
    check_recorded(whole, plugins)
    _check_variables(whole)
    return whole


def _refused(key: str, value: Any) -> str:
    said = f"{key} = {shown_text(value)}"
    if key == COMMAND:
        return f"{said}: a program of a record is not run; name it on the command line: {key}=[PROGRAM,ARGUMENTS...]"
    return f"{said}: is looked up for no record; give the value on the command line: {key}=VALUE"


def check_recorded(config: Mapping[str, Any], plugins: Sequence[str], where: str = "") -> None:
    """Refuse what no record may name.

    Args:
        config: a configuration of a record, or a part of one.
        plugins: packages that the command line or a folder of one's own configuration names.
        where: key of the part.

    Raises:
        ConfigError: it makes something that neither options of ours nor these packages have.
    """
    for key, holder in built(where, config):
        path = holder["_target_"]
        mine = any(f"{path}.".startswith(f"{package}.") for package in plugins)
        local = key == "trainer" and path.startswith(f"{LOCAL_MODULE}.")  # refused by its own line where it is built
        if not (mine or local or path in recordable()):
            raise ConfigError(
                f"{key}._target_ = {path}: a record may name what options of hpsearch name; what else it needs, "
                f"name on the command line: plugins=[{path.partition('.')[0]}]"
            )


def _check_variables(config: Mapping[str, Any]) -> None:
    """Refuse to tell a program variables of the environment that change what it is."""
    for name in flatten(config[ARGS]) if config["trainer"].get("arguments") == "environment" else ():
        if name == "PATH" or name.startswith(_LOADERS):
            raise ConfigError(f"{ARGS}.{name}: a record sets no variable that changes what a program is")


def check_no_lookup(value: Any, where: str) -> None:
    """Refuse texts of a record that would be looked up where they become words.

    Args:
        value: plain containers.
        where: it stands, for the message.

    Raises:
        ConfigError: one of them is an interpolation.
    """
    if OPENS in repr(value):
        raise ConfigError(f"{where}: an interpolation in a record is looked up nowhere (it holds {OPENS}...}})")


def own_again(words: Sequence[str], given: Sequence[str], config_dirs: Sequence[str | Path]) -> list[str]:
    """Return the words of a record that go on with what it began, where others give what no record gives.

    Args:
        words: of the record: folders of configuration and overrides.
        given: of the command line; they take the places of those of the record.
        config_dirs: folders of one's own configuration, of the command line.

    Returns:
        The overrides that are left, without those of packages. A word that names a program, an address, a value of the
        environment, a package, a folder or what no record may name, and that the command line does not say, is a
        ConfigError.
    """
    said = {key for text in given for key in keys_of(text)}
    plugins = [*read_plugins(checked_folders(config_dirs)), *_named(given)]
    kept = []
    for text in _overrides(words, bool(config_dirs)):
        keys = keys_of(text)
        if said.issuperset(keys) or (keys == ["plugins"] and set(_named([text])) <= set(plugins)):
            continue
        _check_word(text, keys, plugins)
        kept.append(text)
    return kept


def check_words(words: Iterable[str], plugins: Sequence[str]) -> None:
    """Refuse words of a record that name a program, an address, a value of the environment, a package or a folder.

    Args:
        words: overrides.
        plugins: packages that the command line or a folder of one's own configuration names.
    """
    for text in words:
        _check_word(text, keys_of(text), plugins)


def _check_word(text: str, keys: Sequence[str], plugins: Sequence[str]) -> None:
    word = None if keys[0] in BLOCKS else parse_word(text)
    is_program = word is not None and (word.key, word.value) == ("trainer", "command")
    if OPENS in text or is_program or any(map(_is_foreign, keys)):
        raise ConfigError(f"{without_password(text)}: is not taken from a record; say it again (from {COMMAND_LINE})")
    if word is not None:
        where, _, last = word.key.rpartition(".")
        check_recorded({last: word.value}, plugins, where)


def _named(words: Sequence[str]) -> list[str]:
    """Return the packages that words name."""
    named = (parse_word(text).value for text in words if keys_of(text) == ["plugins"])
    return [package for packages in named for package in packages or ()]


def _is_foreign(key: str) -> bool:
    """Return whether a key says what is run, where from, or where something is kept."""
    root, _, rest = key.partition(".")
    return root == "plugins" or key == COMMAND or bool(rest and root in RUN_TIME and root != "budget")


def _overrides(words: Sequence[str], with_folders: bool) -> Iterator[str]:
    """Yield the overrides among words; a folder of configuration is refused where none is given in its place."""
    rest = iter(words)
    for text in rest:
        if text not in FOLDERS:
            yield text
        elif (folder := next(rest, "")) and text == FOLDERS[0] and not with_folders:
            raise ConfigError(f"{text} {folder}: is not taken from a record; say it again (from {COMMAND_LINE})")
