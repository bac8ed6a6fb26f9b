"""Settings of one trial, the rules between them, and the trial's id.

A trial is identified by its content: every setting is resolved and validated before anything starts, and
the trial's id is a hash of all settings. Options that do not change a trial's numbers (cores, hosts, how
often a worker reports) are not settings.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from types import MappingProxyType
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from raysweep.architectures import BUILT_IN, architecture_of
from raysweep.trial.network import Option, network_of
from raysweep.trial.options import Options, encoded_options, option_of

SEMANTICS_VERSION: Final = 1
"""Version of the experiment's meaning; a change that alters any trial's numbers must raise it."""

DERIVED: Final = 0
"""Placeholder for a setting derived from the architecture, until `TrialSettings` is resolved."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}$")]
"""Name of a sweep, and so of its folder: no separator, no leading dot, at most 80 characters."""


class TrialSettings(BaseModel):
    """All settings that determine one trial's result; immutable, without unknown fields, checked together.

    Raises:
        pydantic.ValidationError: naming each field that is missing, unknown, of a wrong type, out of
            range, or in conflict with another.

    >>> TrialSettings(arch="seq2seq", len=4, mem=300, seed=0).n_in
    5
    >>> TrialSettings(arch="echo", len=6, mem=16, seed=0).trial_id
    'echo-len6-mem16-seed0-8c1ef053eeb5'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    arch: str
    """Architecture: `echo`, `seq2seq`, or the name of a function that returns a user's network."""
    len: int = Field(ge=1, le=1_000)
    """Output timesteps (LEN, `n_out`): the number of the input's first integers that are repeated."""
    mem: int = Field(ge=1, le=100_000)
    """Units of each recurrent layer (MEM)."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Replicate: fixes initial weights, training data and evaluation data."""
    n_in: int = Field(default=DERIVED, ge=1, le=1_000)
    """Input timesteps; `len` for echo, at least 5 for the others unless set."""
    windows: int = Field(default=DERIVED, ge=1, le=1_000_000)
    """Overlapping windows cut from one random sequence of `windows + n_in - 1` integers."""
    batch_size: int = Field(default=DERIVED, ge=1, le=1_000_000)
    """Windows per update; divides `windows`."""
    epochs: int = Field(default=DERIVED, ge=1, le=1_000_000_000)
    """Fresh random sequences trained on, each once."""
    learning_rate: float = Field(default=0.001, gt=0)
    """Adam's step size; Keras' default."""
    vocab: int = Field(default=100, ge=2, le=1_000_000)
    """Width of the one-hot encoding."""
    values: int = Field(default=99, ge=1, le=1_000_000)
    """Number of distinct integers drawn, 0 to `values - 1`."""
    eval_sequences: int = Field(default=50, ge=1, le=1_000_000)
    """Held-out sequences that the trained network is evaluated on."""
    curve_every: int = Field(default=25, ge=1, le=1_000_000_000)
    """Epochs per point of the learning curve."""
    eval_every: int = Field(default=DERIVED, ge=0, le=1_000_000_000)
    """Epochs between two held-out evaluations during training, a multiple of `curve_every`; 0: none.

    The trained network is always evaluated.
    """
    network: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the file that defines a user's network; None for a built-in architecture."""
    options: Options = ()
    """Every option of a user's network."""

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, given: Any) -> Any:
        """Fill in defaults and derived settings, so that every setting is explicit."""
        if not isinstance(given, Mapping) or not isinstance(given.get("arch"), str):
            return given
        return resolve(given)

    @model_validator(mode="after")
    def _check_conflicts(self) -> Self:
        """Check the rules between fields; the first conflict is reported under its field's name."""
        for field, message in conflicts(self.__dict__):
            raise PydanticCustomError("at_odds", "{message}", {"field": field, "message": message})
        return self

    @classmethod
    def of_network(cls, function: Callable[..., Any], **given: Any) -> Self:
        """Make the settings of a trial that trains a user's network.

        Args:
            function: returns the Keras model; see docs/networks.md.
            given: settings of the trial but `arch`, and options of the function; the other options have
                the function's defaults.

        Raises:
            NetworkFileError: the function cannot be a network.
            UsageError: an option is of another type than its default.
            pydantic.ValidationError: as for the settings of any trial.
        """
        network = network_of(function, cls.model_fields)
        options = {
            name: option_of(name, given.pop(name, default), default)
            for name, default in network.options.items()
        }
        return cls(arch=network.arch, network=network.sha256, options=encoded_options(options), **given)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy with some settings changed, and validate again: a copy must not keep the original's id."""
        return type(self).model_validate({**self.model_dump(), **(update or {})})

    @property
    def n_out(self) -> int:
        """Output timesteps; the same as `len`."""
        return self.len

    @property
    def has_usual_n_in(self) -> bool:
        """Return whether `n_in` is what it is by default."""
        return self.n_in == architecture_of(self.arch).usual_n_in(self.len)

    @property
    def option_values(self) -> dict[str, Option]:
        """Options of a user's network, by name."""
        return {name: json.loads(value) for name, value in self.options}

    @property
    def updates(self) -> int:
        """Adam updates of the whole training."""
        return self.epochs * (self.windows // self.batch_size)

    @cached_property
    def trial_id(self) -> str:
        """Id: a readable part, then 12 hexadecimal digits of BLAKE2b over `canonical_json`."""
        digest = hashlib.blake2b(self.canonical_json.encode(), digest_size=6).hexdigest()
        return f"{self.arch}-len{self.len}-mem{self.mem}-seed{self.seed}-{digest}"

    @cached_property
    def beginning(self) -> str:
        """JSON of what trials that differ only in `epochs` share: their first epochs are the same."""
        return self._json(without={"epochs"})

    @property
    def canonical_json(self) -> str:
        """JSON of all resolved settings and the semantics version, keys sorted, no spaces.

        A setting added in a later version must be omitted here while it has its default, so that the ids
        of earlier results stay valid.
        """
        return self._json(without=set())

    def _json(self, without: set[str]) -> str:
        content = {
            **self.model_dump(exclude={*without, "network", "options"}),
            "semantics": SEMANTICS_VERSION,
        }
        if self.network is not None:
            content |= {"network": self.network, "options": self.option_values}
        return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def resolve(given: Mapping[str, Any]) -> dict[str, Any]:
    """Add the defaults of the settings that a trial omits.

    Args:
        given: settings of one trial; `arch` must be text, the others may be missing or wrong.

    Returns:
        The given settings, unchanged but for an integer `learning_rate`, made a float, and the defaults.
    """
    architecture = architecture_of(given["arch"])
    resolved = {**_DEFAULTS_OF_ALL, **architecture.defaults, **given}
    n_out = given.get("len")
    if "n_in" not in resolved and type(n_out) is int:
        resolved["n_in"] = architecture.usual_n_in(n_out)
    if "eval_every" not in given:
        resolved["eval_every"] = _rounded_up(resolved["eval_every"], resolved["curve_every"])
    if type(resolved["learning_rate"]) is int:
        resolved["learning_rate"] = float(resolved["learning_rate"])
    return resolved


_DEFAULTS_OF_ALL: Final[Mapping[str, Any]] = MappingProxyType(
    {
        name: field.default
        for name, field in TrialSettings.model_fields.items()
        if not field.is_required() and field.default not in (DERIVED, None, ())
    }
)


def _rounded_up(number: int, unit: Any) -> int:
    """Return the smallest multiple of a unit that is not below a number.

    >>> _rounded_up(250, 25), _rounded_up(100, 30), _rounded_up(100, "invalid")
    (250, 120, 100)
    """
    return -(-number // unit) * unit if type(unit) is int and unit > 0 else number


def conflicts(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Find conflicts between settings that are valid one by one.

    Args:
        settings: resolved settings of one trial. If a setting is None, its rules are skipped, so that an
            invalid value is not reported twice.

    Yields:
        The field that the user should change, and a message that starts with its value.
    """
    arch, n_out, n_in = settings["arch"], settings.get("len"), settings.get("n_in")
    yield from _arch_conflicts(arch, settings.get("network"), settings.get("options"))
    if n_out is not None and n_in is not None:
        if conflict := architecture_of(arch).n_in_conflict(n_in, n_out):
            yield "n_in", conflict
        elif n_out > n_in:
            yield "len", f"{n_out} (n_out) is more than n_in = {n_in}; use at most {n_in}"
    windows, batch_size = settings["windows"], settings["batch_size"]
    if windows is not None and batch_size is not None and windows % batch_size:
        yield "batch_size", f"{batch_size} does not divide windows = {windows}; use {_divisors(windows)}"
    curve_every, eval_every = settings["curve_every"], settings["eval_every"]
    if curve_every is not None and eval_every is not None and eval_every % curve_every:
        near = _rounded_up(eval_every, curve_every)
        yield "eval_every", f"{eval_every} is not a multiple of curve_every = {curve_every}; use {near} or 0"
    vocab, values = settings["vocab"], settings["values"]
    if vocab is not None and values is not None and values > vocab:
        yield "values", f"{values} is more than vocab = {vocab}; use at most {vocab}"


def _arch_conflicts(arch: str, network: str | None, options: Any) -> Iterator[tuple[str, str]]:
    if arch in BUILT_IN:
        if network is not None or options:
            yield "arch", f"{arch} is built in; give a function of your own another name"
    elif network is None:
        built_in = " or ".join(BUILT_IN)
        yield "arch", f"{arch} is not built in; use {built_in}, or a network's function (docs/networks.md)"


@cache
def _divisors(number: int) -> str:
    """List the divisors of a number in words, at most the eight largest.

    >>> _divisors(21)
    '1, 3, 7 or 21'
    """
    divisors = sorted(
        {d for i in range(1, int(number**0.5) + 1) if number % i == 0 for d in (i, number // i)}
    )
    shown = [str(divisor) for divisor in divisors[-8:]]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
