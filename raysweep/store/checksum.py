"""Bytes that carry their own checksum.

Nothing outside a row in `trials/` vouches for it, since that row is what commits a trial. So the writer
leaves a slot of zeros in the bytes, takes the SHA-256 of the whole with the slot still zero, and fills
the digest in; a reader puts the zeros back and compares. This is how tar and IP headers do it. Any
flipped bit, cut or addition is noticed wherever it happens, footer and metadata included, and the check
depends on no library's way of writing Parquet.
"""

import hashlib
from typing import Final

from raysweep.errors import ResultsError

_MARK: Final = b"raysweep-seal-sha256:"
_EMPTY: Final = b"0" * 64

SLOT: Final = (_MARK + _EMPTY).decode()
"""What the writer puts once into the bytes, after anything that somebody else may have chosen."""


def embed(data: bytes) -> bytes:
    """Fill the last empty slot of `data` with the digest of the whole.

    Raises:
        ValueError: there is no empty slot.

    >>> is_intact(embed(b"some bytes" + SLOT.encode()))
    True
    """
    start = data.rindex(_MARK + _EMPTY) + len(_MARK)
    return data[:start] + hashlib.sha256(data).hexdigest().encode() + data[start + len(_EMPTY) :]


def is_intact(data: bytes) -> bool:
    """Whether the bytes are those that were sealed.

    >>> is_intact(embed(b"some bytes" + SLOT.encode()).replace(b"some", b"sime"))
    False
    """
    mark = data.rfind(_MARK)
    start = mark + len(_MARK)
    end = start + len(_EMPTY)
    if mark < 0 or end > len(data):
        return False
    digest = hashlib.sha256(data[:start])
    digest.update(_EMPTY)
    digest.update(data[end:])
    return digest.hexdigest().encode() == data[start:end]


def append(payload: bytes) -> bytes:
    """The payload with a filled slot behind it."""
    return embed(payload + SLOT.encode())


def strip(data: bytes) -> bytes:
    """The payload that `append` was given.

    Raises:
        ResultsError: the bytes are not what was sealed.

    >>> strip(append(b"weights"))
    b'weights'
    """
    payload = data[: -len(SLOT)]
    if not is_intact(data) or data[len(payload) :][: len(_MARK)] != _MARK:
        raise ResultsError("the bytes do not match their checksum")
    return payload
