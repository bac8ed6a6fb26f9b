"""The state of a training as bytes: a checksum, a header that anybody can read, and the arrays.

A trial goes on from a state of its own, or of a trial that differs from it only in having fewer epochs.
"""

import hashlib
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from raysweep.errors import ResultsError
from raysweep.machine import cpu_features, cpu_model, package_versions
from raysweep.trial.resources import Resources
from raysweep.trial.settings import TrialSettings

LAYOUT: Final = 4
"""Version of the header and the arrays; raise it with any change to them, their order or the loop."""

LARGEST_HEADER: Final = 2**13
"""Bytes from the start of a state that certainly contain its header."""

_COMPUTING: Final = ("tensorflow", "keras", "numpy")
_DIGEST_BYTES: Final = 16
_PREFIX: Final = struct.Struct(f">{_DIGEST_BYTES}sI")
"""Checksum of what follows it, and length of the header."""


class MadeWith(BaseModel):
    """What the bits of a training depend on besides its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: int
    source: str
    """SHA-256 of the source of `raysweep.experiment` and `raysweep.architectures`."""
    versions: Mapping[str, str]
    """Versions of the packages that compute, by name."""
    cpu_model: str
    cpu_features: str
    """Digest of the processor's instructions."""
    device: str
    """`cpu`, or the GPU's name."""
    threads: int

    @classmethod
    def here(cls, threads: int, device: str) -> Self:
        """Describe this machine and installation; needs none of the packages that compute."""
        return cls(
            layout=LAYOUT,
            source=_source(),
            versions={name: one for name, one in package_versions().items() if name in _COMPUTING},
            cpu_model=cpu_model(),
            cpu_features=cpu_features(),
            device=device,
            threads=threads,
        )

    def difference(self, here: Self) -> str:
        """Say in which respect a state was made otherwise; empty if it was not."""
        if self.source != here.source or self.layout != here.layout:
            return "made by another version of raysweep's training"
        if changed := [name for name, one in here.versions.items() if self.versions.get(name) != one]:
            made = ", ".join(f"{name} {self.versions.get(name, '?')}" for name in changed)
            return f"made with {made}, here {', '.join(f'{name} {here.versions[name]}' for name in changed)}"
        if self.threads != here.threads and not here.threads:
            threads = f"configure_threads({self.threads})"
            return (
                f"made with cpu = {self.threads}; call raysweep.{threads} before TensorFlow's first operation"
            )
        if self.threads != here.threads:
            return f"made with cpu = {self.threads}, here {here.threads}"
        if (self.cpu_model, self.device) != (here.cpu_model, here.device):
            return f"made on {self.cpu_model}, {self.device}, here {here.cpu_model}, {here.device}"
        if self.cpu_features != here.cpu_features:
            return f"made on another {self.cpu_model}, with other instructions"
        return ""


def made_here(resources: Resources) -> MadeWith | None:
    """Describe what trials are trained with on this machine, to compare it with what made a saved state.

    Return None if they ask for a GPU, whose name only TensorFlow can tell.
    """
    return None if resources.gpu else MadeWith.here(resources.threads, "cpu")


class StateHeader(BaseModel):
    """What a state is of, and what it was made with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: TrialSettings
    """The trial that made it."""
    epoch: int
    """Epochs trained."""
    made_with: MadeWith


def pack(header: StateHeader, arrays: bytes) -> bytes:
    """Return a state's bytes."""
    described = header.model_dump_json().encode()
    content = len(described).to_bytes(4, "big") + described + arrays
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest() + content


def unpack(state: bytes) -> tuple[StateHeader, bytes]:
    """Return a state's header and arrays.

    Raises:
        ResultsError: the bytes are damaged, or of another version of raysweep.
    """
    content = state[_DIGEST_BYTES:]
    if state[:_DIGEST_BYTES] != hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest():
        raise ResultsError("damaged")
    header, end = _header(state)
    return header, state[end:]


def read_header(start: bytes) -> StateHeader:
    """Read the header from the first `LARGEST_HEADER` bytes of a state; its checksum is not computed.

    Raises:
        ResultsError: the bytes are not the start of a state of this version of raysweep.
    """
    return _header(start)[0]


def _header(start: bytes) -> tuple[StateHeader, int]:
    try:
        _, size = _PREFIX.unpack_from(start)
        end = _PREFIX.size + size
        return StateHeader.model_validate_json(start[_PREFIX.size : end]), end
    except (struct.error, ValidationError) as error:
        raise ResultsError("not a state of this version of raysweep") from error


@cache
def _source() -> str:
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for path in sorted([*package.glob("experiment/*.py"), *package.glob("architectures/*.py")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
