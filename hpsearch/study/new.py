"""A small project to begin with: a copy of the folder ``project`` beside this file."""

from pathlib import Path

from hpsearch.base.errors import ConfigError

_FILES = Path(__file__).with_name("project")


def write_project(folder: str | Path) -> list[Path]:
    """Write a project that runs as it stands: a model, data, their options, a study, and a page with the commands.

    Args:
        folder: where; it is made where it is missing, and must be empty.

    Returns:
        The files, as they were written.

    Raises:
        ConfigError: there is something in the folder, or it cannot be written; nothing is created then.
    """
    folder = Path(folder)
    files = sorted(path for path in _FILES.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    try:
        if there := sorted(path.name for path in folder.iterdir()) if folder.exists() else []:
            raise ConfigError(f"new {folder}: holds {there[0]} already, and must be empty or not there")
        written = [folder / path.relative_to(_FILES) for path in files]
        for source, target in zip(files, written, strict=True):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    except OSError as error:
        raise ConfigError(f"new {folder}: cannot be written: {error.strerror}") from None
    return written
