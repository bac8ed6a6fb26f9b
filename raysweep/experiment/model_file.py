"""A trained network as a file that Keras loads."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from raysweep.errors import NetworkError, StorageError, UsageError
from raysweep.experiment.backend import import_keras
from raysweep.experiment.models import build_model
from raysweep.experiment.network_module import NetworkFunction
from raysweep.experiment.training import Training
from raysweep.trial.settings import TrialSettings


def require_savable(settings: TrialSettings, network: NetworkFunction | None, path: Path) -> None:
    """Save an untrained network and remove it again, so that a failure comes before the training.

    Raises:
        StorageError: the file cannot be written.
        NetworkError: Keras cannot save the user's network.
    """
    with _saved(_built(settings, network), settings.arch, path):
        pass


def save_model(training: Training, network: NetworkFunction | None, path: Path) -> bool:
    """Write the compiled Keras model with the trained weights; the file is complete or absent.

    Its optimizer is a new one: what Adam remembers of the training is not kept.

    Args:
        training: a finished training.
        network: the function of a user's network; None for a built-in one.
        path: a new file whose name ends with `.keras`.

    Returns:
        Whether Keras loads the file by itself; layers of a user's own need their classes.

    Raises:
        UsageError: the file exists.
        StorageError: the file cannot be written.
        NetworkError: Keras cannot save the user's network.
    """
    model = _built(training.settings, network)
    model.set_weights(training.weights)
    with _saved(model, training.settings.arch, path) as temporary:
        loads = _loads(temporary)
        if os.path.lexists(path):
            raise UsageError(f"{path}: written by somebody else meanwhile; give a new file")
        temporary.rename(path)
    return loads


def _built(settings: TrialSettings, network: NetworkFunction | None) -> Any:
    model = build_model(settings, network)
    model.optimizer.build(model.trainable_variables)  # else Keras warns when it loads the file
    return model


@contextmanager
def _saved(model: Any, arch: str, path: Path) -> Iterator[Path]:
    """Save a model beside a path, and remove what is left of it at the end."""
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp.keras")
    try:
        model.save(temporary)
        yield temporary
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    except (TypeError, ValueError, NotImplementedError, RuntimeError) as error:
        said = " ".join(str(error).strip().partition("\n\n")[0].split()) or type(error).__name__
        raise NetworkError(f"{arch}: Keras cannot save this network: {said}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def _loads(path: Path) -> bool:
    try:
        import_keras().saving.load_model(path)
    except Exception:  # noqa: BLE001  # Keras raises anything for a class that it does not know
        return False
    return True
