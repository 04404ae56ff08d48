"""What the layers of a trial did, drawn from what was watched as it trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpsearch.base.errors import StorageError
from hpsearch.base.files import LAYERS
from hpsearch.base.layer_rows import read_layer_rows
from hpsearch.config.compose import Composition
from hpsearch.study.folder import folder_of
from hpsearch.study.specs import STORE, check_inside, compose_place, find_trial, tracking_uri
from hpsearch.tracking.events import TrialRecord
from hpsearch.tracking.mlflow import add_to_run, run_of
from hpsearch.tracking.query import download


@dataclass(frozen=True, slots=True)
class LayersOutcome:
    """What the layers of a trial did, and where it is drawn.

    Attributes:
        run: the trial: STUDY/POINT/SEED.
        said: the faults that they show, in a sentence.
        files: ``layers.html``, and a still picture ``layers-QUANTITY.svg`` of each quantity.
        notes: what the user should know.
    """

    run: str
    said: str
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def show_layers(run: str, *, overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()) -> LayersOutcome:
    """Draw gradients, updates and outputs of a trial's layers over training, into its folder and its MLflow run.

    Args:
        run: an MLflow run id, or STUDY/POINT/SEED[/FOLD].
        overrides: of the tracker.
        config_dirs: folders with configuration of your own.

    Returns:
        What they show.

    Raises:
        StorageError: there is no such trial, or its layers were not watched.
    """
    from hpsearch.reports.kit.layers import layer_courses
    from hpsearch.reports.layers.page import write_layers

    composition = compose_place("show", overrides, config_dirs, STORE)
    uri = tracking_uri(composition)
    study, logged = find_trial(run, uri)
    check_inside(study, logged)
    name, folder = f"{study}/{logged.id}", folder_of(study) / "trials" / logged.id.stem
    file = folder / LAYERS
    if not file.is_file() and "/" not in run:
        file = download(uri, run, LAYERS) or file
    rows = read_layer_rows(file)
    if not layer_courses([rows]):
        raise StorageError(
            f"trial {name} has no {LAYERS}: its layers were not watched (trainer.watch_layers=true watches those that "
            "our own loop trains)"
        )
    said, files = write_layers(rows, _unit(logged), name, folder)
    return LayersOutcome(name, said, tuple(files), _track(composition, study, logged, run, files))


def _unit(logged: TrialRecord) -> float:
    """Return a loss of ordinary size: 1 of classes, else that before training."""
    if not logged.reports or any("valid/acc" in report.metrics for report in logged.reports):
        return 1.0
    first = logged.reports[0]
    return float(first.metrics.get("valid/loss", 1.0)) if first.epoch == 0 else 1.0


def _track(
    composition: Composition, study: str, logged: TrialRecord, run: str, files: Sequence[Path]
) -> tuple[str, ...]:
    """Put the drawings into the trial's MLflow run, if it has one; a store that is away costs a note."""
    if "uri" not in composition.config["tracker"]:
        return ()
    uri = tracking_uri(composition)
    try:
        target = run if "/" not in run else run_of(folder_of(study), logged.id.stem, uri)
        if target is None:
            return ("the trial is not in the tracking store: the drawings are in its folder only",)
        add_to_run(uri, target, {}, {}, files)
    except StorageError as error:
        return (f"the drawings are in the trial's folder only ({error})",)
    return ()
