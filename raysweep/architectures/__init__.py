"""Architectures: one module for each that is built in, and one for what all networks of users have in common.

A module says what is peculiar to its architecture: defaults, the rule for `n_in`, the Keras layers, the
hand-written step, the cost. The rest of raysweep asks `architecture_of`. Another built-in architecture is
another module and another line in `BUILT_IN`.
"""

from collections.abc import Mapping
from typing import Final

from raysweep.architectures.echo import Echo
from raysweep.architectures.interface import Architecture, BuiltIn
from raysweep.architectures.own import OwnNetwork
from raysweep.architectures.seq2seq import Seq2seq

BUILT_IN: Final[Mapping[str, BuiltIn]] = {"echo": Echo(), "seq2seq": Seq2seq()}
"""Built-in architectures, by the name that a grid's `arch` gives."""

_OWN: Final = OwnNetwork()


def architecture_of(arch: str) -> Architecture:
    """Return a built-in architecture; any other name is that of a user's network.

    >>> architecture_of("echo").usual_n_in(2), architecture_of("seq2seq").usual_n_in(2)
    (2, 5)
    >>> dict(architecture_of("gru").defaults)
    {'epochs': 5000, 'windows': 21, 'batch_size': 21, 'eval_every': 250}
    """
    return BUILT_IN.get(arch, _OWN)
