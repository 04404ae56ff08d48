"""Studies as tables: from where they are kept, an ablation as those of its arms and of the search before them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.inside import check_name, is_name
from hpsearch.base.keys import ARMS, RETUNED, TUNE
from hpsearch.base.types import TrialId, TrialTable
from hpsearch.reports.ablation.arms import ablation_options, with_arms
from hpsearch.study.folder import folder_of, studies_folder, study_folder
from hpsearch.tracking.found import uid_of
from hpsearch.tracking.home import SHORT
from hpsearch.tracking.identity import identity_of
from hpsearch.tracking.query import study_called, table_from_events, table_from_mlflow
from hpsearch.tracking.sent import sent_runs


def table_of(name: str, uri: str | None = None) -> TrialTable:
    """Return a study as tables: from its folder, or from a tracking store when one is named or there is no folder."""
    if uri is None and _has_record(name := known_as(name)):
        return table_from_events(study_folder(name))
    if uri is None and not _has_store():
        study_folder(name)
    return table_from_mlflow(uri, name, own_uid(name))


def known_as(name: str) -> str:
    """Return the name of the folder that a study has here, by the name that it, its folder or its experiment has.

    Args:
        name: that of the folder as a rule; a person may have renamed folder and experiment since, the uid tells.

    Returns:
        Of a study without a folder here the same, or where no folder can be called so its own name with its uid.

    Raises:
        StorageError: it is no name of a study, and no experiment of the store has it; without a store it is a
            ConfigError.
    """
    if _has_record(name):
        return name
    if not _has_store():
        return check_name(name)
    try:
        own, uid = study_called(None, name)
    except StorageError:
        if is_name(name):
            return name
        raise
    here = (folder.name for folder in studies_folder().glob("*") if own_uid(folder.name) == uid)
    return next(here, name if is_name(name) else f"{own}@{uid[:SHORT]}")


def _has_store() -> bool:
    return (Path.cwd() / "mlflow.db").exists()


def _has_record(name: str) -> bool:
    return is_name(name) and (folder_of(name) / "events").is_dir()


def own_uid(name: str) -> str | None:
    """Return the uid that a study of the working folder has in tracking stores; None where that is not known."""
    try:
        return identity_of(folder_of(name)).uid if _has_record(name) else None
    except StorageError:  # its record is damaged
        return None


def trials_of(name: str, uri: str | None = None) -> TrialTable:
    """Return a study as tables, of an ablation those of its arms; where from, see `table_of`."""
    table = table_of(name, uri)
    return ablation_tables(name, uri)[0] if is_ablation(table.study) else table


def compared_table(name: str, uri: str | None = None) -> TrialTable:
    """Return what is compared of a study, as tables: of a search its trials, of an ablation those of its arms.

    Args:
        name: of the study, and of what is returned.
        uri: as for `table_of`.

    Raises:
        ConfigError: it is a recipe, which has no best point of its own.
    """
    table = table_of(name, uri)
    if is_ablation(table.study):
        return replace(ablation_tables(name, uri)[0], name=name)
    if "recipe" in table.study:
        stages = ", ".join(f"{name}.{stage}" for stage in table.study.get("stages", ()))
        raise ConfigError(f"'{name}' is a recipe: name searches of its stages (among {stages})")
    return table


def is_ablation(study: Mapping[str, Any]) -> bool:
    """Return whether what a study recorded of itself says that its stages compare arms."""
    return ARMS in study.get("recipe", ())


def ablation_tables(name: str, uri: str | None = None) -> tuple[TrialTable, TrialTable | None]:
    """Return the studies of an ablation: of its arms, and of the search before them, None where nothing was retuned.

    Args:
        name: of the ablation.
        uri: as for `table_of`.

    Returns:
        The studies; the trials and curves of the arms name the arm of each.

    Raises:
        StorageError: there is no such ablation, or its arms have not begun.
    """
    try:
        arms = with_arms(table_of(stage_of(name, ARMS), uri))
    except StorageError as error:
        command = table_of(name, uri).study.get("command")
        on = f"; go on with: {command}" if command else ""
        raise StorageError(f"study '{name}' has no arms yet ({error}){on}") from error
    retuned = ablation_options(arms.study).get("nuisance") == RETUNED
    return arms, table_of(stage_of(name, TUNE), uri) if retuned else None


def stage_of(name: str, stage: str) -> str:
    """Return the name of a stage of a recipe, which may be named by its uid: ``deep.arms@1a2b3c4d``."""
    plain, uid = uid_of(name)
    return f"{plain}.{stage}" + (f"@{uid}" if uid else "")


def with_runs(table: TrialTable) -> TrialTable:
    """Return a study of the working folder with the MLflow runs of its trials, as far as they are sent by now."""
    sent, rows = sent_runs(folder_of(table.name)), table.trials[["point", "seed", "fold"]]
    runs = [sent.get(TrialId(*map(int, row)).stem) for row in rows.itertuples(index=False)]
    return replace(table, trials=table.trials.assign(run_id=runs))
