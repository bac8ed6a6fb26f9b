"""Rules of a networks file, which is parsed and never executed."""

import ast
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raysweep.trial.network import Network, NetworkFileError, NetworkSource
from raysweep.trial.network_options import STANDARD, options_of

RESERVED = ("epochs", "len")

STANDARDS = "n_in, n_out, vocab, mem, batch_size"
NO_DEFAULT = f"net.units: has no default; write one (such as units=1), or use {STANDARDS}"
IS_SETTING = f"is a setting of raysweep; rename the option ({STANDARDS} are passed)"
NAME_RULE = "use at most 40 of the characters A-Z a-z 0-9 _ for a name"
NOT_LITERAL = "is no literal number, bool or text; write one"
TOO_BIG = "has more than 64 bits; write a smaller number"
TOO_LONG = "has more than 1,000 characters; write a shorter text"
WRITE_PLAIN = "write a plain function (def net) that returns the model"
NO_FUNCTION = "net: no such function at the top level of the file; it has"


def network_of(text: str, arch: str = "net") -> Network:
    return NetworkSource.of("n.py", text.encode()).network(arch, RESERVED)


def options_in(parameters: str) -> dict[str, object]:
    return dict(network_of(f"def net({parameters}): ...").options)


def problems_in(text: str, arch: str = "net") -> list[str]:
    with pytest.raises(NetworkFileError) as caught:
        network_of(text, arch)
    return str(caught.value).split("\n")


# Options


