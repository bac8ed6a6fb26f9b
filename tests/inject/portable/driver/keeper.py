"""The keeper without what only Linux has: it is started so that no sitecustomize is imported."""

import importlib
import runpy
import sys
from pathlib import Path

KEEPER = Path(__file__).parents[4] / "raysweep" / "driver" / "keeper.py"

sys.path.insert(0, str(Path(__file__).parents[2]))
importlib.import_module("portable").hide()
runpy.run_path(str(KEEPER), run_name="__main__")
