"""What a trial's row vouches for, where it can be read without reading Parquet.

The row has the sizes and checksums of the trial's other files in its columns, and its outcome; the same
stands as JSON beside the seal, in the metadata of the row's file. A sweep of 10,000 trials is checked at the
start of every run and counted for every report; opening as many Parquet files would take ten times as long.
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
"""Version of the tables' columns and their meaning; a reader refuses any other."""

_MARK: Final = "raysweep-receipt:"  # as in the files
_FOREIGN: Final = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading JSON of another shape raises."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What identifies a file's bytes."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The digest of these bytes."""
        return cls(len(data), hashlib.sha256(data).hexdigest())

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` and JSON made of a digest.

        Raises:
            ValueError: this is none; where a key is missing, KeyError.
        """
        size, sha256 = content["size"], content["sha256"]
        if type(size) is not int or type(sha256) is not str:
            raise ValueError("no digest")
        return cls(size, sha256)

    def check(self, data: bytes) -> None:
        """Compare with what was written.

        Raises:
            ResultsError: the bytes are others.
        """
        if len(data) != self.size:
            raise ResultsError(f"the file has {len(data):,} bytes, {self.size:,} were written")
        if Digest.of(data) != self:
            raise ResultsError("the file does not match its checksum")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a trial's row says of its other files, and of what they hold."""

    trial_id: str
    predictions: Digest | None
    """None where the training diverged."""
    curves: Digest
    counts: TrialCounts

    def columns(self) -> dict[str, Any]:
        """The sizes and checksums as columns of `trials`."""
        digests = {"predictions": self.predictions, "curves": self.curves}
        return {
            **{f"{kind}_size": digest and digest.size for kind, digest in digests.items()},
            **{f"{kind}_sha256": digest and digest.sha256 for kind, digest in digests.items()},
        }

    def unsealed(self) -> str:
        """The text for the file's metadata, to be sealed with the file."""
        content = {"schema": SCHEMA_VERSION, **asdict(self)}
        content["tally"] = content.pop("counts")  # the name in the files
        return _MARK + json.dumps(content) + checksum.SLOT


def read_manifest(data: bytes) -> Manifest:
    """Read the manifest from the bytes of a file of `trials/`.

    Raises:
        ResultsError: the bytes are not those that were written, or not what raysweep writes.
        UnknownSchemaError: another version of raysweep wrote them.
    """
    start = data.rfind(_MARK.encode())
    if start < 0 or not checksum.is_intact(data):
        raise ResultsError("the row does not match its checksum")
    text = data[start + len(_MARK) :].decode("latin-1")  # what follows the JSON is Parquet's
    try:
        content, _ = json.JSONDecoder().raw_decode(text)
        # Rows of before the first release had none.
        require_known(content.get("schema") if "tally" in content else "0")
        predictions = content["predictions"]
        if predictions is not None:
            predictions = Digest.from_json(predictions)
        counts = TrialCounts.from_json(content["tally"])
        return Manifest(content["trial_id"], predictions, Digest.from_json(content["curves"]), counts)
    except _FOREIGN as error:  # sealed, but by somebody else
        raise ResultsError("the row's metadata is not valid raysweep data") from error


def require_known(version: object) -> None:
    """Refuse a schema that this raysweep does not know.

    Raises:
        UnknownSchemaError: with both versions.
    """
    if str(version) != str(SCHEMA_VERSION):
        raise UnknownSchemaError(
            f"the schema's version is {version!r}, and this raysweep reads version {SCHEMA_VERSION}; "
            "use the raysweep that wrote the results"
        )
