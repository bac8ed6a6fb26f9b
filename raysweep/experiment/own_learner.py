"""A user's network in training: its Keras model in one compiled loop over many epochs.

The loop calls the model itself, with its variables captured: `keras.Model.stateless_call` does not carry the
states of recurrent layers. The gradients are TensorFlow's, the updates those of the fused Adam. Everything
runs in TensorFlow's default executor: the lean one of built-in networks waits for ever at a `tf.cond`.
"""

import time
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

from raysweep.errors import NetworkError
from raysweep.experiment.adam import Variables, adam_rates, apply_adam
from raysweep.experiment.backend import import_keras
from raysweep.experiment.keras_session import KerasSession, global_seed_generator
from raysweep.experiment.learner import Epochs, Evaluated
from raysweep.experiment.lstm import Tensor
from raysweep.experiment.network_module import GivenNetwork, SourcedNetwork
from raysweep.experiment.own_network import build_network, layers_of, reset_states, unroll
from raysweep.experiment.self_check import builds_alike, is_deterministic
from raysweep.experiment.sequences import Domain, draw_integers, sequence_length, stream
from raysweep.experiment.user_code import in_user_code
from raysweep.trial.result import Floats, Ints
from raysweep.trial.settings import TrialSettings


class OwnLearner:
    """See `learner.Learner`. Each trial builds and traces its model: a function may draw constants.

    Raises:
        NetworkError: the function fails, or its model cannot be trained.
    """

    def __init__(
        self,
        settings: TrialSettings,
        network: SourcedNetwork | GivenNetwork,
        checked: MutableMapping[object, bool],
    ) -> None:
        """Build the model with the initial weights of the seed, and trace its loop.

        Args:
            settings: the trial.
            network: the network.
            checked: results of self-checks in this process, by shape; a new shape's is added.
        """
        began = time.perf_counter()
        self._settings = settings
        self._file = network.file
        self._session = KerasSession(settings.seed)
        self._starts = np.arange(settings.windows // settings.batch_size) * settings.batch_size
        before = ops.uid()
        with self._session.use():
            self.model = build_network(settings, network)
            unroll(self.model)
            self._weights = self.model.trainable_variables
            self._adam = _slots(self._weights)
            self._loss = import_keras().losses.CategoricalCrossentropy()
            self.layers = layers_of(self.model)
            self._train = tf.function(self._train_epochs, autograph=False)
            sequences = tf.TensorSpec([None, sequence_length(settings)], tf.int32)
            self._generator = global_seed_generator().state.value  # the function may have made another
            self._evaluate = tf.function(
                self._evaluate_sequences, autograph=False, input_signature=[sequences]
            )
            with in_user_code(self._file, f"the model of {settings.arch} failed"):
                traced = [
                    self._train.get_concrete_function(tf.constant(0, tf.int64), tf.constant(0)),
                    self._evaluate.get_concrete_function(),
                ]
        self._others = self._other_variables(traced)
        self._forms = [(array.shape, array.dtype) for array in self.arrays()]
        kept = [*self._others, *(weight.value for weight in self._weights)]
        shared = any(_number(variable) < before for variable in kept)
        shape = _shape(settings)
        if shape not in checked:
            checked[shape] = is_deterministic(self, settings) and builds_alike(settings, network)
        self.deterministic = checked[shape] and not shared
        self.trace_s = time.perf_counter() - began

    def _other_variables(self, traced: Sequence[Any]) -> list[tf.Variable]:
        """Find every variable that the loop reads besides the weights that it trains.

        These are moving averages, states of recurrent layers and of random generators, frozen weights, and
        variables that a layer keeps without Keras' knowledge.

        Args:
            traced: the traced functions.

        Returns:
            The variables in the order in which they were made, which is the same in every process.

        Raises:
            NetworkError: a variable cannot be saved.
        """
        read = {id(variable): variable for function in traced for variable in function.graph.variables}
        read[id(self._generator)] = self._generator
        for weight in self._weights:
            read.pop(id(weight.value), None)
        for variable in read.values():
            if variable.dtype == tf.string:
                arch = self._settings.arch
                raise NetworkError(f"{self._file}: {arch}: {variable.name} is text; use variables of numbers")
        return sorted(read.values(), key=_number)

    def train(self, after: int, epochs: int) -> Epochs:
        """Train some epochs."""
        with self._running("training"):
            losses, accuracies, trained = self._train(tf.constant(after, tf.int64), tf.constant(epochs))
        done = int(trained)
        return Epochs(losses.numpy()[:done], accuracies.numpy()[:done])

    def evaluate(self, sequences: Ints) -> Evaluated:
        """Predict every window of some sequences; a layer that draws or counts meanwhile is put back."""
        before = self.arrays()
        with self._running("evaluation"):
            predicted, confidence = self._evaluate(tf.constant(sequences))
        self.load(before)
        shape = (len(sequences), self._settings.windows, self._settings.n_out)
        return Evaluated(predicted.numpy().reshape(shape), confidence.numpy().reshape(shape))

    @contextmanager
    def _running(self, what: str) -> Iterator[None]:
        with (
            self._session.use(),
            in_user_code(self._file, f"the model of {self._settings.arch} failed in {what}"),
        ):
            yield

    def weights(self) -> list[Floats]:
        """Copy the model's weights."""
        weights: list[Floats] = self.model.get_weights()
        return weights

    def arrays(self) -> list[Any]:
        """Copy weights, Adam's two slots, and every other variable."""
        return [*self._adam.arrays(), *(variable.numpy() for variable in self._others)]

    def load(self, arrays: Sequence[Any]) -> None:
        """Go on from a copy."""
        # NumPy's files know no bfloat16: its bytes come back as they are.
        arrays = [
            array.view(kind) if array.dtype.kind == "V" and array.dtype.itemsize == kind.itemsize else array
            for array, (_, kind) in zip(arrays, self._forms, strict=True)
        ]
        if [(array.shape, array.dtype) for array in arrays] != self._forms:
            raise ValueError("arrays of unexpected shapes or types")
        trained = 3 * len(self._weights)
        handles = [handle for group in self._adam for handle in group]
        for handle, array in zip(handles, arrays[:trained], strict=True):
            tf.raw_ops.AssignVariableOp(resource=handle, value=array)
        for variable, array in zip(self._others, arrays[trained:], strict=True):
            variable.assign(array)

    def _train_epochs(self, after: Tensor, epochs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Train epoch by epoch in the graph; return losses, accuracies and the number of trained epochs."""
        settings = self._settings
        keys = tf.constant(stream(Domain.TRAINING, settings.seed), tf.uint64)
        batches = len(self._starts)

        def train_epoch(done: Tensor, _: Tensor, losses: Any, accuracies: Any) -> tuple[Any, ...]:
            before = after + tf.cast(done, tf.int64)
            epoch = tf.cast(before + 1, tf.uint64)
            sequence = draw_integers(keys, epoch, sequence_length(settings), settings.values)
            rates = adam_rates(settings.learning_rate, before * batches, batches)
            reset_states(self.model)
            loss, accuracy = self._train_batches(sequence, rates)
            return done + 1, loss, losses.write(done, loss), accuracies.write(done, accuracy)

        arrays = [tf.TensorArray(tf.float32, epochs, element_shape=[]) for _ in range(2)]
        done, _, losses, accuracies = tf.while_loop(
            lambda done, loss, *_: (done < epochs) & tf.math.is_finite(loss),
            train_epoch,
            (tf.constant(0), tf.constant(0.0), *arrays),
        )
        return losses.stack(), accuracies.stack(), done

    def _train_batches(self, sequence: Tensor, rates: Tensor) -> tuple[Tensor, Tensor]:
        """Update once for each batch of a sequence; return the means of their losses and accuracies."""
        batches = len(self._starts)
        if batches == 1:
            return self._update(sequence, 0, rates[0])

        def train_batch(batch: Tensor, loss: Tensor, accuracy: Tensor) -> tuple[Tensor, ...]:
            more_loss, more_accuracy = self._update(sequence, tf.gather(self._starts, batch), rates[batch])
            return batch + 1, loss + more_loss, accuracy + more_accuracy

        _, loss, accuracy = tf.while_loop(
            lambda batch, *_: batch < batches,
            train_batch,
            (tf.constant(0), tf.constant(0.0), tf.constant(0.0)),
        )
        return loss / batches, accuracy / batches

    def _update(self, sequence: Tensor, start: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
        """Make one Adam update from the windows that begin at `start`; return loss and accuracy."""
        inputs, labels = self._batch(sequence, start)
        weights = [weight.value for weight in self._weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            outputs = self.model(inputs, training=True)
            loss = self._loss(tf.one_hot(labels, self._settings.vocab), outputs)
            loss = tf.add_n([loss, *map(tf.reduce_sum, self.model.losses)])
        gradients = tape.gradient(loss, weights)
        if all(gradient is None for gradient in gradients):
            raise NetworkError(
                f"{self._file}: {self._settings.arch}: no weight of the model changes its output"
            )
        apply_adam(self._adam, gradients, rate)
        for weight in self._weights:
            if weight.constraint is not None:
                weight.assign(weight.constraint(weight))
        hits = tf.equal(tf.argmax(outputs, axis=-1, output_type=tf.int32), labels)
        return loss, tf.reduce_mean(tf.cast(hits, tf.float32))

    def _evaluate_sequences(self, sequences: Tensor) -> tuple[Tensor, Tensor]:
        """Predict sequence by sequence, batch by batch; return (batches, batch_size, n_out) of each."""
        settings = self._settings
        batches = len(self._starts)

        def predict_batch(number: Tensor, symbols: Any, values: Any) -> tuple[Any, ...]:
            tf.cond(number % batches > 0, lambda: None, lambda: reset_states(self.model))
            sequence = tf.gather(sequences, number // batches)
            inputs, _ = self._batch(sequence, tf.gather(self._starts, number % batches))
            softmax = self.model(inputs, training=False)
            symbols = symbols.write(number, tf.argmax(softmax, axis=-1, output_type=tf.int32))
            return number + 1, symbols, values.write(number, tf.reduce_max(softmax, axis=-1))

        rows = tf.shape(sequences)[0] * batches
        row = [settings.batch_size, settings.n_out]
        _, symbols, confidence = tf.while_loop(
            lambda number, *_: number < rows,
            predict_batch,
            (
                tf.constant(0),
                tf.TensorArray(tf.int32, rows, element_shape=row),
                tf.TensorArray(tf.float32, rows, element_shape=row),
            ),
        )
        return symbols.stack(), confidence.stack()

    def _batch(self, sequence: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
        """Return one batch's one-hot windows, (batch, n_in, vocab), and labels, (batch, n_out)."""
        settings = self._settings
        offsets = np.add.outer(np.arange(settings.batch_size), np.arange(settings.n_in))
        windows = tf.gather(sequence, start + offsets)
        return tf.one_hot(windows, settings.vocab), windows[:, : settings.n_out]


def _number(variable: tf.Variable) -> int:
    """Return the number of a variable in the order in which TensorFlow made things."""
    return int(variable._unique_id.rpartition("_")[2])


def _shape(settings: TrialSettings) -> str:
    """Return what a model's computation depends on besides the seed."""
    same = settings.model_copy(update={"seed": 0, "epochs": 1})
    return same.canonical_json


def _slots(weights: Sequence[Any]) -> Variables:
    """Make Adam's slots beside the variables of a model."""
    zeros = Variables.starting_from([np.zeros(weight.shape, np.float32) for weight in weights])
    return zeros._replace(weights=tuple(weight.value.handle for weight in weights))