@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        ("", {}),
        ("mem", {}),
        ("*, mem, a=1", {"a": 1}),
        ("mem, n_in, a=1", {"a": 1}),
        ("mem, a=1, b=2", {"a": 1, "b": 2}),
        ("mem=5, a=1", {"a": 1}),
        ("a=1, mem=5, b=2", {"a": 1, "b": 2}),
        ("a=1, *, n_in, b=2, n_out=3, c=3", {"a": 1, "b": 2, "c": 3}),
        ("*, z=1, a=2", {"z": 1, "a": 2}),
        ("a: int = 1, b: print('x') = 2.0, *, c: None = 'x'", {"a": 1, "b": 2.0, "c": "x"}),
        ("a=-1, b=+2, c=-0.5, d=1e300, e=True, f='', g='a' 'b', h=0x10, i=1_000", {
            "a": -1, "b": 2, "c": -0.5, "d": 1e300, "e": True, "f": "", "g": "ab", "h": 16, "i": 1000,
        }),
        ("a=9223372036854775807, b=-9223372036854775808", {"a": 2**63 - 1, "b": -(2**63)}),
        (f"a='{'x' * 1000}'", {"a": "x" * 1000}),
        (f"{'a' * 40}=1, _b=2", {"a" * 40: 1, "_b": 2}),
    ],
)  # fmt: skip
def test_options_are_the_parameters_with_literal_defaults(parameters, options):
    found = options_in(parameters)
    assert found == options
    assert list(found) == list(options)
    assert list(map(type, found.values())) == list(map(type, options.values()))


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ("units", NO_DEFAULT),
        ("*, units", NO_DEFAULT),
        ("a, /", "net.a: positional only; raysweep passes every argument by name: remove the /"),
        ("mem, /", "net.mem: positional only; raysweep passes every argument by name: remove the /"),
        ("*more", "net.*more: takes any argument; name every option, each with a default"),
        ("**more", "net.**more: takes any argument; name every option, each with a default"),
        ("epochs=3", f"net.epochs: epochs {IS_SETTING}"),
        ("é=1", f"net.é: {NAME_RULE}"),
        (f"{'a' * 41}=1", f"net.{'a' * 41}: {NAME_RULE}"),
        ("a=None", f"net.a: the default None {NOT_LITERAL}"),
        ("a=()", f"net.a: the default () {NOT_LITERAL}"),
        ("a=1j", f"net.a: the default 1j {NOT_LITERAL}"),
        ("a=b'x'", f"net.a: the default b'x' {NOT_LITERAL}"),
        ("a=...", f"net.a: the default ... {NOT_LITERAL}"),
        ("a=1 + 1", f"net.a: the default 1 + 1 {NOT_LITERAL}"),
        ("a=-True", f"net.a: the default -True {NOT_LITERAL}"),
        ("a=--1", f"net.a: the default --1 {NOT_LITERAL}"),
        ("a=not True", f"net.a: the default not True {NOT_LITERAL}"),
        ("a=f'{mem}'", f"net.a: the default f'{{mem}}' {NOT_LITERAL}"),
        ("a=[\n1,\n2]", f"net.a: the default [ 1, 2] {NOT_LITERAL}"),
        ("a=MANY", f"net.a: the default MANY {NOT_LITERAL}"),
        ("a=1e999", "net.a: the default 1e999 is not finite; write a finite number"),
        ("a=9223372036854775808", f"net.a: the default 9223372036854775808 {TOO_BIG}"),
        ("a=-9223372036854775809", f"net.a: the default -9223372036854775809 {TOO_BIG}"),
        (f"a=0x{'f' * 9999}", f"net.a: the default 0x{'f' * 45}... {TOO_BIG}"),
        (f"a='{'x' * 1001}'", f"net.a: the default '{'x' * 46}... {TOO_LONG}"),
        (r"a='\ud800'", r"net.a: the default '\ud800' has half of a surrogate pair; write whole characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_an_option(parameters, problem):
    assert problems_in(f"def net({parameters}): ...") == [f"n.py:1: {problem}"]


def test_all_problems_of_a_function_are_found_each_with_its_line():
    parameters = "\n    mem,\n    b=[],\n    *c,\n    d,\n    e=(),\n    **f,\n"
    text = f"import os\nfrom . import x\ndef net({parameters}): ..."
    places = [problem.split(": ")[:2] for problem in problems_in(text)]
    assert places == [
        ["n.py:2", "from . import …"], ["n.py:5", "net.b"], ["n.py:6", "net.*c"], ["n.py:7", "net.d"],
        ["n.py:8", "net.e"], ["n.py:9", "net.**f"],
    ]  # fmt: skip


NAMES = st.sampled_from([*STANDARD, *"abcdefgh"])
LITERALS = st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def signatures(draw):
    """Give positional-only, ordinary and keyword-only parameters with the defaults that Python allows."""
    names = draw(st.lists(NAMES, unique=True, max_size=9))
    first, second = sorted(draw(st.tuples(*[st.integers(0, len(names))] * 2)))
    undefaulted = draw(st.integers(0, second))
    defaults = {
        name: draw(LITERALS)
        for position, name in enumerate(names)
        if (undefaulted <= position if position < second else draw(st.booleans()))
    }
    return names[:first], names[first:second], names[second:], defaults


@settings(deadline=None)
@given(signatures())
def test_every_default_belongs_to_its_parameter(signature):
    positional, ordinary, by_name, defaults = signature
    shown = {
        name: f"{name}={defaults[name]!r}" if name in defaults else name
        for name in (*positional, *ordinary, *by_name)
    }
    parts = [shown[name] for name in positional] + (["/"] if positional else [])
    parts += (
        [shown[name] for name in ordinary] + (["*"] if by_name else []) + [shown[name] for name in by_name]
    )
    text = f"def net({', '.join(parts)}): ..."
    (function,) = ast.parse(text).body
    assert isinstance(function, ast.FunctionDef)
    problems: list = []
    found = dict(options_of(function, text, RESERVED, problems))
    options = [name for name in (*ordinary, *by_name) if name not in STANDARD]
    assert found == {name: defaults[name] for name in options if name in defaults}
    missing = {f"net.{name}" for name in options if name not in defaults}
    assert {problem.name for problem in problems} == missing | {f"net.{name}" for name in positional}


# Functions


def test_the_last_plain_function_of_a_name_at_the_top_level_is_the_network():
    text = """
def net(a=1): ...
def other(x): ...
def net(b=2): ...
@decorated
def net(c=3): ...
async def net(d=4): ...
if True:
    def net(e=5): ...
class Some:
    def net(f=6): ...
def outer():
    def net(g=7): ...
    def inner(h=8): ...
"""
    source = NetworkSource.of("n.py", text.encode())
    assert source.functions == {"net": 4, "other": 3, "outer": 12}
    network = source.network("net", RESERVED)
    assert (network.options, network.line, network.sha256) == ({"b": 2}, 4, source.sha256)
    assert [source.defines(name) for name in ("net", "Some", "inner", "e")] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1\nclass net: ...", f"n.py:2: net: found a class; {WRITE_PLAIN}"),
        (
            "@cache\ndef net(): ...",
            f"n.py:2: net: found a decorated or asynchronous function; {WRITE_PLAIN}",
        ),
        (
            "async def net(): ...",
            f"n.py:1: net: found a decorated or asynchronous function; {WRITE_PLAIN}",
        ),
        ("net = lambda: 1", f"n.py:1: {NO_FUNCTION} none"),
        ("def a(): ...\ndef b(): ...", f"n.py:1: {NO_FUNCTION} a, b"),
        ("def a():\n    def net(): ...", f"n.py:1: {NO_FUNCTION} a"),
        ("", f"n.py:1: {NO_FUNCTION} none"),
    ],
)  # fmt: skip
def test_what_is_not_a_network(text, problem):
    assert problems_in(text) == [problem]


