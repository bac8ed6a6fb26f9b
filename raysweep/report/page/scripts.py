"""Scripts of the page, and the policy under which a browser runs these and nothing else."""

import base64
import hashlib
from importlib.resources import files

from raysweep.report.page.markup import Html, tag


def resource(name: str) -> str:
    """Return a file of this package."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def script(content: str) -> Html:
    """Return a script element; `policy` lets a browser run it."""
    return tag("script", Html(content))


def policy(*scripts: str) -> str:
    """Return a content security policy that allows these scripts, styles of the page, and its own images."""
    hashes = " ".join(f"'sha256-{_sha256(content)}'" for content in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
