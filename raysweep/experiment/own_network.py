"""Networks of users as Keras models: built from a function, checked, and prepared for the compiled loop."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from raysweep.architectures.interface import LayerWeight
from raysweep.errors import NetworkError
from raysweep.experiment.backend import import_keras
from raysweep.experiment.keras_session import set_usual_types
from raysweep.experiment.network_module import GivenNetwork, SourcedNetwork
from raysweep.experiment.user_code import in_user_code
from raysweep.trial.network import STANDARD
from raysweep.trial.settings import TrialSettings

MAX_UNROLLED: Final = 16
"""Largest number of timesteps over which a recurrent layer is unrolled; see docs/performance.md."""


def build_network(settings: TrialSettings, network: SourcedNetwork | GivenNetwork) -> Any:
    """Call a user's function, and check the model that it returns.

    Args:
        settings: the trial.
        network: the network.

    Returns:
        The Keras model, built: (batch_size, n_in, vocab) to (batch_size, n_out, vocab).

    Raises:
        NetworkError: the function fails, or returns no such model.
    """
    keras, function = import_keras(), network.function()
    set_usual_types(keras)  # whatever the file has set
    code = function.__code__
    place = f"{code.co_filename}:{code.co_firstlineno}: {settings.arch}"
    taken = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    standard = {name: getattr(settings, name) for name in STANDARD if name in taken}
    with in_user_code(code.co_filename, f"{settings.arch} failed"):
        model = function(**standard, **settings.option_values)
    set_usual_types(keras)
    if not isinstance(model, keras.Model):
        raise NetworkError(f"{place} returns {_described(model)}; return the keras.Model")
    _check_inputs(place, model, (settings.batch_size, settings.n_in, settings.vocab))
    symbols = np.arange(settings.batch_size * settings.n_in).reshape(-1, settings.n_in) % settings.vocab
    window = np.eye(settings.vocab, dtype=np.float32)[symbols]
    with in_user_code(code.co_filename, f"the model of {settings.arch} failed"):
        outputs = model(window, training=False)
        reset_states(model)
    _check_outputs(place, outputs, (settings.batch_size, settings.n_out, settings.vocab))
    if not model.trainable_variables:
        raise NetworkError(f"{place} returns a model without trainable weights; it has nothing to learn")
    if other := {v.dtype for v in model.trainable_variables} - {"float32"}:
        raise NetworkError(f"{place} returns a model with weights of {', '.join(sorted(other))}; use float32")
    return model


def _described(found: Any) -> str:
    return "nothing" if found is None else f"an object of type {type(found).__name__}"


def _check_inputs(place: str, model: Any, shape: tuple[int, ...]) -> None:
    """Check the inputs of a functional model; others have none before they are called."""
    if not (inputs := getattr(model, "inputs", None)):
        return
    expected = f"(batch_size, n_in, vocab) = {shape}"
    if len(inputs) != 1:
        raise NetworkError(f"{place} returns a model with {len(inputs)} inputs; take one, {expected}")
    found = tuple(inputs[0].shape)
    if len(found) != 3 or any(one not in (None, length) for one, length in zip(found, shape, strict=True)):
        raise NetworkError(f"{place} returns a model with inputs of shape {found}; take {expected}")


def _check_outputs(place: str, outputs: Any, shape: tuple[int, ...]) -> None:
    expected = f"(batch_size, n_out, vocab) = {shape}"
    if (found := getattr(outputs, "shape", None)) is None:
        raise NetworkError(
            f"{place} returns a model with {_described(outputs)} as output; return one, {expected}"
        )
    if tuple(found) != shape:
        raise NetworkError(f"{place} returns a model with outputs of shape {tuple(found)}; return {expected}")
    if outputs.dtype != "float32":
        kind = getattr(outputs.dtype, "name", outputs.dtype)
        raise NetworkError(
            f"{place} returns a model with outputs of {kind}; give its last layer dtype='float32'"
        )
    values = np.asarray(outputs)
    sums = values.sum(axis=-1)
    if np.isfinite(values).all() and not (values.min() >= 0 and np.allclose(sums, 1, atol=1e-3)):
        raise NetworkError(
            f"{place} returns a model whose outputs are no probabilities: they are {values.min():.3g} to "
            f"{values.max():.3g}, and sum to {sums.min():.3g} to {sums.max():.3g}; "
            "end it with a softmax over vocab"
        )


def unroll(model: Any) -> None:
    """Make recurrent layers unroll short sequences while the compiled loop is traced: it runs faster.

    A model that is built but called elsewhere, in ``fit`` say, computes the same with other last bits.
    """
    recurrent = import_keras().layers.RNN
    for layer in model._flatten_layers():
        if isinstance(layer, recurrent):
            layer.inner_loop = _Unrolled(layer)


class _Unrolled:
    """Replacement of the method ``keras.layers.RNN.inner_loop``, which sees the sequences' length."""

    def __init__(self, layer: Any) -> None:
        self._layer, self._inner_loop = layer, layer.inner_loop

    def __call__(self, sequences: Any, initial_state: Any, mask: Any, **kwargs: Any) -> Any:
        before = self._layer.unroll
        timesteps = sequences.shape[1]
        # With a mask, Keras' unrolled loop computes something else in layers that go backwards.
        short = mask is None and timesteps is not None and timesteps <= MAX_UNROLLED
        self._layer.unroll = before or short
        try:
            return self._inner_loop(sequences, initial_state, mask, **kwargs)
        finally:
            self._layer.unroll = before


def reset_states(model: Any) -> None:
    """Reset the states of every stateful layer; in a graph, whenever the graph runs."""
    keras = import_keras()
    for layer in model._flatten_layers():
        if not getattr(layer, "stateful", False):
            continue
        reset = getattr(layer, "reset_states", None) or getattr(layer, "reset_state", None)
        if isinstance(layer, keras.layers.RNN):  # its own method fails if it has several cells
            for state in keras.tree.flatten(layer.states or []):
                state.assign(keras.ops.zeros_like(state.value))
        elif callable(reset):
            reset()


def layers_of(model: Any) -> tuple[LayerWeight, ...]:
    """List a model's weights, in the order of ``keras.Model.get_weights``."""
    return tuple(_layer_weights(model))


def _layer_weights(model: Any) -> Iterator[LayerWeight]:
    for variable in model.weights:
        layer, _, weight = variable.path.rpartition("/")
        yield LayerWeight(layer or model.name, weight, tuple(variable.shape))