def test_a_name_has_few_characters():
    for name in ("a" * 41, "größe"):
        assert problems_in(f"def {name}(): ...", name) == [f"n.py:1: {name}: {NAME_RULE}"]
    assert network_of(f"def {'a' * 40}(): ...", "a" * 40).options == {}


def test_relative_imports_are_found_everywhere():
    message = "a networks file can import installed packages only; move what it needs into it"
    text = "import os.path\nfrom keras import layers\nfrom .a import b\ndef net():\n    from ..c.d import e"
    assert problems_in(text) == [
        f"n.py:3: from .a import …: {message}",
        f"n.py:5: from ..c.d import …: {message}",
    ]


# Text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def net(:\n", "n.py:1: not valid Python: invalid syntax; correct it"),
        ("x = 1\n  y = 2", "n.py:2: not valid Python: unexpected indent; correct it"),
        (
            "x = 1\n'",
            "n.py:2: not valid Python: unterminated string literal (detected at line 2); correct it",
        ),
        ("def net(): ...\0", "n.py:1: not valid Python: source code string cannot contain null bytes"),
        ("x = " + "(" * 500 + ")" * 500, "n.py:1: not valid Python: too many nested parentheses"),
        ("x = " + "-" * 50_000 + "1", "n.py:1: not valid Python: "),
        ("x = " + "1 + " * 50_000 + "1", "n.py:1: not valid Python: "),
        ("x = " + "9" * 5_000, "n.py:1: not valid Python: Exceeds the limit (4300 digits)"),
    ],
)
def test_what_is_not_python(text, problem):
    (found,) = problems_in(text)
    assert found.startswith(problem)
    with pytest.raises(NetworkFileError):
        _ = NetworkSource.of("n.py", text.encode()).functions


def test_a_deep_default_is_shown_without_recursion():
    (problem,) = problems_in(f"def net(a={'[' * 150}{']' * 150}): ...")
    assert problem.startswith(f"n.py:1: net.a: the default {'[' * 47}... is no literal number")


def test_the_identity_is_the_text_without_mark_and_line_ends():
    text = "def net(a='é'): ...\n"
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    for data in (text, text.replace("\n", "\r\n"), text.replace("\n", "\r"), "\ufeff" + text):
        source = NetworkSource.of("n.py", data.encode())
        assert (source.text, source.sha256) == (text, sha256)
    with pytest.raises(UnicodeDecodeError):
        NetworkSource.of("n.py", text.encode("latin-1"))


def test_parsing_warns_of_nothing_and_executes_nothing(tmp_path):
    proof = tmp_path / "executed"
    touch = f"open({str(proof)!r}, 'w').close()"
    text = f"'\\d'\nx = 1 is 1\n{touch}\ndef net(a: {touch} = 1): ..."
    assert network_of(text).options == {"a": 1}
    assert not proof.exists()
