"""Compiled steps: the loop over epochs and batches, and the evaluation, traced once for each shape.

Everything in which trials of one shape can differ, including the variables, is passed in at run time. So
replicates share a trace, no trial can see another trial's state, and the steps hold no state themselves.
"""

import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import tensorflow as tf

from raysweep.experiment import built_in_step
from raysweep.experiment.adam import Variables, adam_rates, apply_adam, read
from raysweep.experiment.built_in_step import Shape
from raysweep.experiment.learner import Epochs, Evaluated
from raysweep.experiment.lstm import State, Tensor
from raysweep.experiment.models import layer_weights
from raysweep.experiment.runtime import lean_execution
from raysweep.experiment.sequences import Domain, draw_integers, stream
from raysweep.trial.result import Ints
from raysweep.trial.settings import TrialSettings

MAX_SHAPES: Final = 16
"""Number of shapes whose steps one process keeps; the least recently used are dropped."""


class Steps:
    """The compiled steps of one shape; traced when first used, or by `trace`."""

    def __init__(self, settings: TrialSettings) -> None:
        """Prepare the functions for trials of the same shape as `settings`; nothing is traced yet."""
        self.shape = Shape.of(settings)
        self._weight_shapes = [weight.shape for weight in layer_weights(settings)]
        self._train = tf.function(self._train_epochs, autograph=False)
        handles = len(self._weight_shapes) * (tf.TensorSpec([], tf.resource),)
        sequences = tf.TensorSpec([None, self.shape.sequence_length], tf.int32)
        self._evaluate = tf.function(
            self._evaluate_sequences, autograph=False, input_signature=(handles, sequences)
        )
        self._traced = False

    def trace(self, variables: Variables, settings: TrialSettings) -> float:
        """Trace both functions if necessary, without training; return the seconds taken."""
        if self._traced:
            return 0.0
        start = time.perf_counter()
        self.train(variables, settings, after=0, epochs=0)
        self.evaluate(variables, np.zeros([0, self.shape.sequence_length], np.int32))
        self._traced = True
        return time.perf_counter() - start

    def train(self, variables: Variables, settings: TrialSettings, after: int, epochs: int) -> Epochs:
        """Train the epochs `after + 1` to `after + epochs`; stop after a loss that is not finite."""
        with lean_execution():
            losses, accuracies, trained = self._train(
                variables,
                tf.constant(stream(Domain.TRAINING, settings.seed), tf.uint64),
                tf.constant(settings.values, tf.int32),
                tf.constant(settings.learning_rate, tf.float32),
                tf.constant(after, tf.int64),
                tf.constant(epochs, tf.int32),
            )
        done = int(trained)
        return Epochs(losses.numpy()[:done], accuracies.numpy()[:done])

    def evaluate(self, variables: Variables, sequences: Ints) -> Evaluated:
        """Predict every window of sequences of shape (eval_sequences, windows + n_in - 1)."""
        with lean_execution():
            predicted, confidence = self._evaluate(variables.weights, tf.constant(sequences))
        return Evaluated(self._by_window(predicted), self._by_window(confidence))

    def _by_window(self, batches: Tensor) -> Any:
        """Reorder (sequences * batches, n_out * batch) into (sequences, windows, n_out)."""
        shape = self.shape
        by_time = batches.numpy().reshape(-1, shape.n_out, shape.batch_size)
        return by_time.transpose(0, 2, 1).reshape(-1, shape.windows, shape.n_out)

    def _train_epochs(
        self,
        variables: Variables,
        stream: Tensor,
        values: Tensor,
        learning_rate: Tensor,
        after: Tensor,
        epochs: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Train epoch by epoch in the graph; return losses, accuracies and the number of trained epochs."""

        def train_epoch(done: Tensor, _: Tensor, losses: Any, accuracies: Any) -> tuple[Any, ...]:
            before = after + tf.cast(done, tf.int64)
            sequence = draw_integers(
                stream, tf.cast(before + 1, tf.uint64), self.shape.sequence_length, values
            )
            rates = adam_rates(learning_rate, before * self.shape.batches, self.shape.batches)
            loss, accuracy = self._train_sequence(variables, sequence, rates)
            return done + 1, loss, losses.write(done, loss), accuracies.write(done, accuracy)

        arrays = [tf.TensorArray(tf.float32, epochs, element_shape=[]) for _ in range(2)]
        done, _, losses, accuracies = tf.while_loop(
            lambda done, loss, *_: (done < epochs) & tf.math.is_finite(loss),
            train_epoch,
            (tf.constant(0), tf.constant(0.0), *arrays),
        )
        return losses.stack(), accuracies.stack(), done

    def _train_sequence(self, variables: Variables, sequence: Tensor, rates: Tensor) -> tuple[Tensor, Tensor]:
        """Update once for each batch of a sequence; return the means of their losses and accuracies."""
        batches, outputs = self.shape.batches, self.shape.n_out * self.shape.batch_size
        if batches == 1:
            losses, hits, _ = self._update(variables, sequence, rates[0], self._no_states())
        else:
            parts = self._batches(sequence)

            def train_batch(batch: Tensor, losses: Tensor, hits: Tensor, states: Any) -> tuple[Any, ...]:
                part, rate = tf.gather(parts, batch), tf.gather(rates, batch)
                more_losses, more_hits, states = self._update(variables, part, rate, states)
                return batch + 1, losses + more_losses, hits + more_hits, states

            _, losses, hits, _ = tf.while_loop(
                lambda batch, *_: batch < batches,
                train_batch,
                (tf.constant(0), tf.zeros([outputs]), tf.zeros([outputs]), self._zero_states()),
            )
        return tf.reduce_mean(losses) / batches, tf.reduce_mean(hits) / batches

    def _update(
        self, variables: Variables, tokens: Tensor, rate: Tensor, states: Sequence[State | None]
    ) -> tuple[Tensor, Tensor, list[State]]:
        """Make one Adam update.

        Returns:
            (n_out * batch,): the loss of each output.
            (n_out * batch,): 1 if the largest output is the target, else 0.
            The states after the batch.
        """
        shape = self.shape
        weights = self._weights(variables.weights)
        done = built_in_step.forward(shape, weights, tokens, states)
        labels = built_in_step.targets(shape, tokens)
        losses, gradient = tf.raw_ops.SoftmaxCrossEntropyWithLogits(
            features=done.logits, labels=tf.one_hot(labels, shape.vocab)
        )
        hits = tf.equal(tf.argmax(done.logits, axis=1, output_type=tf.int32), labels)
        gradient = gradient * (1.0 / (shape.n_out * shape.batch_size))
        apply_adam(variables, built_in_step.backward(shape, weights, done, gradient), rate)
        return losses, tf.cast(hits, tf.float32), done.states

    def _evaluate_sequences(self, variables: Sequence[Tensor], sequences: Tensor) -> tuple[Tensor, Tensor]:
        """Predict sequence by sequence, batch by batch; return one row for each batch."""
        shape = self.shape
        weights = self._weights(variables)
        parts = tf.reshape(self._batches(sequences), [-1, shape.batch_length])

        def predict_batch(number: Tensor, symbols: Any, values: Any, *states: Any) -> tuple[Any, ...]:
            # One batch is a whole sequence: there is no state to carry.
            before = self._carried(number, states) if states else self._no_states()
            done = built_in_step.forward(shape, weights, tf.gather(parts, number), before)
            softmax = tf.nn.softmax(done.logits)
            symbols = symbols.write(number, tf.argmax(softmax, axis=1, output_type=tf.int32))
            values = values.write(number, tf.reduce_max(softmax, axis=1))
            return number + 1, symbols, values, *(done.states if states else ())

        rows = tf.shape(parts)[0]
        row = [shape.n_out * shape.batch_size]
        symbols, confidence = tf.while_loop(
            lambda number, *_: number < rows,
            predict_batch,
            (
                tf.constant(0),
                tf.TensorArray(tf.int32, rows, element_shape=row),
                tf.TensorArray(tf.float32, rows, element_shape=row),
                *(self._zero_states() if shape.batches > 1 else ()),
            ),
        )[1:3]
        return symbols.stack(), confidence.stack()

    def _carried(self, number: Tensor, states: Sequence[State]) -> list[State]:
        """Return the states that a batch starts with: zeros for the first batch of a sequence."""
        carried = tf.cast(number % self.shape.batches > 0, tf.float32)
        return [State(state.hidden * carried, state.cell * carried) for state in states]

    def _weights(self, variables: Sequence[Tensor]) -> list[Tensor]:
        """Return the values of the weights' variables, of known shapes."""
        weights = [read(variable) for variable in variables]
        for weight, shape in zip(weights, self._weight_shapes, strict=True):
            weight.set_shape(shape)
        return weights

    def _batches(self, sequences: Tensor) -> Tensor:
        """Return the integers of each batch's windows, (..., batches, batch + n_in - 1): the rows overlap."""
        starts = np.arange(self.shape.batches) * self.shape.batch_size
        return tf.gather(sequences, np.add.outer(starts, np.arange(self.shape.batch_length)), axis=-1)

    def _zero_states(self) -> list[State]:
        zeros = tf.zeros([self.shape.batch_size, self.shape.mem])
        return [State(zeros, zeros) for _ in range(self.shape.architecture.num_layers)]

    def _no_states(self) -> list[None]:
        return [None] * self.shape.architecture.num_layers


class CompiledSteps:
    """Cache of the compiled steps of the last shapes used; one per process that trains many trials.

    Trials of one shape, such as replicates, share a trace and nothing else.

    Attributes:
        checked: whether users' networks passed the self-check, by shape; they share no steps.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._by_shape: OrderedDict[Shape, Steps] = OrderedDict()
        self.checked: dict[object, bool] = {}

    def of(self, settings: TrialSettings) -> Steps:
        """Return the steps for a trial's shape, new steps if the shape is not in the cache."""
        shape = Shape.of(settings)
        steps = self._by_shape.pop(shape, None) or Steps(settings)
        self._by_shape[shape] = steps
        if len(self._by_shape) > MAX_SHAPES:
            self._by_shape.popitem(last=False)
        return steps
