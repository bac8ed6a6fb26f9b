"""Networks of users: what is assumed of a Keras model that nobody here has seen."""

from types import MappingProxyType

from raysweep.architectures.interface import Architecture, Sizes, lstm_multiplications
from raysweep.architectures.seq2seq import Seq2seq


class OwnNetwork(Architecture):
    """A user's function that returns a Keras model; its estimates are those of an encoder and a decoder."""

    defaults = MappingProxyType({"epochs": 5000, "windows": 21, "batch_size": 21, "eval_every": 250})

    trace_s = 1.5

    def usual_n_in(self, n_out: int) -> int:
        """Return 5, or `n_out` if it is more, as for seq2seq."""
        return Seq2seq().usual_n_in(n_out)

    def timesteps(self, sizes: Sizes) -> int:
        """Assume an encoder and a decoder whose timesteps take three times as long as hand-written ones."""
        return 3 * (sizes.n_in + sizes.n_out)

    def multiplications(self, sizes: Sizes) -> int:
        """Assume an encoder and a decoder that multiply one-hot windows and project repeated vectors anew."""
        one_hot = sizes.batch_size * sizes.n_in * sizes.vocab * 4 * sizes.mem
        return lstm_multiplications(sizes, sizes.n_in + 2 * sizes.n_out) + one_hot

    def num_weights(self, sizes: Sizes) -> int:
        """Assume an encoder and a decoder."""
        return Seq2seq().num_weights(sizes)
