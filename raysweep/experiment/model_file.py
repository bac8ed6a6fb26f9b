"""A trained network as a file that Keras loads."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from raysweep.errors import NetworkError, StorageError, UsageError
from raysweep.experiment.models import build_model
from raysweep.experiment.network_module import NetworkFunction
from raysweep.experiment.training import Training


def save_model(training: Training, network: NetworkFunction | None, path: Path) -> None:
    """Write the compiled Keras model with the trained weights; the file is complete or absent.

    Its optimizer is a new one: what Adam remembers of the training is not kept.

    Args:
        training: a finished training.
        network: the function of a user's network; None for a built-in one.
        path: a new file whose name ends with `.keras`.

    Raises:
        UsageError: the file exists.
        StorageError: the file cannot be written.
        NetworkError: Keras cannot write the user's network.
    """
    model = build_model(training.settings, network)
    model.set_weights(training.weights)
    model.optimizer.build(model.trainable_variables)  # else Keras warns when it loads the file
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp.keras")
    try:
        model.save(temporary)
        if os.path.lexists(path):
            raise UsageError(f"{path}: written by somebody else meanwhile; give a new file")
        temporary.rename(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from error
    except (TypeError, ValueError, NotImplementedError, RuntimeError) as error:
        said = str(error).strip().partition("\n")[0] or type(error).__name__
        raise NetworkError(f"{training.settings.arch}: Keras cannot save this network: {said}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
