"""Manifest of a trial: sizes, checksums and counts, readable without a Parquet reader.

The row's columns hold the outcome and the sizes and checksums of the trial's other files; the same data is
stored as JSON next to the embedded checksum, in the metadata of the row's file. A sweep of 10,000 trials is
checked at the start of every run and counted for every report; opening as many Parquet files would take ten
times as long.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from raysweep.errors import ResultsError, UnknownSchemaError
from raysweep.store import checksum
from raysweep.store.counts import TrialCounts

SCHEMA_VERSION: Final = 1
"""Version of the tables' columns and their meaning; a reader refuses any other version."""

_MARK: Final = "raysweep-receipt:"  # as in the files
_FOREIGN: Final = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""Exceptions from reading JSON of another shape."""


@dataclass(frozen=True, slots=True)
class Digest:
    """Size and SHA-256 of a file's bytes."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Return the digest of these bytes."""
        return cls(len(data), hashlib.sha256(data).hexdigest())

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild a digest from the JSON of its `dataclasses.asdict`.

        Raises:
            ValueError: the content is not a digest; if a key is missing, KeyError.
        """
        size, sha256 = content["size"], content["sha256"]
        if type(size) is not int or type(sha256) is not str:
            raise ValueError("not a digest")
        return cls(size, sha256)

    def check(self, data: bytes) -> None:
        """Compare bytes with the digest.

        Raises:
            ResultsError: the bytes have another digest.
        """
        if len(data) != self.size:
            raise ResultsError(f"the file has {len(data):,} bytes instead of {self.size:,}")
        if Digest.of(data) != self:
            raise ResultsError("the file does not match its checksum")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Sizes and checksums of a trial's other files, and the trial's counts."""

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
        content = {"schema": SCHEMA_VERSION, **asdict(self)}
        content["tally"] = content.pop("counts")  # the name in the files
        return _MARK + json.dumps(content) + checksum.SLOT


def read_manifest(data: bytes) -> Manifest:
    """Read the manifest from the bytes of a file in `trials/`.

    Raises:
        ResultsError: the bytes do not match their checksum, or are not valid raysweep data.
        UnknownSchemaError: another version of raysweep wrote them.
    """
    start = data.rfind(_MARK.encode())
    if start < 0 or not checksum.is_intact(data):
        raise ResultsError("the row does not match its checksum")
    text = data[start + len(_MARK) :].decode("latin-1")  # Parquet data follows the JSON
    try:
        content, _ = json.JSONDecoder().raw_decode(text)
        # Rows written before the first release have no counts.
        require_known(content.get("schema") if "tally" in content else "0")
        predictions = content["predictions"]
        if predictions is not None:
            predictions = Digest.from_json(predictions)
        counts = TrialCounts.from_json(content["tally"])
        return Manifest(content["trial_id"], predictions, Digest.from_json(content["curves"]), counts)
    except _FOREIGN as error:  # the checksum matches, but raysweep did not write the JSON
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
