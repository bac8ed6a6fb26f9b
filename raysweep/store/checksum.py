"""Embedded checksums: bytes that contain the SHA-256 of the whole.

No other file holds the checksum of a row in `trials/`, because writing the row commits the trial. So the
writer leaves a slot of zeros in the bytes, computes the SHA-256 of the whole with the slot still zero, and
fills in the digest; a reader restores the zeros and compares, as for tar and IP headers. Any flipped bit,
cut or addition is noticed, footer and metadata included, and the check does not depend on how a library
writes Parquet.
"""

import hashlib
from typing import Final

from raysweep.errors import ResultsError

_MARK: Final = b"raysweep-seal-sha256:"
_EMPTY: Final = b"0" * 64

SLOT: Final = (_MARK + _EMPTY).decode()
"""Empty slot that the writer puts once into the bytes, after all content that others may have chosen."""


def embed(data: bytes) -> bytes:
    """Fill the last empty slot of `data` with the digest of the whole.

    Raises:
        ValueError: `data` has no empty slot.

    >>> is_intact(embed(b"some bytes" + SLOT.encode()))
    True
    """
    start = data.rindex(_MARK + _EMPTY) + len(_MARK)
    return data[:start] + hashlib.sha256(data).hexdigest().encode() + data[start + len(_EMPTY) :]


def is_intact(data: bytes) -> bool:
    """Return whether the bytes match their embedded checksum.

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


def before(data: bytes) -> bytes:
    """Return the bytes before the embedded checksum; all bytes if there is none.

    >>> before(embed(b"some bytes" + SLOT.encode() + b" and more"))
    b'some bytes'
    """
    return data.rpartition(_MARK)[0] or data


def append(payload: bytes) -> bytes:
    """Return the payload followed by a filled slot."""
    return embed(payload + SLOT.encode())


def strip(data: bytes) -> bytes:
    """Return the payload that was given to `append`.

    Raises:
        ResultsError: the bytes do not match their checksum.

    >>> strip(append(b"weights"))
    b'weights'
    """
    payload = data[: -len(SLOT)]
    if not is_intact(data) or data[len(payload) :][: len(_MARK)] != _MARK:
        raise ResultsError("the bytes do not match their checksum")
    return payload
