"""What raysweep asks of an architecture, and what a built-in one asks of the compiled loop."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

Tensor: TypeAlias = Any


class Sizes(Protocol):
    """Settings of a trial that determine the shapes of its network."""

    @property
    def n_in(self) -> int:
        """Input timesteps."""

    @property
    def n_out(self) -> int:
        """Output timesteps."""

    @property
    def mem(self) -> int:
        """Units of each recurrent layer."""

    @property
    def vocab(self) -> int:
        """Width of the one-hot encoding."""

    @property
    def batch_size(self) -> int:
        """Windows per update."""


@dataclass(frozen=True, slots=True)
class LayerWeight:
    """One weight of a Keras model, as `raysweep show` lists it."""

    layer: str
    """Name of the layer, such as lstm, lstm_1, dense."""
    weight: str
    """Name within the layer, such as kernel, recurrent_kernel or bias."""
    shape: tuple[int, ...]


class Architecture(ABC):
    """What raysweep asks of every architecture."""

    defaults: ClassVar[Mapping[str, int]]
    """Defaults of settings that the grid file omits, where architectures differ in them."""
    trace_s: ClassVar[float] = 0.5
    """Assumed seconds to trace a trial's compiled steps; some trials of built-in ones share them."""

    @abstractmethod
    def usual_n_in(self, n_out: int) -> int:
        """Return the input timesteps of a trial whose grid does not set `n_in`."""

    def n_in_conflict(self, n_in: int, n_out: int) -> str | None:
        """Say why an `n_in` is not possible, and what to do; None if it is. None is less than `n_out`."""
        return None

    @abstractmethod
    def timesteps(self, sizes: Sizes) -> int:
        """Count the timesteps of recurrent layers in one forward pass."""

    @abstractmethod
    def multiplications(self, sizes: Sizes) -> int:
        """Count the multiplications of one batch's forward pass that cannot be avoided."""

    @abstractmethod
    def num_weights(self, sizes: Sizes) -> int:
        """Count the trained weights."""


class BuiltIn(Architecture):
    """An architecture whose step is written by hand: LSTM layers, then a dense softmax at each timestep."""

    @abstractmethod
    def weights(self, sizes: Sizes) -> tuple[LayerWeight, ...]:
        """List the network's weights, in the order of ``keras.Model.get_weights``."""

    @abstractmethod
    def hidden(self, sizes: Sizes, window: Tensor, layers: "KerasLayers") -> Tensor:
        """Connect Keras layers from the one-hot window to what the softmax layer reads.

        Args:
            sizes: the trial's sizes.
            window: Keras tensor, (batch_size, n_in, vocab).
            layers: makes the layers.

        Returns:
            Keras tensor, (batch_size, n_out, mem).
        """

    @abstractmethod
    def forward(self, step: "Step", weights: Sequence[Tensor], states: Sequence[Any]) -> tuple["Layer", ...]:
        """Run the LSTM layers over one batch.

        Args:
            step: the arithmetic of this batch.
            weights: values in the order of `weights`, without those of the softmax layer.
            states: state of each LSTM layer, None for zeros.

        Returns:
            The layers; the softmax layer reads the last one's outputs.
        """

    @abstractmethod
    def backward(
        self,
        step: "Step",
        weights: Sequence[Tensor],
        layers: Sequence["Layer"],
        hidden_gradient: Tensor,
    ) -> list[Tensor]:
        """Return the gradients of the weights that `forward` read, in their order.

        Args:
            step: the arithmetic of this batch.
            weights: as for `forward`.
            layers: what `forward` returned.
            hidden_gradient: (n_out * batch, mem): gradient of the last layer's outputs.
        """

    @property
    @abstractmethod
    def num_layers(self) -> int:
        """Number of LSTM layers."""

    def num_weights(self, sizes: Sizes) -> int:
        """Count the trained weights: kernels, recurrent kernels and biases."""
        return sum(_product(weight.shape) for weight in self.weights(sizes))


class KerasLayers(Protocol):
    """Makes Keras layers of the trial's sizes and of float32."""

    def lstm(self, name: str, *, return_sequences: bool = False) -> Any:
        """Return a stateful LSTM layer of `mem` units."""

    def repeat(self, name: str) -> Any:
        """Return a layer that repeats a vector `n_out` times."""


class State(NamedTuple):
    """State that an LSTM carries from batch to batch; each field is (batch, units)."""

    hidden: Tensor
    cell: Tensor


class Gradients(NamedTuple):
    """Gradients of the loss by a layer's inputs; no gradient flows back into the previous batch."""

    rows: Tensor
    """(rows, 4 units): of the projected input."""
    recurrent_kernel: Tensor
    """(units, 4 units)"""


class Layer(Protocol):
    """A layer that has run forward, and keeps the values that its backward pass needs."""

    @property
    def hidden(self) -> Tensor:
        """Outputs, timestep by timestep: (timesteps * batch, units)."""

    @property
    def state(self) -> State:
        """State after the last timestep, for the next batch."""

    def backward(self, hidden_gradient: Tensor) -> Gradients:
        """Propagate the gradient back through the timesteps.

        Args:
            hidden_gradient: (timesteps * batch, units): gradient of the outputs; or (batch, units), if the
                layers above read only the last timestep's output.
        """


class Step(Protocol):
    """Arithmetic of one batch of overlapping windows, forward and backward."""

    def read_window(self, weights: Sequence[Tensor], state: Any) -> Layer:
        """Run an LSTM over the `n_in` timesteps of the windows.

        Args:
            weights: kernel, recurrent kernel, bias.
            state: before the first timestep; None for zeros.
        """

    def read_repeated(self, vector: Tensor, weights: Sequence[Tensor], state: Any) -> Layer:
        """Run an LSTM over `n_out` timesteps that all read one vector, (batch, units)."""

    def window_gradients(self, layer: Layer, hidden_gradient: Tensor) -> list[Tensor]:
        """Return the gradients of the three weights of a layer that read the windows."""

    def repeated_gradients(
        self, vector: Tensor, weights: Sequence[Tensor], layer: Layer, hidden_gradient: Tensor
    ) -> tuple[list[Tensor], Tensor]:
        """Return the gradients of the three weights of a layer that read a vector, and that of the vector."""


def lstm_weights(layer: str, width: int, mem: int) -> tuple[LayerWeight, ...]:
    """List the weights of an LSTM layer that reads vectors of a width.

    >>> [weight.shape for weight in lstm_weights("lstm", width=100, mem=16)]
    [(100, 64), (16, 64), (64,)]
    """
    gates = 4 * mem
    return (
        LayerWeight(layer, "kernel", (width, gates)),
        LayerWeight(layer, "recurrent_kernel", (mem, gates)),
        LayerWeight(layer, "bias", (gates,)),
    )


def softmax_weights(sizes: Sizes) -> tuple[LayerWeight, ...]:
    """List the weights of the dense softmax layer."""
    return (
        LayerWeight("dense", "kernel", (sizes.mem, sizes.vocab)),
        LayerWeight("dense", "bias", (sizes.vocab,)),
    )


def lstm_multiplications(sizes: Sizes, timesteps: int) -> int:
    """Count the multiplications of one batch by LSTM layers and the softmax layer.

    The timesteps are those of all LSTM layers. An LSTM of M units multiplies M × 4M at every timestep; a
    one-hot input costs nothing. The softmax layer multiplies M × vocab at every output timestep.
    """
    recurrent = 4 * sizes.mem**2
    return sizes.batch_size * (timesteps * recurrent + sizes.n_out * sizes.mem * sizes.vocab)


def _product(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
