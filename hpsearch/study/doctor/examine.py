"""Look at the machine, the installation and the studies of a folder; mend them first where that is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hpsearch.base.errors import ConfigError, nearest
from hpsearch.base.files import is_folder
from hpsearch.base.leftovers import is_held, leftovers
from hpsearch.base.words import shown_path
from hpsearch.study.doctor.findings import Finding, Level, checked, note, ok
from hpsearch.study.doctor.machine import ask_for_gpus, device, disks, limits, processor
from hpsearch.study.doctor.mend import mended
from hpsearch.study.doctor.places import locks, mending, store_of, swept, written
from hpsearch.study.doctor.stores import data, stores, tracker_of
from hpsearch.study.doctor.studies import command_to_remove, study, study_folders
from hpsearch.study.doctor.versions import versions

MOST_STUDIES = 6
"""So many that are well have lines of their own; more are named in one."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found.

    Attributes:
        folder: the working folder that was looked at.
        findings: of the machine, the stores and the studies, in this order.
        done: sentences on what was mended.
    """

    folder: Path
    findings: tuple[Finding, ...]
    done: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 where all is well, 1 where something needs a hand."""
        return int(any(each.level is Level.PROBLEM for each in self.findings))


def examine(
    target: str | None = None, words: Sequence[str] = (), config_dirs: Sequence[str | Path] = (), repair: bool = False
) -> Examined:
    """Look at everything that a command here would meet.

    Args:
        target: a study of the working folder, or another folder that studies were run in; None for the working folder.
        words: of the tracker: which store.
        config_dirs: folders with configuration of the user's own.
        repair: remove what dead processes left and rebuild what the record can give back, before.

    Returns:
        What was found, and done. A name of no study and no folder, and a word of another kind, raise a `ConfigError`.
    """
    root, name = _place(target)
    own = [Path(each).resolve() for each in config_dirs]
    tracker, again = tracker_of(words, own), [*words, *(word for each in own for word in ("--config-dir", str(each)))]
    with chdir(root):
        folders = [Path.cwd() / "studies" / name] if name else study_folders(Path.cwd() / "studies")
        done = tuple(mended(folders, tracker)) if repair else ()
        there = [folder for folder in folders if folder.is_dir()]
        return Examined(root, tuple(_findings(there, tracker, again)), done)


def _place(target: str | None) -> tuple[Path, str | None]:
    """Return the working folder that is meant, and the study in it."""
    here = Path.cwd()
    if target is None:
        return here, None
    if Path(target).name == target and is_folder(here / "studies" / target):
        return here, target
    folder = Path(target).resolve()
    if is_folder(folder):
        return (folder.parents[1], folder.name) if folder.parent.name == "studies" else (folder, None)
    names = [each.name for each in study_folders(here / "studies")]
    there = f"{nearest(target, names)} (studies here: {', '.join(names) or 'none'})"
    raise ConfigError(f"doctor: no study and no folder '{target}'{there}")


def _findings(folders: Sequence[Path], tracker: Mapping[str, Any], words: Sequence[str]) -> Iterator[Finding]:
    asked = ask_for_gpus()  # answers while the rest is looked at
    of = [[*checked(folder.name, partial(study, folder, store_of(tracker), words))] for folder in folders]
    yield from checked("versions", versions)
    yield from checked("device", partial(device, asked))
    yield from checked("processor", processor)
    yield from checked("disk", partial(disks, written(tracker)))
    yield from checked("limits", limits)
    yield from checked("data", data)
    yield from checked("store", partial(stores, tracker, words))
    yield from checked("leftovers", partial(_left_over, tracker))
    yield from _of_studies(of)


def _of_studies(of: Sequence[Sequence[Finding]]) -> Iterator[Finding]:
    """Yield the findings of studies; of many that are well, one line."""
    well = [found for found in of if all(each.level is Level.OK for each in found)]
    few = len(well) <= MOST_STUDIES
    if not of:
        yield ok("studies", "none in this folder")
    if not few:
        yield ok("studies", f"{len(well)} are well: {', '.join(each.subject for each, *_ in well)}")
    for found in of:
        yield from found if few or found not in well else ()


def _left_over(tracker: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what killed processes left outside of studies."""
    found = [each for folder in swept(tracker) for each in leftovers(folder)]
    ours = [each.path for each in found if each.is_ours] + [lock for lock in locks(tracker) if not is_held(lock)]
    if ours:
        more = f" and {len(ours) - _SHOWN} more" if len(ours) > _SHOWN else ""
        yield note("leftovers", f"of killed processes: {', '.join(map(shown_path, ours[:_SHOWN]))}{more}", mending())
    for each in [each.path for each in found if each.is_ours is None][:_SHOWN]:
        yield note("leftovers", f"{shown_path(each)} is of another machine or container", command_to_remove(each))
    if not found and not ours:
        yield ok("leftovers", "none")
