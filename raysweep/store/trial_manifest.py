"""Manifest of a trial: sizes, checksums and counts, readable without a Parquet reader.

The row's columns hold the outcome and the sizes and checksums of the trial's other files; the same data is
stored as JSON next to the embedded checksum, in the metadata of the row's file. A sweep of 10,000 trials is
checked at the start of every run and counted for every report; opening as many Parquet files would take ten
times as long.
"""

import hashlib
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from raysweep.errors import ResultsError, UnknownSchemaError
from raysweep.store import checksum
from raysweep.store.counts import TrialCounts

SCHEMA_VERSION: Final = 1
"""Version of the tables' columns and their meaning; a reader refuses any other version."""

_MARK: Final = "raysweep-manifest:"


class Digest(BaseModel):
    """Size and SHA-256 of a file's bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Return the digest of these bytes."""
        return cls(size=len(data), sha256=hashlib.sha256(data).hexdigest())

    def check(self, data: bytes) -> None:
        """Compare bytes with the digest.

        Raises:
            ResultsError: the bytes have another digest.
        """
        if len(data) != self.size:
            raise ResultsError(f"the file has {len(data):,} bytes instead of {self.size:,}")
        if Digest.of(data) != self:
            raise ResultsError("the file does not match its checksum")


class Manifest(BaseModel):
    """Sizes and checksums of a trial's other files, and the trial's counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    trial_id: str
    predictions: Digest | None
    """None if the training diverged."""
    curves: Digest
    counts: TrialCounts

    def columns(self) -> dict[str, Any]:
        """Return the sizes and checksums as columns of `trials`."""
        digests = {"predictions": self.predictions, "curves": self.curves}
        return {
            **{f"{kind}_size": digest and digest.size for kind, digest in digests.items()},
            **{f"{kind}_sha256": digest and digest.sha256 for kind, digest in digests.items()},
        }

    def to_metadata(self) -> str:
        """Return the text for the metadata of the row's file, with an empty checksum slot."""
        return f"{_MARK}{SCHEMA_VERSION}:{self.model_dump_json()}{checksum.SLOT}"


def read_manifest(data: bytes) -> Manifest:
    """Read the manifest from the bytes of a file in `trials/`.

    Raises:
        ResultsError: the bytes do not match their checksum, or are not valid raysweep data.
        UnknownSchemaError: another version of raysweep wrote them.
    """
    if not checksum.is_intact(data):
        raise ResultsError("the row does not match its checksum")
    text = checksum.before(data)
    # Rows written before the first release have no such mark.
    version, _, content = text[text.rfind(_MARK.encode()) + len(_MARK) :].partition(b":")
    require_known(version.decode() if _MARK.encode() in text else "0")
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:  # the checksum matches, but raysweep did not write the JSON
        raise ResultsError("the row's metadata is not valid raysweep data") from error


def require_known(version: object) -> None:
    """Raise an error for a schema version that this raysweep does not know.

    Raises:
        UnknownSchemaError: the version is another one; the message names both.
    """
    if str(version) != str(SCHEMA_VERSION):
        raise UnknownSchemaError(
            f"the schema's version is {version!r}, and this raysweep reads version {SCHEMA_VERSION}; "
            "use the raysweep that wrote the results"
        )
