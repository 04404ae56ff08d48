"""The MLflow UI, light and bound to this machine, opened where a study's trials can be compared."""


def serve(uri: str | None = None, artifacts: str | None = None, port: int = 5000, study: str | None = None) -> int:
    """Run the MLflow UI until it is interrupted, and print the links that open the studies' trials.

    Args:
        uri: tracking store; None for `sqlite:///mlflow.db` in the working folder.
        artifacts: folder of the artifacts; None for `mlartifacts` in the working folder.
        port: on 127.0.0.1; the next free one when it is taken.
        study: print the links of this study alone.

    Returns:
        The exit code of the server.
    """
    raise NotImplementedError
