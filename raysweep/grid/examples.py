"""Files of the example grids that come with raysweep.

They are the folder `grids` of the repository, which a wheel has beside the code.
"""

import difflib
from pathlib import Path
from typing import Final

from raysweep.grid.nodes import shown_path

NAMES: Final = ("lengths", "longer", "networks", "notebook", "quick", "tutorial")
"""The examples; in a clone, other grids of the user's may be beside them."""

_PACKAGE: Final = Path(__file__).resolve().parents[1]


def example_files() -> dict[str, Path]:
    """Return the grid file of each example, by its name; none if the installation has lost them."""
    folder = _PACKAGE / "grids"
    if not folder.is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file():
        folder = _PACKAGE.parent / "grids"
    return {name: path for name in NAMES if (path := folder / f"{name}.yaml").is_file()}


def near_example(name: str) -> str | None:
    """Return the example whose name is most like a name."""
    return next(iter(difflib.get_close_matches(name.lower(), example_files(), n=1)), None)


def missing_file_hint(path: Path) -> str:
    """Say of a grid file that does not exist which file or example may have been meant."""
    here = {one.stem: one for one in path.parent.glob("*.y*ml")}
    near = next(iter(difflib.get_close_matches(path.stem, here, n=1)), None)
    example = near_example(path.stem)
    if near is not None and (near == path.stem or example != path.stem):
        return f"did you mean {shown_path(here[near])}?"
    if example is None:
        return "check the path"
    which = "an example of that name" if example == path.stem else f"an example called {example}"
    return f"{which} comes with raysweep: `raysweep grids {example}` copies it here"
