"""Networks of users that a grid names, from its networks files or from the content of a results folder."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic.fields import FieldInfo

from raysweep.architectures import BUILT_IN
from raysweep.grid.values import choice_of, either
from raysweep.trial.network import Network, NetworkSource


@dataclass(frozen=True)
class GridNetworks:
    """Networks of users that a grid names in `arch` or by a section."""

    given: bool = False
    """Whether the grid has a key `networks`."""
    valid: Mapping[str, Network] = field(default_factory=dict)
    """By the name of the architecture."""
    files: Mapping[str, str] = field(default_factory=dict)
    """File of each valid network, as the grid writes it."""
    sources: Mapping[str, NetworkSource] = field(default_factory=dict)
    """Text of each valid network's file; empty if the networks are from a results folder."""
    invalid: Sequence[str] = ()
    """Names that the grid gives to networks whose problem is reported."""
    spare: Sequence[str] = ()
    """Other networks of the files, to suggest."""
    functions: Collection[str] = ()
    """All functions of the files, to recognise a misspelt name."""

    @property
    def archs(self) -> tuple[str, ...]:
        """Architectures that the grid may set: the built-in ones, and those that it names."""
        return (*BUILT_IN, *self.valid, *self.invalid)

    @property
    def arch_field(self) -> FieldInfo:
        """Field of the setting `arch`."""
        described = either([*BUILT_IN, *self.valid, *self.spare])
        if not self.given:
            described += ", or name your network's file under networks"
        return choice_of(tuple(dict.fromkeys([*self.archs, *self.functions])), described)

    def content(self, archs: Collection[str]) -> dict[str, Any]:
        """Return the networks among some architectures as plain JSON-able values."""
        return {
            arch: {"network": network.sha256, "file": self.files[arch], "options": dict(network.options)}
            for arch, network in self.valid.items()
            if arch in archs
        }
