"""What is done with studies that exist: their reports, a comparison, a list, sending them.

What writes reports is imported where one is written: one that is up to date is found at once.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.conditions import WHERE, split_name
from hpsearch.base.errors import BusyError, ConfigError, StorageError
from hpsearch.base.files import REPORT
from hpsearch.base.inside import is_name
from hpsearch.base.keys import ARMS
from hpsearch.base.memory import collector_paused
from hpsearch.base.observer import StudySummary
from hpsearch.reports.kit.beside import FORESTS, PICTURES, working_beside
from hpsearch.study.folder import folder_lock, folder_of, search_folder, studies_folder, study_folder
from hpsearch.study.unchanged import is_unchanged, stamp
from hpsearch.tracking.damage import lost_ends, strangers
from hpsearch.tracking.events import read_study
from hpsearch.tracking.query import studies

if TYPE_CHECKING:
    from hpsearch.base.types import TrialTable
    from hpsearch.reports.comparison.page import Added
    from hpsearch.reports.recipe.page import StageView


def damage(*names: str | None) -> list[str]:
    """Return what is said of files of studies that are lost, or are none of theirs; nothing of one without a folder."""
    folders = [folder_of(name) for name in names if name and is_name(name)]
    return [line for each in folders if (each / "events").is_dir() for line in (*strangers(each), *lost_ends(each))]


def rebuild_report(name: str, words: Sequence[str] = (), *, config_dirs: Sequence[str | Path] = ()) -> Path:
    """Write the report of an existing study again, from its folder or else from the tracking store.

    Args:
        name: of the study, or of its experiment in the tracking store.
        words: ``plugins=[PACKAGE]``, for packages that the folders do not name.
        config_dirs: folders with configuration of your own; stages of plugins are shown in full.

    Returns:
        The path of the page, in ``studies/NAME``. A study that is in neither raises a `StorageError`.
    """
    own = bool(words or config_dirs)
    if not own and is_name(name) and is_unchanged(folder_of(name)):
        return folder_of(name) / REPORT
    from hpsearch.study.tables import known_as

    folder = folder_of(name := known_as(name))
    with working_beside(*_helpers(folder)), collector_paused():
        path = _write_report(name, folder, words, config_dirs)
    if not own and folder.is_dir():
        stamp(folder)
    return path


def _helpers(folder: Path) -> tuple[str, ...]:
    """Return what a report needs that can be done beside it, as what the study recorded of itself says.

    Pictures, unless it is a recipe without arms; forests, if it is a search of several hyperparameters.
    """
    study = read_study(folder)
    if "recipe" in study:
        return (PICTURES,) if ARMS in study["recipe"] else ()
    several = len({split_name(name)[0] for name in study.get("space") or ()} - {WHERE}) > 1
    return ((PICTURES,) if study else ()) + ((FORESTS,) if several else ())


def _write_report(name: str, folder: Path, words: Sequence[str], config_dirs: Sequence[str | Path]) -> Path:
    from hpsearch.study.tables import ablation_tables, is_ablation, table_of
    from hpsearch.study.writing import write_search_report

    table = table_of(name)
    if is_ablation(table.study):
        from hpsearch.reports.ablation.numbers import ablation_of
        from hpsearch.reports.ablation.write import write_ablation

        arms, tuning = ablation_tables(name)
        return write_ablation(ablation_of(arms, tuning), str(table.study["command"]), folder)
    if "recipe" in table.study:
        from hpsearch.reports.recipe.page import write_notebook

        study = {"name": table.name, **table.study}
        views = views_of(study, words, config_dirs)
        return write_notebook(study, views, table.study.get("state", {}).get("replay"), folder)
    return write_search_report(table, folder)


def views_of(
    study: Mapping[str, Any], words: Sequence[str], config_dirs: Sequence[str | Path]
) -> "dict[str, StageView]":
    """Return how the stages of a recorded recipe are shown; those of plugins that are named in full."""
    from hpsearch.study.run_stages import stage_views
    from hpsearch.study.specs import compose_place

    return stage_views(study, compose_place("report", words, config_dirs, ["plugins"]).config["plugins"])


def compare_studies(first: str, second: str) -> Path:
    """Write one page on two existing studies side by side.

    Args:
        first: name of one study; found as for `rebuild_report`, an ablation stands for its arms.
        second: name of the other.

    Returns:
        The path of the page, in ``studies/FIRST_vs_SECOND``. The same study twice and a recipe raise a `ConfigError`.
    """
    from hpsearch.reports.comparison.page import write_comparison
    from hpsearch.study.tables import known_as

    first, second = known_as(first), known_as(second)
    tables, answers, added = comparison(first, second)
    return write_comparison(tables, answers, folder_of(f"{first}_vs_{second}"), added)


def comparison(first: str, second: str) -> "tuple[list[TrialTable], list[str], Added | None]":
    """Return what a page of two existing studies shows: their tables, what each found, and their arms side by side.

    Args:
        first: name of one study.
        second: name of the other.

    Raises:
        ConfigError: both are the same study. One that is a recipe is refused as well.
    """
    from hpsearch.reports.ablation.arm_by_arm import arm_by_arm, shared_figure, shared_table, told
    from hpsearch.reports.comparison.names import names_of
    from hpsearch.reports.comparison.page import Added
    from hpsearch.reports.summary.numbers import find
    from hpsearch.reports.summary.sentences import answer
    from hpsearch.study.tables import compared_table

    if first == second:
        raise ConfigError(f"report {first} {second}: two different studies are needed")
    one, other = (find(compared_table(name)) for name in (first, second))
    tables, answers = [one.table, other.table], [answer(each.summary, each.importance) for each in (one, other)]
    shared, added = arm_by_arm(*tables), None
    if shared:
        names, objective = names_of(tables), one.summary.objective
        figure = shared_figure(shared, *names, objective.metric)
        added = Added(told(shared, *names), shared_table(shared, *names, objective), (figure,) if figure else ())
    return tables, answers, added


def list_studies(note: Callable[[str], None] | None = None) -> list[StudySummary]:
    """Return the studies of the working folder, the newest first.

    Args:
        note: is told of files in their folders that are none of theirs.
    """
    found = studies(studies_folder())
    if note is not None:
        for study in found:
            for line in strangers(study.folder):
                note(line)
    return found


def sync(
    name: str | None = None,
    *,
    overrides: Sequence[str] = (),
    config_dirs: Sequence[str | Path] = (),
    note: Callable[[str], None] | None = None,
) -> dict[str, int]:
    """Send what event files hold and the tracking store does not, which is asked what it has.

    A named study that a database keeps is brought here from there first.

    Args:
        name: of the study; None: every study of the working folder.
        overrides: of the tracker: where to send; of the storage: which database keeps the study.
        config_dirs: folders with configuration of your own.
        note: is told where a study was brought from, and what stays unsent, because its runs were deleted in the store
            or the store never takes it.

    Returns:
        The number of event files sent, by study; a running study is left to its driver, and refused when it is named.

    Raises:
        BusyError: the named study is running. A store that cannot be reached raises a `StorageError`.
    """
    from hpsearch.study.shared_copy import bring_copy
    from hpsearch.study.specs import STORE, compose_place
    from hpsearch.tracking.mlflow import sync as send

    composition = compose_place("sync", overrides, config_dirs, (*STORE, "storage"))
    tracker = composition.config["tracker"]
    if name and (url := bring_copy(name, composition)) and note is not None:
        note(f"{name}: as it stands in {url}")
    sent: dict[str, int] = {}
    for folder in [study_folder(name)] if name else [summary.folder for summary in list_studies()]:
        try:
            with folder_lock(folder):
                told = strangers(folder)
                sent[folder.name] = send(folder, tracker.get("uri"), tracker.get("artifacts"), told.append)
            if note is not None:
                for text in told:
                    note(f"{folder.name}: {text}")
        except BusyError:
            if name:
                raise
    return sent


def open_ui(
    name: str | None = None,
    *,
    overrides: Sequence[str] = (),
    config_dirs: Sequence[str | Path] = (),
    port: int = 5000,
) -> int:
    """Serve the MLflow UI until it is interrupted.

    Args:
        name: of the study whose trials it opens with; None: of all.
        overrides: of the tracker: which store.
        config_dirs: folders with configuration of your own.
        port: to listen on; the next free one where it is taken.

    Returns:
        The exit code.
    """
    from hpsearch.study.specs import STORE, compose_place
    from hpsearch.study.tables import own_uid
    from hpsearch.tracking.ui import serve

    tracker = compose_place("ui", overrides, config_dirs, STORE).config["tracker"]
    return serve(
        tracker.get("uri"), tracker.get("artifacts"), port=port, study=name, uid=own_uid(name) if name else None
    )


def open_dashboard(name: str | None = None, *, port: int = 8080) -> int:
    """Serve Optuna's dashboard of a study, which may be running, until it is interrupted.

    Args:
        name: of the study; None: the one whose search went on last.
        port: to listen on, on 127.0.0.1; the next free one where it is taken.

    Returns:
        The exit code.

    Raises:
        StorageError: no study here was searched.
    """
    from hpsearch.search.dashboard import reading_storage, serve_dashboard
    from hpsearch.search.storage import JOURNAL_NAME
    from hpsearch.tracking.ui import free_port

    journals = studies_folder().glob(f"*/{JOURNAL_NAME}")
    folder = search_folder(name) if name else next((each.parent for each in sorted(journals, key=_changed)[::-1]), None)
    if folder is None:
        raise StorageError(f"no study in {studies_folder()} was searched; run one in this folder first")
    return serve_dashboard(reading_storage(folder), free_port(port), folder.name)


def _changed(path: Path) -> float:
    return path.stat().st_mtime
